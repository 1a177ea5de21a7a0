# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a ledger's objects lie: the small port, and the folder behind it. The bucket is in object_store_s3.py."""
# ruff: noqa: PTH103, PTH105, PTH108, PTH112, PTH119, PTH120 - an append makes a dozen paths; with pathlib they cost more than its signatures

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError

READ_BYTES = 1 << 20


class StoreError(ChangeError):
    """A store that does not answer or does not do what is asked."""


@dataclass(frozen=True)
class Stored:
    """An object's bytes and the tag that put_if compares."""

    data: bytes
    etag: str


class ObjectStore(Protocol):
    """All that a ledger needs. Each write is whole or not at all, also when the writer is killed."""

    name: str
    remote: bool

    def put_new(self, key: str, data: bytes, *, keep: bool = False) -> bool:
        """Writes an object that must not exist; False when it does. ``keep``: under object lock where there is one."""

    def put_if(self, key: str, data: bytes, etag: str) -> bool:
        """Replaces an object that must still have this tag; False when it has not."""

    def get(self, key: str) -> Stored | None: ...

    def list(self, prefix: str) -> list[str]:
        """All keys that begin with the prefix, in order."""

    def delete(self, key: str) -> None: ...

    def written_at(self, key: str) -> dt.datetime | None:
        """When the object was written, by the store's own clock; None when it is not there."""

    def prove_conditions(self, key: str, stored: Stored) -> None:
        """StoreError when the store does not keep its conditions (then two writers could fork a chain)."""


class DirectoryStore:
    """A folder. Conditions hold under a lock that the kernel frees when its owner dies."""

    remote = False

    def __init__(self, root: str | Path, *, what: str = "ledger") -> None:
        self._what = what
        self.root = Path(root)
        self.name = str(self.root)

    def put_new(self, key: str, data: bytes, *, keep: bool = False) -> bool:  # noqa: ARG002 - files have no lock
        path = self._path(key)
        with self._told("write", path), self._locked():
            if os.path.lexists(path):
                return False
            self._make_folder(os.path.dirname(path))
            part = _write_part(path, data)
            try:
                # link() refuses an existing name even where the lock means nothing (some network file systems)
                os.link(part, path)
            except FileExistsError:
                return False
            finally:
                os.unlink(part)
            _sync_folder(os.path.dirname(path))
        return True

    def put_if(self, key: str, data: bytes, etag: str) -> bool:
        path = self._path(key)
        with self._told("write", path), self._locked():
            now = self.get(key)
            if now is None or now.etag != etag:
                return False
            os.replace(_write_part(path, data), path)
            _sync_folder(os.path.dirname(path))
        return True

    def get(self, key: str) -> Stored | None:
        path = self._path(key)
        try:
            data = _read(path)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise self._failed("read", path, exc) from exc
        return Stored(data, hashlib.sha256(data).hexdigest())

    def list(self, prefix: str) -> list[str]:
        folder = prefix[: prefix.rfind("/") + 1]
        with self._told("read", self._path(folder)):
            return sorted(key for key in self._walk(folder) if key.startswith(prefix))

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._told("delete", path), self._locked():
            Path(path).unlink(missing_ok=True)

    def written_at(self, key: str) -> dt.datetime | None:
        path = self._path(key)
        with self._told("read", path):
            try:
                return dt.datetime.fromtimestamp(Path(path).stat().st_mtime, dt.timezone.utc)
            except FileNotFoundError:
                return None

    def prove_conditions(self, key: str, stored: Stored) -> None:
        """The file system keeps them."""

    def _path(self, key: str) -> str:
        return f"{self.name}/{key}"

    def _walk(self, folder: str) -> Iterator[str]:
        """Keys below a folder (empty, or ending in a slash); parts and the lock begin with a dot."""
        try:
            entries = list(os.scandir(self._path(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from self._walk(f"{folder}{entry.name}/")
            else:
                yield folder + entry.name

    def _make_folder(self, folder: str) -> None:
        """A folder below the root whose name in the root is safe on disk, too."""
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
            _sync_folder(self.name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Both locks have to be free: the file .lock works on network file systems, too, but somebody may remove it."""
        try:
            fd = os.open(self._path(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            os.makedirs(self.name, exist_ok=True)
            fd = os.open(self._path(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        folder = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            # NFS wants a descriptor for writing, which a folder has not
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
            os.close(fd)

    @contextmanager
    def _told(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise self._failed(verb, path, exc) from exc

    def _failed(self, verb: str, path: str, exc: OSError) -> StoreError:
        why = f"cannot {verb} {os.path.basename(path)}: {exc.strerror}"
        return StoreError(f"{self._what} folder {self.root}: {why}. Check the path, its owner and the free space")


def _read(path: str) -> bytes:
    """The bytes of a file. Whatever else was put in its place (a pipe would wait for ever) is an OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", path)
        data = os.read(fd, about.st_size + 1)
        while len(data) != about.st_size and (more := os.read(fd, READ_BYTES)):
            data += more
        return data
    finally:
        os.close(fd)


def _write_part(path: str, data: bytes) -> str:
    """The bytes, safe on disk under a name of their own. The name is fixed, so a killed writer's part is written over."""
    folder, name = os.path.split(path)
    part = f"{folder}/.{name}.part"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    return part


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
