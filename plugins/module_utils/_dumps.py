# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes dumps of a database and proves those that are there: what tenant_dump and pg_backup_verify with engine dump do."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Union

from ._backup_gate import Limits, judge_listed
from ._checkpoint import unaltered
from ._core import dumps as core
from ._core.checks import Check
from ._core.dumps import Dump, File, Told
from ._core.errors import ChangeError
from ._core.listed import catalogue
from ._core.proved import fact_of
from ._core.stored_files import Found, Stored, judge
from ._core.wal_window import NO_WINDOW
from ._io import pg_dump, postgres
from ._io.dump_files import read_file
from ._io.dump_store import Folder, Objects
from ._io.postgres import Server, connect
from ._io.side_by_side import side_by_side
from ._object_store import judge_place, needed_of_dumps, untold
from ._repository import Reading

Store = Union[Folder, Objects]  # noqa: UP007 - an alias is evaluated, and hosts may have Python 3.9


# -- taking ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Order:
    """What to dump, whereto, and how many finished dumps to keep; 0: all.

    With ``jobs`` in directory format, by so many processes, which takes a directory, ``scratch``, where ``store`` is none.
    """

    server: Server
    database: str
    store: Store
    keep: int = 0
    pg_bin: str | None = None
    jobs: int | None = None
    scratch: Folder | None = None


def take(order: Order, *, now: Callable[[], dt.datetime], check: bool) -> dict[str, Any]:
    """A dump that was read back to its end, then its manifest, then the removal of what is too many."""
    store, database = order.store, order.database
    with ExitStack() as until_done:
        with connect(order.server, database, read_only=True) as tenant:
            tools = pg_dump.find_bin(order.pg_bin, postgres.server_major(tenant))
            listed = store.listing()
            if check:
                names = [*listed, core.label_of(database, now()) + core.MANIFEST]
                return {"changed": True, "dump": None, "removed": _too_many(order, names)}
            began = now()
            label = core.label_of(database, began)
            if core.is_taken(listed, label):
                raise ChangeError(f"{store} has a dump {label} already: another run took it this second. Run it again.", code="BUSY")
            told = (database, postgres.system_id(tenant), str(postgres.server_major(tenant)), began)
            making = _OneFile(order, tools, label) if order.jobs is None else _Directory(order, tools, label, until_done)
            with postgres.snapshot(tenant) as snapshot:
                making.write(snapshot)
        taken = making.proved(lambda: (*told, now()))
    _finish(store, taken.label + core.MANIFEST, core.write_manifest(taken))
    removed = _too_many(order, store.listing())
    if isinstance(store, Folder):
        for one in removed:
            store.remove(one)
    return {"changed": True, "dump": core.document(taken), "removed": removed}


def _finish(store: Store, name: str, manifest: bytes) -> None:
    """Writes the manifest, and reads it back: only then there is a dump."""
    store.write(name, io.BytesIO(manifest))
    if b"".join(store.chunks(name)) != manifest:
        raise ChangeError(f"{store} has another {name} than was written. Look at the storage, and take it again.", code="CHECKSUM")


class _OneFile:
    """A dump in custom format: a stream from pg_dump to its place."""

    def __init__(self, order: Order, tools: Path, label: str) -> None:
        self._order, self._tools, self._name = order, tools, label + core.DUMP
        self._size, self._sha256 = 0, ""

    def write(self, snapshot: str) -> None:
        order = self._order
        with pg_dump.Dump(self._tools, order.server, order.database, snapshot=snapshot) as stream:
            self._size, self._sha256 = order.store.write(self._name, stream)

    def proved(self, told: Callable[[], Told]) -> Dump:
        chunks = unaltered(self._order.store.chunks(self._name), self._name, self._sha256)
        pg_dump.read_whole(self._tools, chunks, self._name, timeout_s=self._order.server.timeout_s)
        return Dump(*told(), self._size, self._sha256)


class _Directory:
    """A dump in directory format. It is made and read back beside its place, or in scratch, and then put there."""

    def __init__(self, order: Order, tools: Path, label: str, until_done: ExitStack) -> None:
        self._order, self._tools, self._name = order, tools, label + core.DIRECTORY
        self._home = _home(order)
        for left in core.unfinished(self._home.abandoned(), order.database) if order.scratch else ():
            self._home.remove(left)
        self._place = until_done.enter_context(self._home.directory(self._name))

    def write(self, snapshot: str) -> None:
        order = self._order
        pg_dump.dump_directory(self._tools, order.server, order.database, self._place, snapshot=snapshot, jobs=order.jobs or 1)

    def proved(self, told: Callable[[], Told]) -> Dump:
        part, store = self._place[0], self._order.store
        pg_dump.read_directory(self._tools, part, self._name, timeout_s=self._order.server.timeout_s)
        files = [File(f"{self._name}/{path.name}", *read_file(path)) for path in sorted(part.iterdir())]
        if store is self._home:
            self._home.settle(self._name)
            return core.of_directory(files, told())
        for file in files:
            with (part / file.name.rpartition("/")[2]).open("rb") as stream:
                store.write(file.name, stream)
            for _chunk in unaltered(store.chunks(file.name), file.name, file.sha256):
                pass
        return core.of_directory(files, told())


