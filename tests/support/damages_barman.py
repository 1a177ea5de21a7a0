"""What can be done to the directory in which Barman keeps a server, with its code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.barman import Barman


def labels(made: Barman) -> list[str]:
    return sorted(path.name for path in (made.location / "base").iterdir())


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def wal(made: Barman, number: int) -> Path:
    name = made.archived()[number]
    return made.location / "wals" / name[:16] / name


def info(made: Barman, number: int) -> Path:
    return made.location / "base" / labels(made)[number] / "backup.info"


def say(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def old(path: Path) -> None:
    """A file that was not taken in a moment ago."""
    an_hour_ago = path.stat().st_mtime - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))


def unlist(made: Barman, number: int) -> None:
    say(made.location / "wals/xlog.db", wal(made, number).name, "X")
    old(wal(made, number))


def without_list(made: Barman) -> None:
    (made.location / "wals/xlog.db").unlink()
    old(wal(made, -2))


def data(made: Barman) -> Path:
    return made.location / "base" / labels(made)[-1] / "data"


DAMAGES: dict[str, tuple[Callable[[Barman], Any], str]] = {
    "wal-in-mid-chain-is-gone": (lambda made: wal(made, -2).unlink(), "WAL_GAP"),
    "wal-is-damaged": (lambda made: flip(wal(made, -2), 3000), "CHECKSUM"),
    "the-newest-wal-is-empty": (lambda made: wal(made, -1).write_bytes(b""), "CHECKSUM"),
    "wal-is-another": (lambda made: shutil.copy(wal(made, -3), wal(made, -2)), "CHECKSUM"),
    "barmans-list-is-gone": (without_list, "WAL_GAP"),
    "wal-is-not-in-barmans-list": (lambda made: unlist(made, -2), "WAL_GAP"),
    "a-table-is-damaged": (lambda made: flip(data(made) / "global/1260", 100), "CHECKSUM"),
    "a-table-is-gone": (lambda made: (data(made) / "global/1260").unlink(), "INCOMPLETE"),
    "no-data": (lambda made: shutil.rmtree(data(made)), "REFERENCE_MISSING"),
    "no-document": (lambda made: info(made, 0).unlink(), "INCOMPLETE"),
    "another-document": (lambda made: shutil.copy(info(made, 0), info(made, 1)), "CHECKSUM"),
    "the-newest-failed": (lambda made: say(info(made, 1), "status=DONE", "status=FAILED"), "INCOMPLETE"),
    "another-system": (lambda made: say(info(made, 1), "systemid=7", "systemid=8"), "SYSTEM_ID"),
}
