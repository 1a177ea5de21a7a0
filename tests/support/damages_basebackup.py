"""What can be done to a plain base backup, with its code; PostgreSQL's own tool sees all of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def segment(where: Path) -> Path:
    return min(path for path in (where / "pg_wal").iterdir() if len(path.name) == 24)


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def table(where: Path) -> Path:
    return max((where / "base" / "5").iterdir(), key=lambda path: path.stat().st_size)


def tablespace(where: Path) -> Path:
    return next(path for path in Path(where / "pg_tblspc").rglob("*") if path.is_symlink())


PLAIN_DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a-table": (lambda where: flip(table(where), 5000), "CHECKSUM"),
    "a-table-is-gone": (lambda where: table(where).unlink(), "INCOMPLETE"),
    "a-table-is-cut-off": (lambda where: os.truncate(table(where), 8192), "CHECKSUM"),
    "one-table-more": (lambda where: (where / "base/5/99999").write_bytes(bytes(8192)), "CHECKSUM"),
    "a-record-of-wal": (lambda where: flip(segment(where), 60), "CHECKSUM"),
    "wal-is-gone": (lambda where: segment(where).unlink(), "INCOMPLETE"),
    "wal-is-cut-off": (lambda where: os.truncate(segment(where), 4096), "CHECKSUM"),
    "the-manifest": (lambda where: flip(where / "backup_manifest", 500), "CHECKSUM"),
    "a-tablespace-is-gone": (lambda where: tablespace(where).unlink(), "INCOMPLETE"),
}
