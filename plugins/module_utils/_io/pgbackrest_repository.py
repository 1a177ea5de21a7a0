# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a pgBackRest repository: in a folder of this machine, or wherever pgBackRest itself gets at them."""

# run_command does not stream, and an _io file has no AnsibleModule. pylint: disable=ansible-bad-function

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol

from .._core.pgbackrest_content import Wanted
from .._core.stored_files import Stored
from .decoded import Stream, wrong_pieces
from .folder_walk import files_below, stored
from .pgbackrest import Pgbackrest, PgbackrestError
from .side_by_side import side_by_side

BATCH_BYTES, BATCH_FILES = 32 << 20, 256
ENCRYPTED = b"Salted__"
MISSING = 55
"""What pgBackRest exits with when a file is not there."""
Result = tuple[str, "list[str] | None", int]
"""Path, names of the pieces that are not right (None when it could not be read), and the bytes read."""


class Repository(Protocol):
    """Paths are below the repository. ``open`` with ``raw`` gives what is stored, without it what that is when it is decrypted."""

    def listing(self, path: str) -> dict[str, Stored]: ...

    def lines(self, path: str) -> Iterator[str]:
        """Of a document. FileNotFoundError when it is not there, UnicodeDecodeError when it is no text."""

    def open(self, path: str, *, raw: bool) -> AbstractContextManager[Stream]: ...


class Folder:
    """A repository on a disk of this machine that this user may read, and that is not encrypted."""

    workers = len(os.sched_getaffinity(0))

    def __init__(self, root: Path) -> None:
        self.root = root

    def listing(self, path: str) -> dict[str, Stored]:
        try:
            return {name: stored(seen) for name, seen in files_below(str(self.root / path), f"{path}/")}
        except OSError as exc:
            told = f"{exc.filename} cannot be read ({exc.strerror}). Run the task as the owner of the repository."
            raise PgbackrestError(told) from None

    def lines(self, path: str) -> Iterator[str]:
        with (self.root / path).open(encoding="utf-8", newline="\n") as file:
            yield from file

    @contextmanager
    def open(self, path: str, *, raw: bool) -> Iterator[Stream]:  # noqa: ARG002 - nothing here is encrypted
        with (self.root / path).open("rb", buffering=0) as file:
            yield file


class Remote:
    """A repository anywhere, read by pgBackRest: one process for each object."""

    workers = 2 * len(os.sched_getaffinity(0))

    def __init__(self, tool: Pgbackrest, stanza: str, repo: int) -> None:
        self.tool, self.stanza, self.repo = tool, stanza, repo

    def listing(self, path: str) -> dict[str, Stored]:
        found = self.tool.files(self.stanza, path, repo=self.repo)
        return {f"{path}/{name}": Stored(int(one["size"]), str(one.get("time"))) for name, one in found.items() if one["type"] != "path"}

    def lines(self, path: str) -> Iterator[str]:
        try:
            with (
                self.tool.reading(self.stanza, path, repo=self.repo) as stream,
                TextIOWrapper(stream, encoding="utf-8", newline="\n") as text,
            ):
                yield from text
        except PgbackrestError as exc:
            if exc.facts.get("rc") == MISSING:
                raise FileNotFoundError(path) from exc
            raise

    @contextmanager
    def open(self, path: str, *, raw: bool) -> Iterator[Stream]:
        with self.tool.reading(self.stanza, path, repo=self.repo, raw=raw) as stream:
            yield stream


def repository(tool: Pgbackrest, stanza: str, repo: int, config: str | None) -> Folder | Remote:
    """A folder where the configuration names one that can be read here; else through pgBackRest, which can everything, and takes longer."""
    root = _folder(Path(config), stanza, repo) if config else None
    return Folder(root) if root and _plain(root / "backup" / stanza / "backup.info") else Remote(tool, stanza, repo)


def _folder(config: Path, stanza: str, repo: int) -> Path | None:
    parsed = ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    try:
        parsed.read_string(config.read_text())
    except (OSError, ConfigError, UnicodeDecodeError):
        return None  # pgBackRest has read it, or says what is wrong with it
    options = {key: value for section in ("global", stanza) if parsed.has_section(section) for key, value in parsed[section].items()}
    if options.get(f"repo{repo}-type", "posix") not in ("posix", "cifs") or f"repo{repo}-host" in options:
        return None
    return Path(options.get(f"repo{repo}-path", "/var/lib/pgbackrest"))


def _plain(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(ENCRYPTED)) not in (b"", ENCRYPTED)
    except OSError:
        return False


def check_all(where: Folder | Remote, wanted: Sequence[Wanted], sizes: Sequence[int]) -> Iterator[Result]:
    """Reads the objects, in any order, by several processes. Bounded memory: a few batches are on their way at a time."""
    batches = list(_batches(wanted, sizes))
    if len(batches) <= 1 and isinstance(where, Folder):
        for batch in batches:
            yield from _check(where, batch)
        return
    with ProcessPoolExecutor(where.workers, mp_context=multiprocessing.get_context("fork")) as pool:
        for results in side_by_side(pool, partial(_check, where), batches, at_once=where.workers * 2):
            yield from results


def _batches(wanted: Sequence[Wanted], sizes: Sequence[int]) -> Iterator[list[Wanted]]:
    batch: list[Wanted] = []
    total = 0
    for one, size in zip(wanted, sizes, strict=True):
        batch.append(one)
        total += size
        if total >= BATCH_BYTES or len(batch) >= BATCH_FILES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _check(where: Repository, batch: Sequence[Wanted]) -> list[Result]:
    return [_check_one(where, one) for one in batch]


def _check_one(where: Repository, one: Wanted) -> Result:
    try:
        with where.open(one.path, raw=all(piece.stored for piece in one.pieces)) as stream:
            wrong, read = wrong_pieces(stream, sorted(one.pieces), one.codec)
    except (OSError, PgbackrestError, subprocess.SubprocessError):
        return one.path, None, 0
    return one.path, [piece.name for piece in wrong], read
