# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a base backup: as a cluster's directory, or in archives of tar, which may be compressed."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Union, cast

from .._core.basebackup import NAME, WAL
from .._core.errors import ChangeError
from .._core.stored_files import Found, Stored
from .decoded import CHUNK, decoder
from .folder_walk import files_below, stored

SEGMENT = re.compile(r"[0-9A-F]{24}")
_ARCHIVE = re.compile(r"(?P<stem>base|pg_wal|[0-9]+)\.tar(?:\.(?P<suffix>gz|lz4|zst))?")
_BASE, _WAL = "base", "pg_wal"


class PlaceError(ChangeError):
    """The directory of the backups cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="BACKUPS_UNREACHABLE")


@contextmanager
def readable(location: Path) -> Iterator[None]:
    """What the machine refuses becomes a message that says what to do."""
    try:
        yield
    except OSError as exc:
        told = f"{exc.filename or location} cannot be read ({exc.strerror or exc}). Run the task as the owner, or correct location."
        raise PlaceError(told) from None


def homes(location: Path) -> list[Path]:
    """The directory itself when it is a base backup, else all those in it, the unfinished ones among them."""
    below = sorted(location.iterdir())
    return [location] if any(path.name == NAME for path in below) else [path for path in below if path.is_dir()]


def chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        yield from iter(lambda: file.read(CHUNK), b"")


class Plain:
    """A directory that a server could start from."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def listing(self) -> dict[str, Stored]:
        """Every file below it, and below the directories of its tablespaces."""
        found = {name: stored(seen) for name, seen in files_below(str(self.home))}
        spaces = self.home / "pg_tblspc"
        for link in sorted(spaces.iterdir()) if spaces.is_dir() else []:
            if link.is_symlink():
                found |= {name: stored(seen) for name, seen in files_below(str(link), f"pg_tblspc/{link.name}/")}
        return found

    def chunks(self, path: str) -> Iterator[bytes]:
        return chunks_of(self.home / path)

    def wal(self) -> list[str]:
        """The names of its segments."""
        folder = self.home / WAL
        return sorted(path.name for path in folder.iterdir() if SEGMENT.fullmatch(path.name)) if folder.is_dir() else []

    def first_page(self) -> bytes:
        """The first bytes of its first segment, or none."""
        for name in self.wal()[:1]:
            return next(self.chunks(WAL + name), b"")
        return b""


class _Plainly:
    """What a compressed file holds, for reading from it; OSError when it is damaged.

    pg_basebackup writes an archive of WAL as several compressed streams, one after the other.
    """

    def __init__(self, file: IO[bytes], codec: str) -> None:
        self.file, self.codec, self.decode = file, codec, decoder(codec)
        self.stored, self.plain = b"", b""

    def read(self, size: int) -> bytes:
        while len(self.plain) < size and (chunk := self.stored or self.file.read(CHUNK)):
            if self.decode.eof:
                self.decode = decoder(self.codec)
            try:
                self.plain += self.decode.decompress(chunk)
            except Exception as exc:  # every decoder has its own
                raise OSError("it cannot be decompressed") from exc
            self.stored = self.decode.unused_data or b""
        data, self.plain = self.plain[:size], self.plain[size:]
        return data

    def end(self) -> None:
        while self.read(CHUNK):
            pass
        if not self.decode.eof:
            raise OSError("it is cut off")


def decoded_chunks(path: Path, codec: str) -> Iterator[bytes]:
    with path.open("rb") as file:
        plainly = _Plainly(file, codec)
        yield from iter(lambda: plainly.read(CHUNK), b"")
        plainly.end()


class Tar:
    """A directory with an archive of the cluster, one for each tablespace, and mostly one of WAL."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def archives(self) -> dict[str, Stored]:
        """By name. What lies beside them is nothing of the backup."""
        found = {path.name: path.stat() for path in sorted(self.home.iterdir()) if _ARCHIVE.fullmatch(path.name)}
        return {name: stored(seen) for name, seen in found.items()}

    def first_page(self) -> bytes:
        """The first bytes of its first segment, or none. Those of ``--wal-method=fetch`` lie at the end of the cluster's archive."""
        for name in sorted(self.archives(), key=lambda name: (prefix_of(name) != WAL, name)):
            if prefix_of(name) in (WAL, ""):
                try:
                    for path, _size, chunks in self.members(name):
                        if path.startswith(WAL) and SEGMENT.fullmatch(path.removeprefix(WAL)):
                            return next(chunks, b"")
                except OSError:
                    return b""
        return b""

    def members(self, name: str) -> Iterator[tuple[str, int, Iterator[bytes]]]:
        """Each file in an archive: its path in the cluster, its bytes, and its content, to be read before the next one is asked for.

        OSError when the archive is damaged in a way that shows before a checksum does.
        """
        prefix, codec = prefix_of(name), codec_of(name)
        with (self.home / name).open("rb") as file:
            plainly = _Plainly(file, codec) if codec else file
            try:
                with tarfile.open(fileobj=cast("IO[bytes]", plainly), mode="r|", bufsize=CHUNK) as archive:
                    for member in archive:
                        if content := archive.extractfile(member) if member.isfile() else None:
                            yield prefix + member.name.removeprefix("./"), member.size, _until_end(content)
            except (tarfile.TarError, EOFError) as exc:
                raise OSError(str(exc)) from exc
            if isinstance(plainly, _Plainly):
                plainly.end()


def _until_end(content: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from iter(lambda: content.read(CHUNK), b"")
    except tarfile.TarError as exc:
        raise OSError(str(exc)) from exc


def prefix_of(archive: str) -> str:
    stem = archive.partition(".")[0]
    return {_BASE: "", _WAL: WAL}.get(stem, f"pg_tblspc/{stem}/")


def codec_of(archive: str) -> str:
    found: Any = _ARCHIVE.fullmatch(archive)
    return found["suffix"] or ""


Files = Union[Plain, Tar]  # noqa: UP007 - an alias is evaluated, and hosts may have Python 3.9


def note(exc: OSError, name: str, found: Found) -> None:
    """What the machine refuses to read is not known to be damaged."""
    if exc.errno is None:
        found.corrupt.append(f"{name}: {exc}")
    else:
        found.unreadable.append(name)


def files_of(home: Path) -> Files:
    return Plain(home) if (home / "PG_VERSION").exists() or (home / "global").is_dir() else Tar(home)
