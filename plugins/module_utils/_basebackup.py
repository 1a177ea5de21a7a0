# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holds one base backup against the manifest that PostgreSQL wrote with it: its files, its archives, and the WAL in it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from ._core import basebackup as core
from ._core.basebackup import WAL, Manifest
from ._core.checks import Check, unknown
from ._core.listed import Listed
from ._core.proved import fact_of
from ._core.stored_files import KINDS, Found
from ._core.wal_records import DamagedWalError, Origin, Proof, lsn, origin
from ._io.basebackup_files import SEGMENT, Files, Plain, Tar, note, prefix_of
from ._io.checksums import checksum, crc32c
from ._io.side_by_side import side_by_side
from ._repository import Reading


@dataclass
class BaseBackup:
    """One that has a manifest. ``content`` and ``wal`` are what is wrong with it; ``archived``: its WAL lies elsewhere."""

    label: str
    files: Files
    manifest: Manifest
    of: Origin | None = None
    archived: bool = False
    content: Found = field(init=False)
    wal: Found = field(init=False)

    def __post_init__(self) -> None:
        self.content, self.wal = Found(f"basebackup_{self.label}"), Found(f"wal_{self.label}")

    def listed(self) -> Listed:
        """When it ended nobody wrote down; it holds nothing that was there before it began."""
        began, ranges = self.manifest.began, self.manifest.ranges
        system_id = self.manifest.system_id or (self.of.system_id if self.of else "")
        ends = (lsn(ranges[0].start), lsn(ranges[-1].end)) if ranges else ("", "")
        return Listed(self.label, began, began, self.manifest.size, system_id, self.of.version if self.of else "", ends)


def unprovable(backups: list[BaseBackup]) -> list[Check]:
    """What a manifest does not tell, so that nobody can know."""
    bare = [one.label for one in backups if one.manifest.unproved]
    partial_ones = [one.label for one in backups if core.needs_parent(one.manifest)]
    checks = []
    if bare:
        hint = "Take them with --manifest-checksums=crc32c or sha256."
        checks.append(unknown("backup_checksums", f"no checksums: {', '.join(bare)}", hint=hint, code="TOOL"))
    if partial_ones:
        hint = "Put them together with pg_combinebackup, and have the result verified."
        checks.append(unknown("backup_whole", f"incremental ones: {', '.join(partial_ones)}", hint=hint, code="TOOL"))
    return checks


def noted(backup: BaseBackup) -> list[str]:
    """What the listing shows, and which files are left to read."""
    if isinstance(backup.files, Plain):
        return core.noted(backup.manifest, backup.files.listing(), backup.content)
    there = list(backup.files.archives())
    prefixes = [prefix_of(name) for name in there]
    spaces = {"/".join(path.split("/")[:2]) + "/" for path in backup.manifest.files if path.startswith("pg_tblspc/")}
    backup.content.missing += [f"{prefix.split('/')[-2] if prefix else 'base'}.tar" for prefix in sorted({"", *spaces} - {*prefixes})]
    backup.content.extra += [name for name, prefix in zip(there, prefixes, strict=True) if prefixes.count(prefix) > 1]
    return there


class _Wal:
    """The segments of a backup, as they come."""

    def __init__(self, backup: BaseBackup) -> None:
        self.ranges, self.found, self.seen = backup.manifest.ranges, backup.wal, set[str]()
        self.proof: Proof | None = None

    def needed(self) -> list[str]:
        return sorted({name for one in self.ranges for name in one.segments(self.proof.of.segment)}) if self.proof else []

    def take(self, name: str, chunks: Iterator[bytes]) -> int:
        """Proves a segment, and returns how many bytes it has that were read."""
        first = next(chunks, b"")
        read = len(first)
        try:
            self.proof = self.proof or Proof(self.ranges, origin(first), crc32c())
        except DamagedWalError:
            self.found.corrupt.append(name)
            return read
        if name not in self.needed():
            return read

        def counted() -> Iterator[bytes]:
            nonlocal read
            yield first
            for chunk in chunks:
                read += len(chunk)
                yield chunk

        self.seen.add(name)
        self.found.read += 1
        if why := self.proof.file(name, counted()):
            self.found.corrupt.append(f"{name}: {why}")
        return read

    def end(self) -> None:
        """Notes what is not there."""
        if not self.ranges:
            self.found.missing.append("WAL in the manifest: it does not tell which is needed")
        elif not self.proof and not self.found.corrupt:
            self.found.missing.append("all WAL: take the backup with --wal-method=stream")
        self.found.files += len(self.needed())
        noted_already = {*self.seen, *self.found.corrupt, *self.found.unreadable}
        self.found.missing += [name for name in self.needed() if name not in noted_already]
        whole = not any(getattr(self.found, kind) for kind in KINDS)
        if self.proof and whole and not all(walk.done for walk in self.proof.walks):
            self.found.corrupt.append(f"{self.needed()[-1]}: it ends before the backup does")


