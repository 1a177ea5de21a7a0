# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of the deleted objects of a place a restore still needs: whoever expires old backups deletes objects as well."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping

from . import dumps
from .wal_window import Lacking

DAY_S = 86_400
_MANIFESTS = ("backup.manifest", "backup.manifest.copy")
_SEGMENT = re.compile(r"(?:[0-9A-F]{16}/)?(?P<name>[0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?")
_HISTORY = re.compile(r"(?P<timeline>[0-9A-F]{8})\.history")


def of_backups(deleted: Iterable[str], stanza: str, labels: Collection[str]) -> dict[str, list[str]]:
    """The deleted files of retained backups, by label, as a manifest names them."""
    found: dict[str, list[str]] = {}
    start = f"backup/{stanza}/"
    for name in (name.removeprefix(start) for name in deleted if name.startswith(start)):
        label, _slash, file = name.partition("/")
        if file and label in labels:
            found.setdefault(label, []).append(file)
    return found


def in_repository(
    deleted: Mapping[str, float],
    stanza: str,
    named: Mapping[str, Collection[str] | None],
    wal: Mapping[str, Lacking | None],
    *,
    timeline: int,
) -> list[str]:
    """What a repository lacks. ``deleted``: with when each was written; ``named``: for each retained backup with deleted files, those of
    its manifest (None: it cannot be read, so all count); ``wal``: by archive, what continuity found; ``timeline``: of the oldest backup."""
    infos = [f"{folder}/{stanza}/{folder}.info{copy}" for folder in ("backup", "archive") for copy in ("", ".copy")]
    found = [name for name in infos if name in deleted]
    for label, files in of_backups(deleted, stanza, named.keys()).items():
        known = named[label]
        wanted = [file for file in files if known is None or file in known or file in _MANIFESTS]
        found += [f"backup/{stanza}/{label}/{file}" for file in wanted]
    for archive_id, lacking in wal.items():
        start = f"archive/{stanza}/{archive_id}/"
        inside = [name for name in deleted if name.startswith(start)]
        found += [name for name in inside if _archived(name.removeprefix(start), deleted[name], lacking, timeline)]
    return found


def _archived(name: str, at: float, lacking: Lacking | None, timeline: int) -> bool:
    """Whether recovery from a retained backup reads this file of the archive."""
    if history := _HISTORY.fullmatch(name):
        return int(history["timeline"], 16) > timeline
    segment = _SEGMENT.fullmatch(name)
    return segment is not None and (lacking is None or lacking.lacks(segment["name"], at=at))


def of_dumps(
    deleted: Collection[str], stored: Collection[str], database: str, *, now: dt.datetime, retention_days: int | None
) -> list[str]:
    """Dumps and manifests whose other half is still there, and both halves within the retention."""
    found = []
    for suffix, other in ((dumps.DUMP, dumps.MANIFEST), (dumps.MANIFEST, dumps.DUMP)):
        for label in dumps.labels(deleted, database, suffix):
            age_s = (now - (dumps.began_of(label, database) or now)).total_seconds()
            if label + other in stored or (retention_days is not None and age_s < retention_days * DAY_S):
                found.append(label + suffix)
    return sorted(found)