def _home(order: Order) -> Folder:
    home = order.scratch or order.store
    if not isinstance(home, Folder):  # the module sees to that
        raise TypeError("a dump in directory format into a bucket wants scratch")
    return home


def _too_many(order: Order, names: Iterable[str]) -> list[str]:
    if not isinstance(order.store, Folder):
        return []
    return [*core.unfinished(order.store.abandoned(), order.database), *core.surplus(names, order.database, order.keep)]


# -- proving -----------------------------------------------------------------------------------------------------------
def judge_dumps(store: Store, database: str, limits: Limits, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    """The checks, as far as dumps can keep ``limits``, and what the gate returns besides, as :func:`judge_repository` does."""
    try:
        return _judge_dumps(store, database, limits, now=now)
    except ChangeError as exc:
        return [untold("dumps", exc)], {"pitr_window": dict(NO_WINDOW), "backup": None, "wal": {}}


def _judge_dumps(store: Store, database: str, limits: Limits, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    stored = store.listing()
    papers, dumps = _manifests(store, database, stored)
    seen = [core.noted(dump, stored) for dump in dumps]
    reading = Reading(limits.memory, limits.rounds, time.monotonic() + (limits.checksums_s or 0), [papers, *seen])
    whole = {dump.label for dump, found in zip(dumps, seen, strict=True) if not (found.missing or found.short or found.extra)}
    checks, found = judge_listed(catalogue(f"{database} at {store}", list(map(core.listed, dumps))), whole, limits, now=now)
    checks = [core.without(check, papers.unreadable) for check in checks]
    checks.append(core.judge_finished(database, stored, now=now))
    checks += judge_place(limits.place, partial(needed_of_dumps, stored, database, limits.place, now))
    if limits.checksums_s is not None:
        _read(store, dumps, stored, reading)
        found["proved"] = reading.proved(whole=True)
    parts = reading.parts
    if any(part.missing or part.unreadable for part in parts):  # removed meanwhile, because so many only are kept
        still = store.listing()
        parts = [papers, *(part for dump, part in zip(dumps, seen, strict=True) if dump.label + core.MANIFEST in still)]
    if limits.checksums_s is not None:
        found["content"] = {part.name: part.told() for part in parts}
    return [*checks, *judge(parts)], found


def readable_dumps(store: Store, database: str) -> tuple[list[Dump], list[str]]:
    """The dumps of a database whose manifests are right, and the manifests that are not or cannot be read."""
    papers, dumps = _manifests(store, database, store.listing())
    return dumps, [*papers.corrupt, *papers.unreadable]


def _manifests(store: Store, database: str, stored: dict[str, Stored]) -> tuple[Found, list[Dump]]:
    """All that can be read, and what is wrong with the others."""
    found, dumps = Found("manifests"), []
    for label in core.labels(stored, database, core.MANIFEST):
        name = label + core.MANIFEST
        found.files += 1
        try:
            dumps.append(core.read_manifest(b"".join(store.chunks(name)), label))
            found.read += 1
        except ValueError:
            found.corrupt.append(name)
        except ChangeError:  # removed meanwhile, by whoever keeps so many only
            found.unreadable.append(name)
    if found.unreadable:
        still = store.listing()
        found.unreadable = [name for name in found.unreadable if name in still]
    return found, dumps


def _read(store: Store, dumps: list[Dump], stored: dict[str, Stored], reading: Reading) -> None:
    """Reads what was not proved yet, and a part of the rest, a file for each processor at a time."""
    due = [one for dump in dumps for one in _due(dump, stored, reading)]
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        hashes = side_by_side(pool, partial(_sha256, store, reading.until), [file.name for file, _fact, _part in due], at_once=workers)
        for (file, fact, part), seen in zip(due, hashes, strict=True):
            if seen is None:
                part.unreadable.append(file.name)
                continue
            part.read += 1
            part.read_bytes += file.size
            if seen == file.sha256:
                reading.facts.add(fact)
            else:
                part.corrupt.append(file.name)


def _due(dump: Dump, stored: dict[str, Stored], reading: Reading) -> Iterator[tuple[File, int, Found]]:
    """The files of a dump that have to be read. What the listing has shown to be wrong has not."""
    (part,) = (part for part in reading.parts if part.name == f"dump_{dump.label}")
    for file in dump.parts:
        if file.name in part.missing or file.name in part.short:
            continue
        fact = fact_of(file.name, *stored[file.name], file.sha256)
        if reading.memory and not reading.memory.is_due(fact, rounds=reading.rounds):
            reading.facts.add(fact)
            part.remembered += 1
        else:
            yield file, fact, part


def _sha256(store: Store, until: float, name: str) -> str | None:
    """None when it could not be read to its end in time."""
    seen = hashlib.sha256()
    try:
        for chunk in store.chunks(name):
            if time.monotonic() > until:
                return None
            seen.update(chunk)
    except ChangeError:
        return None
    return seen.hexdigest()
