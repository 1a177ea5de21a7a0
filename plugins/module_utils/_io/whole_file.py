# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Whole or not at all, also when the writer is killed; whoever reads meanwhile sees what was there before. OSError as usual."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def not_writable(path: Path) -> str:
    """Why a file cannot be put there, or nothing. To be asked before the work whose result it is to hold."""
    if path.is_dir():
        return f"{path} is a directory, wanted the name of a file"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"{path.parent} is no directory in which this user may write. Make it, or run the task as its owner"
    return ""