def read(backup: BaseBackup, due: list[str], reading: Reading) -> None:
    if isinstance(backup.files, Plain):
        _read_plain(backup, backup.files, due, reading)
    elif not (backup.content.missing or backup.content.extra):
        _read_tar(backup, backup.files, reading)


def _is_due(fact: int, reading: Reading, part: Found, files: int = 1) -> bool:
    """Counts as remembered what is not."""
    if reading.memory is None or reading.memory.is_due(fact, rounds=reading.rounds):
        return True
    reading.facts.add(fact)
    part.remembered += files
    return False


def _read_plain(backup: BaseBackup, files: Plain, due: list[str], reading: Reading) -> None:
    stored, found, wanted = files.listing(), backup.content, backup.manifest.files
    found.missing += [path for path in due if path not in stored]
    facts = {path: fact_of(backup.label, path, *stored[path], *wanted[path]) for path in due if path in stored}
    chosen = [path for path, fact in facts.items() if _is_due(fact, reading, found)]
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        hashes = side_by_side(pool, partial(_hashed, files, backup.manifest, reading.until), chosen, at_once=2 * workers)
        for path, seen in zip(chosen, hashes, strict=True):
            if seen is None:
                found.unreadable.append(path)
                continue
            found.read += 1
            found.read_bytes += wanted[path].size
            if seen == wanted[path].checksum:
                reading.facts.add(facts[path])
            else:
                found.corrupt.append(path)
    if backup.archived:
        return
    names = files.wal()
    fact = fact_of(backup.label, backup.manifest.ranges, [(name, *stored.get(WAL + name, ())) for name in names])
    if _is_due(fact, reading, backup.wal, len(names)):
        wal = _Wal(backup)
        for name in names:
            try:
                backup.wal.read_bytes += wal.take(name, files.chunks(WAL + name))
            except OSError as exc:
                note(exc, name, backup.wal)
        wal.end()
        if not (backup.wal.missing or backup.wal.corrupt or backup.wal.unreadable):
            reading.facts.add(fact)


def _hashed(files: Plain, manifest: Manifest, until: float, path: str) -> str | None:
    """None when it could not be read to its end in time."""
    algorithm = manifest.files[path].algorithm
    if not algorithm:
        return ""
    seen = checksum(algorithm)
    try:
        for chunk in files.chunks(path):
            if time.monotonic() > until:
                return None
            seen.update(chunk)
    except OSError:
        return None
    return str(seen.hexdigest())


class _Members:
    """The files of a backup, as they come out of its archives; ``left`` are still to come."""

    def __init__(self, backup: BaseBackup) -> None:
        self.backup, self.wal, self.left = backup, _Wal(backup), core.expected(backup.manifest)

    def take(self, path: str, size: int, chunks: Iterator[bytes]) -> None:
        if path.startswith(WAL) and SEGMENT.fullmatch(path.removeprefix(WAL)):
            self.backup.wal.read_bytes += self.wal.take(path.removeprefix(WAL), chunks)
        elif wanted := self.left.pop(path, None):
            _hold_against(wanted, path, size, chunks, self.backup.content)
        elif core.is_judged(path):
            self.backup.content.extra.append(path)

    def end(self) -> None:
        if not self.backup.archived:
            self.wal.end()
        self.backup.content.missing += sorted(self.left)


def _read_tar(backup: BaseBackup, files: Tar, reading: Reading) -> None:
    """All archives, or none: what is damaged in one of them makes the backup worthless."""
    found, wanted = backup.content, core.expected(backup.manifest)
    archives = files.archives()
    fact = fact_of(backup.label, sorted(archives.items()), backup.manifest.ranges, sorted(wanted.items()))
    found.files += len(wanted)
    if not _is_due(fact, reading, found, len(wanted)):
        return
    members = _Members(backup)
    for name in sorted(archives, key=lambda name: (prefix_of(name) == WAL, name)):
        try:
            for path, size, chunks in files.members(name):
                if time.monotonic() > reading.until:
                    found.unreadable.append(name)
                    return
                members.take(path, size, chunks)
        except OSError as exc:
            note(exc, name, found)
    members.end()
    if not any(getattr(part, kind) for part in (found, backup.wal) for kind in KINDS):
        reading.facts.add(fact)


def _hold_against(wanted: core.File, path: str, size: int, chunks: Iterator[bytes], found: Found) -> None:
    found.read += 1
    found.read_bytes += size
    seen = checksum(wanted.algorithm) if wanted.algorithm else None
    for chunk in chunks if seen else ():
        seen.update(chunk)
    if size != wanted.size:
        found.short.append(path)
    elif seen and seen.hexdigest() != wanted.checksum:
        found.corrupt.append(path)
