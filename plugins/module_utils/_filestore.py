# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holds a filestore against its database: asks both, lets ``_core/filestore.py`` decide, and asks again where users may have worked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ._core import filestore
from ._core.filestore import Found, Named, Stored, Suspects
from ._core.proved import Proved, fact_of
from ._io import attachments


class Store(Protocol):
    """A directory or a bucket."""

    def listing(self) -> dict[str, Stored]: ...
    def has(self, name: str) -> bool: ...
    def digests(self, names: Sequence[str]) -> Iterator[tuple[str, str | None]]: ...


@dataclass(frozen=True)
class Depth:
    """What to read: nothing but what looks odd, or what is not proved yet and one in ``rounds`` of the rest. All is one in 1."""

    memory: Proved | None = None
    rounds: int = 1


def compare(database: Any, store: Store, depth: Depth, *, before: float) -> tuple[Found, Proved | None]:
    """What is not as it should be, and what is proved now, where there is a memory.

    ``database`` is a connection; what came to the store after ``before`` is not called orphaned.
    """
    # the database first: a file is there before the row that names it
    named = attachments.named_files(database)
    stored = store.listing()
    found, suspects = filestore.compare(named, stored, before=before)
    unlisted = _absent(database, store, found, suspects, stored)
    suspects = suspects._replace(absent=[name for name in suspects.absent if name not in unlisted])
    extra = suspects.extra
    found.orphaned = sorted(set(extra) - attachments.still_named(database, extra))
    found.orphaned_bytes = sum(stored[name].size for name in found.orphaned)
    memory = depth.memory
    facts = {name: fact_of(name, *stored[name]) for name in named.keys() & stored.keys()} if memory else {}
    due = {name for name, fact in facts.items() if memory and memory.is_due(fact, rounds=depth.rounds)}
    names = filestore.to_read(named, found, suspects, due=due | unlisted)
    right = _read(database, store, found, names, named)
    found.remembered = len(facts) - len(due)
    if memory is None:
        return found, None
    return found, memory.after(facts, read=facts.keys() & set(names), right=facts.keys() & set(right))


def _absent(database: Any, store: Store, found: Found, suspects: Suspects, stored: Mapping[str, Stored]) -> set[str]:
    """Notes what is missing. Returns what is there and was not listed: nothing is known of it, not even its size."""
    still = attachments.still_named(database, suspects.absent)
    unlisted = {name for name in suspects.absent if name in still and store.has(name)}
    found.missing = [name for name in suspects.absent if name in still and name not in unlisted]
    found.deleted = [name for name in found.missing if name in stored]
    return unlisted


def _read(database: Any, store: Store, found: Found, names: Sequence[str], named: Mapping[str, Named]) -> Collection[str]:
    """Hashes the files, and returns those that are right. One that is gone by now is missing, unless nobody names it any more."""
    failed, right = [], []
    for name, sha1 in store.digests(names):
        if sha1 is None:
            failed.append(name)
            continue
        found.read += 1
        (right if sha1 == filestore.sha1_of(name, named[name]) else found.corrupt).append(name)
    for name in sorted(attachments.still_named(database, failed)):
        (found.unreadable if store.has(name) else found.missing).append(name)
    found.corrupt.sort()
    return right
