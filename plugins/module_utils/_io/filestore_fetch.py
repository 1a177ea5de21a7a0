# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings the files that a restored database names out of a filestore, and hashes them on the way.

What was deleted after the instant of the restore has an older version in a bucket. A file is called after its content, so that any
version that hashes to its name is the right one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .._core import filestore
from .._core.filestore import Found, Named, Stored
from .filestore_folder import Folder
from .s3 import Bucket, S3Error
from .side_by_side import side_by_side

AT_ONCE = 8
_CHUNK = 1 << 20


class FolderSource(Folder):
    """A directory that Odoo uses."""

    def chunks_of(self, name: str) -> Iterator[bytes]:
        with (self.path / name).open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")


class BucketSource(Bucket):
    """One prefix of a bucket, with what delete markers hide."""

    def __init__(self, name: str, prefix: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        self._prefix = f"{prefix.strip('/')}/"
        self._version: dict[str, str] = {}

    def listing(self) -> dict[str, Stored]:
        """Each name's newest version that is an object."""
        found: dict[str, Stored] = {}
        for one in self.versions(self._prefix):
            name = one.key[len(self._prefix) :]
            if not one.deleted and name not in found:  # a key's versions come newest first
                found[name] = Stored(one.size, 0.0)
                self._version[name] = one.version_id
        return found

    def chunks_of(self, name: str) -> Iterator[bytes]:
        return self.chunks(self._prefix + name, self._version.get(name))


def source(given: Mapping[str, Any], database: str) -> FolderSource | BucketSource:
    """The option ``filestore``; ChangeError when there is nothing that can be read."""
    if given["path"]:
        return FolderSource(given["path"])
    return BucketSource(given["bucket"], given["prefix"] or database, given["s3"] or {})


def fetch(named: Mapping[str, Named], store: FolderSource | BucketSource, into: Path) -> Found:
    """Writes the files below ``into``; those that are not there, cannot be read, or are not what they should be are told."""
    found, suspects = filestore.compare(named, store.listing(), before=0)
    found.missing = suspects.absent
    names = filestore.to_read(named, found, suspects, due=set(named))
    for folder in {name.rpartition("/")[0] for name in names}:
        (into / folder).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, sha1 in side_by_side(pool, _fetching(store, into), names, at_once=AT_ONCE * 4):
            if sha1 is None:
                found.unreadable.append(name)
                continue
            found.read += 1
            if sha1 != filestore.sha1_of(name, named[name]):
                found.corrupt.append(name)
    return found


def _fetching(store: FolderSource | BucketSource, into: Path) -> Callable[[str], tuple[str, str | None]]:
    def one(name: str) -> tuple[str, str | None]:
        hashing = hashlib.sha1(usedforsecurity=False)
        try:
            with (into / name).open("wb") as file:
                for chunk in store.chunks_of(name):
                    hashing.update(chunk)
                    file.write(chunk)
        except (OSError, S3Error):
            return name, None
        return name, hashing.hexdigest()

    return one


def names_of(rows: Sequence[Sequence[str]]) -> dict[str, Named]:
    """The rows of ``SELECT store_fname, file_size, checksum``, as psql prints them."""
    return {row[0]: Named(int(row[1]) if row[1] else None, row[2] or None) for row in rows}
