# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The memory of a gate in a file or in a bucket. One that cannot be trusted is as good as none: then everything is read again."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from .._core.errors import ChangeError
from .._core.proved import Proved, decode, encode
from .object_store import Stored, StoreError
from .object_store_s3 import S3Store, open_bucket
from .whole_file import write_whole

BUCKET = "s3://"


class Place(Protocol):
    """Where one memory lies."""

    def load(self, subject: str) -> tuple[Proved, str]:
        """The memory, and why it begins anew ("" when it does not). ChangeError when it cannot be read."""

    def save(self, proved: Proved, *, at: dt.datetime) -> str:
        """Puts the whole memory in its place in one step, and returns why it could not ("" when it did)."""


class InFile:
    """A file of this host."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, subject: str) -> tuple[Proved, str]:
        """ChangeError also when it could not be written afterwards: better now than after hours of reading."""
        path = self._path
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise ChangeError(
                f"state is {path}, and {path.parent} is no directory in which this user may write. Make it, or run the task as its owner.",
                code="STATE",
            )
        try:
            return _trusted(path.read_bytes(), subject, str(path))
        except FileNotFoundError:
            return Proved(subject), ""
        except OSError as exc:
            raise ChangeError(f"state is {path}, which cannot be read: {exc.strerror}. Run the task as its owner.", code="STATE") from exc

    def save(self, proved: Proved, *, at: dt.datetime) -> str:
        try:
            write_whole(self._path, encode(proved, at=at))
        except OSError as exc:
            return str(exc.strerror)
        return ""


class InBucket:
    """An object. It is replaced only if it still is the one that was read: two runs at once never mix what they have proved."""

    def __init__(self, location: str, options: Mapping[str, Any]) -> None:
        place, _slash, self._key = location.removeprefix(BUCKET).rpartition("/")
        if not place or not self._key:
            raise ChangeError(f"state is {location}, wanted s3://bucket/name. Say how the object is to be called.", code="STATE")
        self._location, self._before = location, ""
        self._store: S3Store = _told(lambda: open_bucket(f"{BUCKET}{place}", options, what="state"))

    def load(self, subject: str) -> tuple[Proved, str]:
        stored: Stored | None = _told(lambda: self._store.get(self._key))
        if stored is None:
            return Proved(subject), ""
        self._before = stored.etag
        return _trusted(stored.data, subject, self._location)

    def save(self, proved: Proved, *, at: dt.datetime) -> str:
        data = encode(proved, at=at)
        try:
            written = self._store.put_if(self._key, data, self._before) if self._before else self._store.put_new(self._key, data)
            if not written and not self._is_there(data):
                return "another run has written it since this one began; what that one has proved stays"
            return "" if self._before else self._kept_apart()
        except StoreError as exc:
            return str(exc)

    def _is_there(self, data: bytes) -> bool:
        """After a refusal: whether the answer to a write that was done got lost, and the same write was refused then."""
        now = self._store.get(self._key)
        return now is not None and now.data == data

    def _kept_apart(self) -> str:
        """A store that ignores conditions would let one run undo what another has found, so nothing is remembered there."""
        stored = self._store.get(self._key)
        try:
            if stored is not None:
                self._store.prove_conditions(self._key, stored)
        except StoreError:
            self._store.delete(self._key)
            return "this store ignores the conditions of a put, so two runs at once could undo what one has found. Use another, or a file"
        return ""


def place_of(state: str, options: Mapping[str, Any]) -> Place:
    """The place that the option ``state`` names. Nothing is read yet."""
    return InBucket(state, options) if state.startswith(BUCKET) else InFile(Path(state).expanduser())


def _trusted(data: bytes, subject: str, place: str) -> tuple[Proved, str]:
    try:
        return decode(data, subject), ""
    except ValueError as exc:
        return Proved(subject), f"the memory in {place} is not used, because {exc}: everything is read again"


def _told(work: Any) -> Any:
    """StoreError as what is wrong with the option."""
    try:
        return work()
    except StoreError as exc:
        raise ChangeError(f"{exc}.", code="STATE") from exc
