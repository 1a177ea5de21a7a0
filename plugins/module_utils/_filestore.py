# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holds a filestore against its database: asks both, lets ``_core/filestore.py`` decide, and asks again where users may have worked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ._core import filestore
from ._core.filestore import Found, Named, Stored, Suspects
from ._io import attachments


class Store(Protocol):
    """A directory or a bucket."""

    def listing(self) -> dict[str, Stored]: ...
    def has(self, name: str) -> bool: ...
    def digests(self, names: Sequence[str]) -> Iterator[tuple[str, str | None]]: ...


def compare(database: Any, store: Store, *, deep: bool, before: float) -> Found:
    """What is not as it should be. ``database`` is a connection; what came to the store after ``before`` is not called orphaned."""
    # the database first: a file is there before the row that names it
    named = attachments.named_files(database)
    stored = store.listing()
    found, suspects = filestore.compare(named, stored, before=before)
    _absent(database, store, found, suspects, stored)
    extra = suspects.extra
    found.orphaned = sorted(set(extra) - attachments.still_named(database, extra))
    found.orphaned_bytes = sum(stored[name].size for name in found.orphaned)
    _read(database, store, found, filestore.to_read(named, found, suspects, deep=deep), named)
    return found


def _absent(database: Any, store: Store, found: Found, suspects: Suspects, stored: Mapping[str, Stored]) -> None:
    still = attachments.still_named(database, suspects.absent)
    found.missing = [name for name in suspects.absent if name in still and not store.has(name)]
    found.deleted = [name for name in found.missing if name in stored]


def _read(database: Any, store: Store, found: Found, names: Sequence[str], named: Mapping[str, Named]) -> None:
    """Hashes the files. One that is gone by now is missing, unless nobody names it any more."""
    failed = []
    for name, sha1 in store.digests(names):
        if sha1 is None:
            failed.append(name)
            continue
        found.read += 1
        if sha1 != filestore.sha1_of(name, named[name]):
            found.corrupt.append(name)
    for name in sorted(attachments.still_named(database, failed)):
        (found.unreadable if store.has(name) else found.missing).append(name)
    found.corrupt.sort()
