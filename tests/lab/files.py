"""Folders that must really go."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def remove(folder: Path) -> str:
    """Removes a folder and all that is in it, read-only parts too (Go makes some), and says what keeps it if it stays."""
    last = ""
    for _attempt in range(3):  # a process that is about to end may still write into it
        if not folder.exists():
            return ""
        try:
            _unlink_files(folder)
            shutil.rmtree(folder)
        except OSError as exc:
            last = str(exc)
            subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False, capture_output=True)
    return last if folder.exists() else ""


def _unlink_files(folder: Path) -> None:
    """The files first, many at once: it is the disk that one waits for, a millisecond each. What stays is rmtree's to tell."""

    def unlink(path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()

    if folder.is_symlink():  # rmtree refuses it
        return
    with ThreadPoolExecutor(16) as pool:
        for parent, _folders, names in os.walk(folder):
            pool.map(unlink, [Path(parent, name) for name in names])
