# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file that keeps the tasks of a run, or of all runs of a change: one write for each task, under a lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.task_evidence import (
    EMPTY,
    HEAD,
    TAIL,
    evidence,
    line_of,
    mended,
)

LARGEST = 64 * 1024 * 1024


class TaskFileError(ChangeError):
    """A file of tasks that cannot be read."""


def add_entry(path: Path, one: Mapping[str, Any]) -> None:
    """Adds an entry. Whoever reads the file, or kills the writer, finds a whole document; else the next one mends it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as fd:
        size = os.fstat(fd).st_size
        if size < len(EMPTY) or (os.pread(fd, len(HEAD), 0), os.pread(fd, len(TAIL), size - len(TAIL))) != (HEAD, TAIL):
            size = _mend(fd, size, path)
        os.pwrite(fd, line_of(one, first=size == len(EMPTY)), size - len(TAIL))


def read_evidence(path: Path) -> dict[str, Any]:
    """What the ledger keeps of the file."""
    try:
        with _locked(path, os.O_RDONLY) as fd:
            size = os.fstat(fd).st_size
            data = _all(fd, size) if size <= LARGEST else b""
    except OSError as exc:
        raise TaskFileError(f"tasks_file {path} cannot be read: {exc.strerror}. Name the file that the callback has written") from exc
    if not data:
        raise TaskFileError(f"tasks_file {path} has {size} bytes, wanted 1 to {LARGEST}. Name the file that the callback has written")
    try:
        return evidence(data if data.endswith(TAIL) else mended(data))
    except (ValueError, RecursionError) as exc:
        raise TaskFileError(f"tasks_file {path} is no file of the callback task_evidence: {exc}. Name the one that it has written") from exc


def _mend(fd: int, size: int, path: Path) -> int:
    try:
        whole = mended(_all(fd, size)) if size else EMPTY
    except ValueError as exc:
        raise TaskFileError(f"{path} is another file: {exc}. Give the documents a folder of their own") from exc
    os.ftruncate(fd, 0)
    os.pwrite(fd, whole, 0)
    return len(whole)


def _all(fd: int, size: int) -> bytes:
    return os.pread(fd, size, 0)


@contextlib.contextmanager
def _locked(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)
