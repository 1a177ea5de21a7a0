# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves what Barman keeps of one server: what pg_backup_verify does with engine barman."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ._backup_gate import Limits, document_of, promised
from ._basebackup import BaseBackup, noted, read, unprovable
from ._core import barman as core
from ._core.backup import Stanza, judge_catalogue
from ._core.basebackup import NAME, read_manifest
from ._core.checks import Check, unknown
from ._core.proved import fact_of
from ._core.stored_files import Found, judge
from ._core.wal import parse_segment
from ._core.wal_records import DamagedWalError, Origin, Walk, cut, origin
from ._core.wal_window import NO_WINDOW, history_needed, judge_wal
from ._io.barman_files import Server, UnreadError, segment
from ._io.basebackup_files import files_of, note, readable
from ._io.checksums import crc32c
from ._repository import Reading

LATE_S = 36 * 3600
"""A backup that has not ended after so long has failed, whatever its document says."""


def judge_barman(location: Path, limits: Limits, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    """The checks, and what the gate returns besides, as :func:`judge_repository` does."""
    with readable(location):
        return _judged(Server(location.expanduser()), limits, now=now)


def _judged(server: Server, limits: Limits, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    papers = Found("documents")
    infos = server.infos(papers)
    catalogue = core.stanza(f"{server.home.name} of Barman", infos)
    found: dict[str, Any] = {"pitr_window": dict(NO_WINDOW), "backup": None, "wal": {}}
    present = {backup.label for backup in catalogue.backups if server.data(backup.label).is_dir()}
    checks = [core.judge_ended(infos, now=now, late_s=LATE_S)]
    checks += judge_catalogue(catalogue, now=now, max_age_s=limits.max_age_s, present=present, expect=limits.expect)
    newest = catalogue.newest()
    if newest:
        found["backup"] = document_of(catalogue, newest)
        archive, _files = server.wal()
        timeline = history_needed(archive, newest)
        history = server.history(timeline) if timeline else None
        wal = judge_wal(catalogue, archive, history, now=now, max_wal_age_s=limits.max_wal_age_s, whole_window=limits.whole_window)
        found.update(pitr_window=wal.window, wal=wal.seen)
        listed = server.listed_wal()
        checks += [*wal.checks, *([] if listed is None else [core.judge_listed_wal(listed, archive, now=now)])]
        checks += promised(catalogue, limits, wal.window, now=now)
    reading = Reading(limits.memory, limits.rounds, time.monotonic() + (limits.checksums_s or 0), [papers])
    if limits.checksums_s is not None:
        checks += _read_backups(server, catalogue, {info.label: info for info in infos}, reading)
        checks += _read_archive(server, reading.new_part("wal"), reading)
        found["proved"] = reading.proved(whole=True)
    there = server.labels()  # some were deleted meanwhile, by Barman's retention
    parts = [part for part in reading.parts if not part.name.startswith("backup_") or part.name.removeprefix("backup_") in there]
    if limits.checksums_s is not None:
        found["content"] = {part.name: part.told() for part in parts}
    return [*checks, *judge(parts)], found


def _read_backups(server: Server, catalogue: Stanza, infos: Mapping[str, core.Info], reading: Reading) -> list[Check]:
    """Each by the manifest that PostgreSQL wrote, or Barman's ``generate-manifest``."""
    bare, backups = [], []
    for one in catalogue.backups:
        home, found = server.data(one.label), reading.new_part(f"backup_{one.label}")
        try:
            backup = BaseBackup(one.label, files_of(home), read_manifest((home / NAME).read_bytes()), archived=True)
        except FileNotFoundError:
            if home.exists():  # else Barman's retention has just deleted it
                bare.append(one.label)
            continue
        except OSError:
            found.unreadable.append(NAME)
            continue
        except ValueError:
            found.corrupt.append(NAME)
            continue
        backup.content = found
        if any(core.differs(infos[one.label], part.timeline, part.start) for part in backup.manifest.ranges[:1]):
            found.corrupt.append("backup.info")
        backups.append(backup)
        read(backup, noted(backup), reading)
    if not bare:
        return unprovable(backups)
    hint = "Run barman generate-manifest for them, at once after each backup, or set backup_method to postgres."
    return [*unprovable(backups), unknown("backup_manifests", f"without a manifest: {', '.join(bare)}", hint=hint, code="TOOL")]


# -- the archive -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _File:
    name: str
    path: Path
    timeline: int
    number: int
    fact: int


def _read_archive(server: Server, found: Found, reading: Reading) -> list[Check]:
    """Every record of every segment that is due. One that runs on into the next segment is followed there."""
    unread: Counter[str] = Counter()
    files = _files(server, found, unread)
    found.files = len(files)
    due = []
    for file in files:
        if reading.memory is None or reading.memory.is_due(file.fact, rounds=reading.rounds):
            due.append(file)
        else:
            reading.facts.add(file.fact)
            found.remembered += 1
    known = {(file.timeline, file.number): file for file in files}
    for file in due:
        if time.monotonic() > reading.until:
            found.unreadable.append(file.name)
            continue
        after = known.get((file.timeline, file.number + 1))
        try:
            found.read_bytes += _prove(file, after)
        except DamagedWalError as exc:
            found.corrupt.append(f"{file.name}: {exc}")
        except FileNotFoundError:
            continue  # Barman's retention: which segments there have to be, the continuity of the listing tells
        except UnreadError as exc:
            unread[exc.codec] += 1
            continue
        except OSError as exc:
            note(exc, file.name, found)
        else:
            reading.facts.add(file.fact)
        found.read += 1
    return core.judge_unread(unread)


def _files(server: Server, found: Found, unread: Counter[str]) -> list[_File]:
    """The segments in their order; those whose names cannot be understood are noted."""
    _archive, stored = server.wal()
    size, files = None, []
    for name, (path, seen) in sorted(stored.items()):
        try:
            size = size or origin(next(segment(path), b"")).segment
            place = parse_segment(name, size)
        except ValueError as exc:
            found.corrupt.append(f"{name}: {exc}")
            continue
        except UnreadError as exc:
            unread[exc.codec] += 1
            continue
        except OSError as exc:
            note(exc, name, found)
            continue
        files.append(_File(name, path, place.timeline, place.number, fact_of(name, *seen)))
    return files


def _prove(file: _File, after: _File | None) -> int:
    """The bytes that were read. DamagedWalError or OSError when a record that begins in the file is not right."""
    pages, of = _pages(file)
    begin = file.number * of.segment
    walk, address = Walk(file.timeline, begin, begin + of.segment, of, crc32c()), begin
    for page in pages:
        walk.page(address, page)
        address += len(page)
    if address - begin != of.segment:
        raise DamagedWalError(f"it has {address - begin} bytes, wanted {of.segment}")
    if not walk.done and after:
        rest = _pages(after)[0]
        for page in rest:
            walk.page(address, page)
            address += len(page)
            if walk.done:
                break
    return of.segment


def _pages(file: _File) -> tuple[Iterator[bytes], Origin]:
    chunks = segment(file.path)
    first = next(chunks, b"")
    of = origin(first)
    return cut(chain([first], chunks), of.page), of
