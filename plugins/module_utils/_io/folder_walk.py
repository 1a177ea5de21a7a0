# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files below a directory in which others write and remove meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from .._core.stored_files import Stored


def stored(seen: os.stat_result) -> Stored:
    """A file as what remembers it has to see it: nobody writes to it, or puts another in its place, without one of these changing."""
    return Stored(seen.st_size, f"{seen.st_mtime_ns} {seen.st_ctime_ns} {seen.st_ino}")


def files_below(folder: str, prefix: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Each regular file, named from the directory on with ``prefix`` before it. What vanishes meanwhile is left out.

    Directories behind symbolic links are not entered. OSError, with its ``filename``, when a directory cannot be read.
    """
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(entry.path, f"{prefix}{entry.name}/")
            elif entry.is_file():
                with suppress(FileNotFoundError):
                    yield f"{prefix}{entry.name}", entry.stat()
