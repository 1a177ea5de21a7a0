# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where dumps lie: a directory of this host, or a prefix of a bucket."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from .._core.dumps import UNFINISHED
from .._core.errors import ChangeError
from .._core.stored_files import Stored
from .folder_walk import files_below
from .s3 import CHUNK, Bucket, Readable

_BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+)(?:/(?P<prefix>[A-Za-z0-9._/-]*))?")


class DumpStoreError(ChangeError):
    """The place of the dumps cannot be read or written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="DUMPS_UNREACHABLE")


class DumpStore(Protocol):
    """Files by name. What is written is there whole, or not at all."""

    def listing(self) -> dict[str, Stored]: ...

    def chunks(self, name: str) -> Iterator[bytes]: ...

    def write(self, name: str, stream: Readable) -> tuple[int, str]:
        """Bytes and SHA-256 of what was written. When reading from the stream raises, nothing is."""


class Folder:
    """A directory."""

    def __init__(self, path: Path, option: str = "location") -> None:
        self.path, self._option = path, option
        if not path.is_dir():
            raise DumpStoreError(f"{option} {path} is no directory that this user can see. Make it, or correct {option}.")

    def __str__(self) -> str:
        return str(self.path)

    @property
    def where(self) -> tuple[str, str] | None:
        """Bucket and prefix, where it is one."""
        return None

    def listing(self) -> dict[str, Stored]:
        with self._told("read"):
            return {name: Stored(seen.st_size, f"{seen.st_mtime_ns} {seen.st_ino}") for name, seen in files_below(str(self.path))}

    def chunks(self, name: str) -> Iterator[bytes]:
        with self._told(f"read {name} in"), (self.path / name).open("rb", buffering=0) as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    def write(self, name: str, stream: Readable) -> tuple[int, str]:
        part, hashed, size = self.path / f"{name}{UNFINISHED}", hashlib.sha256(), 0
        try:
            with self._told("write into"), part.open("wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                part.chmod(0o600)
                while data := stream.read(CHUNK):
                    hashed.update(data)
                    size += file.write(data)
                file.flush()
                os.fsync(file.fileno())
                part.replace(self.path / name)
                self._sync()
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        return size, hashed.hexdigest()

    @contextmanager
    def directory(self, name: str) -> Iterator[tuple[Path, int]]:
        """An empty directory that is going to be ``name`` when it is settled; else nothing is left of it. Whoever has the descriptor
        open is at work in it."""
        part = self.path / f"{name}{UNFINISHED}"
        with self._told("write into"):
            part.mkdir(mode=0o700)
            lock = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with suppress(OSError):  # some network file systems have no locks for directories, and never say that one is abandoned
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield part, lock
        finally:
            os.close(lock)
            shutil.rmtree(part, ignore_errors=True)

    def settle(self, name: str) -> None:
        """Gives an unfinished directory its name."""
        with self._told("write into"):
            (self.path / f"{name}{UNFINISHED}").rename(self.path / name)
            self._sync()

    def abandoned(self) -> list[str]:
        """What killed runs left: unfinished files and directories in which nobody writes."""
        found = []
        for path in self.path.glob(f"*{UNFINISHED}"):
            with suppress(OSError):
                lock = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    found.append(path.name)
                finally:
                    os.close(lock)
        return found

    def remove(self, name: str) -> None:
        """A file, or a directory, which is unfinished as long as something is left of it."""
        path = self.path / name
        with self._told(f"remove {name} from"):
            if not path.is_dir():
                path.unlink(missing_ok=True)
                return
            if not name.endswith(UNFINISHED):
                path = path.rename(self.path / f"{name}{UNFINISHED}")
            shutil.rmtree(path)

    def _sync(self) -> None:
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise DumpStoreError(
                f"cannot {doing} {self.path} ({exc.strerror}). Give this user the right, and room, or correct {self._option}."
            ) from None


class Objects:
    """The objects below a prefix of a bucket."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""

    def __str__(self) -> str:
        return f"s3://{self.bucket.name}/{self.prefix}".rstrip("/")

    @property
    def where(self) -> tuple[str, str] | None:
        """Bucket and prefix."""
        return self.bucket.name, self.prefix

    def listing(self) -> dict[str, Stored]:
        return {
            found.key.removeprefix(self.prefix): Stored(found.size, f"{found.version_id} {found.etag}")
            for found in self.bucket.versions(self.prefix)
            if found.latest and not found.deleted
        }

    def chunks(self, name: str) -> Iterator[bytes]:
        return self.bucket.chunks(self.prefix + name)

    def write(self, name: str, stream: Readable) -> tuple[int, str]:
        self.bucket.abort_unfinished(self.prefix + name)
        done = self.bucket.upload(self.prefix + name, stream)
        return done.size, done.sha256


def store_at(location: str, s3: Mapping[str, Any]) -> Folder | Objects:
    """The place that ``location`` names."""
    if not location.startswith("s3://"):
        return Folder(Path(location).expanduser())
    found = _BUCKET.fullmatch(location)
    if not found:
        raise DumpStoreError(f"location is {location!r}, wanted a directory or s3://bucket/prefix. Write it so.")
    return Objects(Bucket(found["bucket"], s3), (found["prefix"] or "").strip("/"))
