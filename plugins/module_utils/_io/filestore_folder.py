# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A filestore in a directory: what is there, and the SHA-1 of each file, read by as many processes as there are processors."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from .._core.errors import ChangeError
from .._core.filestore import Stored
from .folder_walk import files_below
from .side_by_side import side_by_side

CHUNK = 1 << 20
BATCH = 256
Digest = tuple[str, "str | None"]
"""A name, and the SHA-1 of its content; None when it could not be read."""


class Folder:
    """A directory that Odoo uses as the filestore of one database."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise ChangeError(
                f"the filestore {self.path} is no directory that this user can see, wanted that of one database, such as "
                "/var/lib/odoo/filestore/acme. Correct path, or run the task as the user of Odoo.",
                code="FILESTORE_UNREACHABLE",
            )

    def __str__(self) -> str:
        return str(self.path)

    def listing(self) -> dict[str, Stored]:
        try:
            return {name: Stored(seen.st_size, seen.st_mtime, version=str(seen.st_ctime_ns)) for name, seen in files_below(str(self.path))}
        except OSError as exc:
            told = f"{exc.filename} cannot be read ({exc.strerror}), wanted all of the filestore. Run the task as the user of Odoo."
            raise ChangeError(told, code="FILESTORE_UNREACHABLE") from None

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def digests(self, names: Sequence[str]) -> Iterator[Digest]:
        """The SHA-1 of each file, in any order. Bounded memory: a few batches of names are on their way at a time."""
        workers = len(os.sched_getaffinity(0))
        batches = (names[start : start + BATCH] for start in range(0, len(names), BATCH))
        if workers == 1 or len(names) <= BATCH:
            for batch in batches:
                yield from _hash_all(str(self.path), batch)
            return
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
            for digests in side_by_side(pool, partial(_hash_all, str(self.path)), batches, at_once=workers * 4):
                yield from digests


def _hash_all(folder: str, names: Sequence[str]) -> list[Digest]:
    buffer = memoryview(bytearray(CHUNK))
    return [(name, _sha1(f"{folder}/{name}", buffer)) for name in names]


def _sha1(path: str, buffer: memoryview) -> str | None:
    # most attachments are small: what Python's file objects cost would be most of the time
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = hashlib.sha1(usedforsecurity=False)
        while size := os.readv(file, [buffer]):
            found.update(buffer[:size])
        return found.hexdigest()
    except OSError:
        return None
    finally:
        os.close(file)
