# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bucket in which backups lie, and whether a tenant's identity is confined to its own: what pg_backup_verify and
filestore_verify share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ._core import needed
from ._core.backup import Stanza
from ._core.bucket import OF_BACKUPS, Promise, judge_deleted, judge_others, judge_settings
from ._core.checks import Check, unknown
from ._core.errors import ChangeError
from ._core.pgbackrest_info import DamagedError, manifest_of
from ._core.wal_window import Lacking
from ._gate import seconds
from ._io.bucket_promises import KeptBucket, below
from ._io.pgbackrest_repository import Folder, Remote

DAY_S = 86_400
LOCKS = ["governance", "compliance"]
OBJECT_STORE_SPEC: dict[str, Any] = {
    "type": "dict",
    "options": {
        "bucket": {"type": "str"},
        "prefix": {"type": "str"},
        "repo": {"type": "int", "default": 1},
        "retention": {"type": "str"},
        "lock": {"type": "str", "choices": LOCKS},
        "lock_for": {"type": "str"},
        "encrypted": {"type": "bool", "default": False},
    },
}
OTHERS_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {name: {"type": "str", "required": True} for name in ("bucket", "prefix", "object")},
}
"""The option ``others``; its texts are the doc fragment of that name."""
Needed = Callable[[Mapping[str, float]], Collection[str]]
"""Those of the deleted names that a restore still needs; with each comes when it was written."""


@dataclass(frozen=True)
class Place:
    """Where backups lie in a bucket, what is wanted of it, and where its identity may not get at."""

    bucket: KeptBucket
    prefix: str
    promise: Promise | None
    repo: int
    s3: Mapping[str, Any]
    others: Sequence[Mapping[str, str]]


def days(given: Mapping[str, Any], name: str) -> int | None:
    """An option that is a duration, in whole days; a part of one counts as one."""
    length = seconds(given, name)
    return None if length is None else -(-length // DAY_S)


def place_of(given: Mapping[str, Any], location: tuple[str, str] | None) -> Place | None:
    """What ``object_store`` and ``others`` want. ``location``: where dumps lie, when that is a bucket."""
    wanted, others, dumps = given["object_store"] or {}, given["others"] or [], given["engine"] == "dump"
    if not (wanted or others):
        return None
    named = wanted.get("bucket"), wanted.get("prefix")
    bucket, prefix = location or (None, None) if dumps else named
    if not bucket or (dumps and any(named)):
        where = "dumps in s3://bucket/prefix, and neither bucket nor prefix" if dumps else "object_store with a bucket"
        raise ChangeError(
            f"object_store has bucket {named[0]} and prefix {named[1]}, wanted {where}. Correct it, or leave it and others out."
        )
    prefix = str(prefix or "")
    refuse_own(bucket, prefix, others)
    promise = Promise(days(wanted, "retention"), True, wanted["lock"], days(wanted, "lock_for"), wanted["encrypted"]) if wanted else None
    return Place(KeptBucket(bucket, given["s3"]), prefix, promise, wanted.get("repo", 1), given["s3"], others)


def judge_place(place: Place | None, needs: Needed, *, cipher: str = "none") -> list[Check]:
    """What the bucket promises, what of it is deleted although it is needed, and whether its identity is confined."""
    if place is None:
        return []
    kept = _kept(place, place.promise, needs, encrypted=cipher != "none") if place.promise else []
    return [*kept, *judge_segregation(place.bucket, place.prefix, place.s3, place.others)]


def _kept(place: Place, promise: Promise, needs: Needed, *, encrypted: bool) -> list[Check]:
    checks, ask = [], promise.encrypted and not encrypted
    try:
        settings = place.bucket.settings(place.prefix, encryption=ask)
        checks = judge_settings(settings if ask else replace(settings, encrypted=encrypted), promise, OF_BACKUPS)
        deleted = place.bucket.deleted(place.prefix)
        return [*checks, judge_deleted(list(needs(deleted)) if deleted else [])]
    except ChangeError as exc:
        return [*checks, untold("bucket", exc)]


def needed_of_repository(
    where: Folder | Remote, catalogue: Stanza, lacking: Lacking | None, repo: int, deleted: Mapping[str, float]
) -> list[str]:
    """Those of the deleted objects of a pgBackRest repository that its backups name, or that WAL continuity needs."""
    backups = [backup for backup in catalogue.backups if backup.repo == repo]
    newest, named = catalogue.newest(), dict[str, "Collection[str] | None"]()
    for label in needed.of_backups(deleted, catalogue.name, {backup.label for backup in backups}):
        try:
            path = f"backup/{catalogue.name}/{label}/backup.manifest"
            named[label] = manifest_of(where.lines(path), label).objects.keys()
        except (OSError, DamagedError, UnicodeDecodeError, ChangeError):
            named[label] = None
    wal = {catalogue.archive_id(newest): lacking} if newest and newest.repo == repo else {}
    timeline = min((int(backup.wal_start[:8] or "1", 16) for backup in backups), default=1)
    return needed.in_repository(deleted, catalogue.name, named, wal, timeline=timeline)


def needed_of_dumps(
    stored: Collection[str], database: str, place: Place | None, now: dt.datetime, deleted: Mapping[str, float]
) -> list[str]:
    kept = place.promise.retention_days if place and place.promise else None
    return needed.of_dumps(deleted, stored, database, now=now, retention_days=kept)


def refuse_own(bucket: str, prefix: str, others: Sequence[Mapping[str, str]] | None) -> None:
    """ChangeError when one of the other tenants' places is not apart from this tenant's own."""
    ours = below(prefix)
    for theirs in (below(other["prefix"]) for other in others or [] if other["bucket"] == bucket):
        if theirs.startswith(ours) or ours.startswith(theirs):
            told = f"others has s3://{bucket}/{theirs}, wanted a place apart from s3://{bucket}/{ours}, which is this tenant's own"
            raise ChangeError(f"{told}. Correct it.")


def judge_segregation(own: KeptBucket, prefix: str, s3: Mapping[str, Any], others: Sequence[Mapping[str, str]] | None) -> list[Check]:
    """Tries, with this tenant's credentials, to see what is other tenants'. Nothing is written, and of an object one byte is read."""
    if not others:
        return []
    tried = {}
    for other in others:
        place = f"s3://{other['bucket']}/{below(other['prefix'])}"
        tried[place] = KeptBucket(other["bucket"], s3).attempts(other["prefix"], other["object"])
    return [judge_others(own.let_in(prefix), tried)]


def untold(check_id: str, exc: ChangeError, *, code: str = "S3") -> Check:
    """What did not answer, as a check."""
    hint = str(exc.facts.get("hint", ""))
    return unknown(check_id, str(exc), hint="" if hint in str(exc) else hint, code=str(exc.facts.get("code") or code))
