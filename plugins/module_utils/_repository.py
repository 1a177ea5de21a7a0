# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the content of a pgBackRest repository: every document, every file of every backup, every archived segment."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest

from ._core.backup import Stanza
from ._core.facts import Gathered
from ._core.pgbackrest_content import Wanted, to_read
from ._core.pgbackrest_info import DamagedError, Manifest, manifest_of, read_info, segment_piece
from ._core.proved import Proved
from ._core.stored_files import Found, Stored
from ._io.pgbackrest_repository import Folder, Remote, check_all


@dataclass
class Reading:
    """What was proved before, and one in ``rounds`` of it is read again. After it: the parts, and what is proved now."""

    memory: Proved | None = None
    rounds: int = 1
    until: float = math.inf
    """On the monotonic clock. What was proved by then is remembered, so that the next run goes on."""
    parts: list[Found] = field(default_factory=list)
    facts: Gathered = field(default_factory=Gathered)
    refuted: Gathered = field(default_factory=Gathered)

    def new_part(self, name: str) -> Found:
        self.parts.append(Found(name))
        return self.parts[-1]

    def proved(self, *, whole: bool) -> Proved | None:
        """What is proved now. When not the whole was read, what was proved before holds for the rest."""
        if self.memory is None:
            return None
        return self.memory.turned(self.facts) if whole else self.memory.part_of_a_run(self.facts, self.refuted)


@dataclass
class Part:
    """A folder of a repository, and what its listing showed."""

    where: Folder | Remote
    folder: str
    stored: dict[str, Stored] = field(init=False)

    def __post_init__(self) -> None:
        self.stored = self.where.listing(self.folder)


def read_repository(where: Folder | Remote, catalogue: Stanza, repo: int, reading: Reading) -> None:
    """Adds what was found in one repository. UnreadableError where only pgBackRest can read it."""
    backups = [backup for backup in catalogue.backups if backup.repo == repo]
    labels = {backup.label for backup in backups}
    _documents(where, catalogue.name, reading.new_part(f"documents_{repo}"))
    for label in sorted(labels):
        _backup(where, f"backup/{catalogue.name}/{label}", labels, reading.new_part(f"backup_{label}"), reading)
    for archive_id in sorted({catalogue.archive_id(backup) for backup in backups}):
        _archive(where, f"archive/{catalogue.name}/{archive_id}", reading.new_part(f"wal_{archive_id}"), reading)


def _documents(where: Folder | Remote, stanza: str, found: Found) -> None:
    """What pgBackRest itself needs to find anything. Each has a copy, which is used when it is damaged, and then there is none left."""
    for path in (f"archive/{stanza}/archive.info", f"backup/{stanza}/backup.info"):
        for name in (path, f"{path}.copy"):
            with _noted(name, found):
                read_info(where.lines(name), name.rsplit("/", 1)[1])


@contextmanager
def _noted(path: str, found: Found) -> Iterator[None]:
    """Counts a document that is read, and notes what is wrong with it."""
    found.files += 1
    try:
        yield
        found.read += 1
    except FileNotFoundError:
        found.missing.append(path)
    except OSError:
        found.unreadable.append(path)
    except (DamagedError, UnicodeDecodeError):
        found.corrupt.append(path)


def _backup(where: Folder | Remote, folder: str, labels: Collection[str], found: Found, reading: Reading) -> None:
    manifest, label = None, folder.rsplit("/", 1)[1]
    path, copy = f"{folder}/backup.manifest", f"{folder}/backup.manifest.copy"
    with _noted(path, found):
        manifest = manifest_of(where.lines(path), label)
    with _noted(copy, found):
        if manifest is None or not _same(where, path, copy):  # what is the same is as whole
            manifest = manifest_of(where.lines(copy), label)
    if manifest:
        found.missing += sorted(manifest.references - set(labels))
        _read(Part(where, folder), _of_manifest(folder, manifest), found, reading)


def _same(where: Folder | Remote, path: str, copy: str) -> bool:
    return all(one == other for one, other in zip_longest(where.lines(path), where.lines(copy)))


def _of_manifest(folder: str, manifest: Manifest) -> list[Wanted]:
    return [Wanted(f"{folder}/{path}", manifest.codec, tuple(sorted(pieces))) for path, pieces in manifest.objects.items()]


def _archive(where: Folder | Remote, folder: str, found: Found, reading: Reading) -> None:
    """Segments are named after what they hold."""
    part, wanted = Part(where, folder), []
    for path in part.stored:
        if told := segment_piece(path.rsplit("/", 1)[-1]):
            piece, codec = told
            wanted.append(Wanted(path, codec, (piece,)))
    _read(part, wanted, found, reading)
    found.missing.clear()  # expired meanwhile: which segments there have to be, the continuity of the listing tells


def _read(part: Part, wanted: list[Wanted], found: Found, reading: Reading) -> None:
    facts, due = {}, []
    for one, fact in to_read(found, wanted, part.stored):
        if reading.memory and not reading.memory.is_due(fact, rounds=reading.rounds):
            reading.facts.add(fact)
            found.remembered += 1
        else:
            facts[one.path] = fact
            due.append(one)
    for path, wrong, size in check_all(part.where, due, [part.stored[one.path].size for one in due]):
        found.read_bytes += size
        if wrong is None:
            found.unreadable.append(path)
            continue
        found.read += 1
        found.corrupt += [f"{path}: {name}" if "/bundle/" in path else path for name in wrong]
        (reading.refuted if wrong else reading.facts).add(facts[path])
        if time.monotonic() > reading.until:
            raise TimeoutError(found.name)
    if found.unreadable:  # expired meanwhile, or taken away
        still = part.where.listing(part.folder)
        found.missing += [path for path in found.unreadable if path not in still]
        found.unreadable = [path for path in found.unreadable if path in still]
