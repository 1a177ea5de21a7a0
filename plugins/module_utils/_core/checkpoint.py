# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a tenant's checkpoint consists of, whether it is complete, and which step of a restore comes next.

The outside world is the only memory: which databases exist, what their comments say, which documents the bucket holds. So
a run that was killed anywhere is continued by the next one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ChangeError

SCHEMA = 1
RESTORED, CLOSED = "restored", "closed"
DONE, MAKE_COPY, DROP_COPY, SWAP, PROMOTE, DROP_OLD, REOPEN = "done", "make_copy", "drop_copy", "swap", "promote", "drop_old", "reopen"

_LONGEST_NAME = 63  # bytes that PostgreSQL keeps of a name; more would be cut off and could meet another database
_SIGN = "odoo_ops.change_control checkpoint"
_MARK = re.compile(rf"{re.escape(_SIGN)} ({RESTORED}|{CLOSED}) ([0-9a-f]{{64}})(?:\n(.*))?", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DESTINATION = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+)(?:/(?P<prefix>[A-Za-z0-9._/-]*))?")


class CheckpointError(ChangeError):
    """A checkpoint that cannot be made, trusted or restored."""

    def __init__(self, message: str, *, code: str, **facts: Any) -> None:
        super().__init__(message, code=code, **facts)


# -- names -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Names:
    """The tenant's database, the copy that a restore fills, and what the database is called once the copy took its place."""

    live: str
    copy: str
    old: str


def names(database: str) -> Names:
    result = Names(database, f"{database}__restore", f"{database}__before_restore")
    if not database or len(result.old.encode()) > _LONGEST_NAME:
        raise CheckpointError(
            f"database {database!r} has {len(database.encode())} bytes, wanted 1 to {_LONGEST_NAME - len('__before_restore')}: "
            "a restore needs room for its suffix. Rename the database.",
            code="NAME",
        )
    return result


@dataclass(frozen=True)
class Keys:
    """Where a checkpoint lies in the bucket."""

    bucket: str
    dump: str
    filestore: str
    manifest: str


def keys(destination: str, change: str, tenant: str) -> Keys:
    found = _DESTINATION.fullmatch(destination)
    if not found:
        raise CheckpointError(f"destination is {destination!r}, wanted s3://bucket/prefix. Write it so.", code="DESTINATION")
    for what, value in (("change", change), ("tenant", tenant)):
        if not _PLAIN.fullmatch(value):
            raise CheckpointError(f"{what} is {value!r}, wanted letters, digits, '.', '_' and '-'. It becomes part of a key.", code="NAME")
    base = "/".join(part for part in ((found["prefix"] or "").strip("/"), change, tenant) if part)
    return Keys(found["bucket"], f"{base}.dump", f"{base}.filestore.json", f"{base}.json")


# -- marks in the comment of a database --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Mark:
    """``restored``: the database is that checkpoint. ``closed``: a restore of that checkpoint is about to replace it."""

    kind: str
    digest: str


def read_comment(comment: str | None) -> tuple[Mark | None, str | None]:
    """Our mark and what the comment said besides."""
    found = _MARK.fullmatch(comment or "")
    return (Mark(found[1], found[2]), found[3]) if found else (None, comment)


def write_comment(mark: Mark | None, other: str | None) -> str | None:
    if mark is None:
        return other
    return f"{_SIGN} {mark.kind} {mark.digest}" + (f"\n{other}" if other else "")


def mark_of(comment: str | None) -> Mark | None:
    return read_comment(comment)[0]


# -- making ------------------------------------------------------------------------------------------------------------
def canonical(document: Any) -> bytes:
    """The bytes of a document: the same content always gives the same bytes."""
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Version:
    """One version of one object. A deleted one is a delete marker."""

    key: str
    version_id: str
    latest: bool
    deleted: bool = False
    size: int = 0
    etag: str = ""
    at: float = 0
    """When it was written, in seconds since 1970."""


def inventory(wanted: Iterable[str], prefix: str, versions: Iterable[Version]) -> tuple[list[dict[str, Any]], list[str]]:
    """The files that the database names, each with its current version; and the names of those that are not there."""
    current = {version.key: version for version in versions if version.latest and not version.deleted}
    files, missing = [], []
    for name in sorted(set(wanted)):
        version = current.get(f"{prefix}/{name}")
        if version is None:
            missing.append(name)
        else:
            files.append({"name": name, "version_id": version.version_id, "bytes": version.size, "etag": version.etag})
    return files, missing


def refuse_missing(missing: Sequence[str], *, tenant: str, bucket: str, count: int) -> None:
    """A checkpoint without a file that the database names could not be restored whole."""
    if missing:
        raise CheckpointError(
            f"tenant {tenant}: {len(missing)} of {count} attachments are not in bucket {bucket}, wanted all: {', '.join(missing[:10])}"
            f"{' and more' if missing[10:] else ''}. Bring the files back, or remove the attachments that name them.",
            code="FILESTORE_MISSING",
            missing=list(missing[:10]),
        )


def read_manifest(data: bytes, *, change: str, tenant: str, database: str, key: str) -> dict[str, Any]:
    """The manifest, once it is known to be that of this tenant and change."""
    try:
        found = json.loads(data)
        seen = {name: found[name] for name in ("schema", "change", "tenant", "database")}
        complete = all(found["checkpoint"][part]["sha256"] for part in ("dump", "filestore")) and "owner" in found["properties"]
    except (ValueError, KeyError, TypeError) as exc:
        raise _unreadable(key, exc) from exc
    if not complete:
        raise _unreadable(key, "it is not complete")
    wanted = {"schema": SCHEMA, "change": change, "tenant": tenant, "database": database}
    if seen != wanted:
        raise CheckpointError(
            f"{key} describes {seen}, wanted {wanted}. Give this tenant a destination of its own.", code="CHECKPOINT_OF_ANOTHER"
        )
    return dict(found)


def _unreadable(key: str, why: object) -> CheckpointError:
    return CheckpointError(
        f"{key} is no manifest of a checkpoint ({why}). Find out who wrote it; use another destination.", code="CHECKPOINT_DAMAGED"
    )


def refuse_damage(manifest: Mapping[str, Any], sizes: Mapping[str, int | None]) -> None:
    """A checkpoint whose objects are gone or cut is not made anew: the change may have begun, and the database is another now."""
    for part in ("dump", "filestore"):
        wanted = manifest["checkpoint"][part]
        seen = sizes.get(wanted["key"])
        if seen != wanted["bytes"]:
            raise CheckpointError(
                f"{wanted['key']} has {'no object' if seen is None else f'{seen} bytes'}, wanted {wanted['bytes']} bytes. "
                "This checkpoint cannot be restored: start a new change, which takes a checkpoint of its own.",
                code="CHECKPOINT_DAMAGED",
            )


def refuse_other_bytes(key: str, seen: str, wanted: str) -> None:
    if seen != wanted:
        raise CheckpointError(
            f"{key} has SHA-256 {seen}, wanted {wanted}. It was altered. Do not restore from it: take the cluster's backup instead.",
            code="CHECKSUM",
        )


def next_present_step(digest: str | None, mark: Mark | None) -> str:
    """``make``, ``clear_mark`` or ``done``. ``digest`` is that of the complete checkpoint, ``None`` when there is none.

    When the database already was taken back to this very checkpoint, a new attempt begins: users have worked since, so it
    gets a checkpoint of its own. A mark that stays would make the next restore believe that it is done.
    """
    if mark is not None and mark.kind == CLOSED:
        raise CheckpointError(
            "a restore of this database has begun and not ended. Run state=restored to finish it, or state=absent to give it up.",
            code="RESTORE_UNDER_WAY",
        )
    if digest is None or mark == Mark(RESTORED, digest):
        return "make"
    return "clear_mark" if mark is not None else "done"


# -- restoring ---------------------------------------------------------------------------------------------------------
def next_restore_step(databases: Mapping[str, str | None], names: Names, digest: str) -> str:
    """The next step towards "the live database is the checkpoint and nothing is left over".

    ``databases`` has the comment of each database that exists. A copy that does not bear the mark is not complete.
    """
    live, copy, old = (mark_of(databases.get(name)) for name in (names.live, names.copy, names.old))
    restored = Mark(RESTORED, digest)
    if names.live in databases and live == restored:
        if names.copy in databases:
            return DROP_COPY
        if names.old not in databases:
            return DONE
        _refuse_foreign(names, old)
        return DROP_OLD
    if names.copy in databases and copy != restored:
        return DROP_COPY
    if names.live in databases and names.old in databases:
        _refuse_foreign(names, old)
        return DROP_OLD
    if names.copy not in databases:
        return MAKE_COPY
    return SWAP if names.live in databases else PROMOTE


def next_absent_step(databases: Mapping[str, str | None], names: Names) -> str:
    """The next step towards "nothing of a restore is left over". The live database must be there: else a leftover is all there is."""
    live, old = (mark_of(databases.get(name)) for name in (names.live, names.old))
    leftovers = [name for name in (names.copy, names.old) if name in databases]
    if names.live not in databases and leftovers:
        raise CheckpointError(
            f"database {names.live} is not there, but {' and '.join(leftovers)}: nothing is removed. Run state=restored again.",
            code="ONLY_COPY",
        )
    if live is not None and live.kind == CLOSED:
        return REOPEN
    if names.copy in databases:
        return DROP_COPY
    if names.old in databases:
        _refuse_foreign(names, old)
        return DROP_OLD
    return DONE


def _refuse_foreign(names: Names, mark: Mark | None) -> None:
    """Only what a restore has put aside is dropped; a database of this name without its mark is somebody's."""
    if mark is None or mark.kind != CLOSED:
        raise CheckpointError(
            f"database {names.old} bears no mark of a restore, wanted none of this name. Look what it is, and rename or drop it.",
            code="FOREIGN_DATABASE",
        )


def after(step: str, databases: Mapping[str, str | None], names: Names, digest: str) -> dict[str, str | None]:
    """What the databases will be once a step is done; so check mode knows all steps beforehand."""
    result = dict(databases)
    _mark, other = read_comment(databases.get(names.live))
    if step == MAKE_COPY:
        result[names.copy] = write_comment(Mark(RESTORED, digest), other)
    elif step == DROP_COPY:
        del result[names.copy]
    elif step == DROP_OLD:
        del result[names.old]
    elif step == SWAP:
        result[names.old] = write_comment(Mark(CLOSED, digest), other)
        result[names.live] = result.pop(names.copy)
    elif step == PROMOTE:
        result[names.live] = result.pop(names.copy)
    elif step == REOPEN:
        result[names.live] = other
    return result


def restore_steps(databases: Mapping[str, str | None], names: Names, digest: str) -> list[str]:
    """All steps of a restore from here."""
    return _steps(databases, lambda seen: next_restore_step(seen, names, digest), names, digest)


def absent_steps(databases: Mapping[str, str | None], names: Names) -> list[str]:
    return _steps(databases, lambda seen: next_absent_step(seen, names), names, "0" * 64)


def _steps(databases: Mapping[str, str | None], decide: Callable[[Mapping[str, str | None]], str], names: Names, digest: str) -> list[str]:
    steps: list[str] = []
    while (step := decide(databases)) != DONE:
        if len(steps) > 9:
            raise CheckpointError(f"the restore would never end: {steps}. Report this.", code="BUG")
        steps.append(step)
        databases = after(step, databases, names, digest)
    return steps


def filestore_repairs(
    files: Iterable[Mapping[str, Any]], prefix: str, versions: Iterable[Version]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Which versions (key, id) to copy back so that every file is current again; and the names of those that are gone for good."""
    known: dict[str, dict[str, Version]] = {}
    for version in versions:
        known.setdefault(version.key, {})[version.version_id] = version
    copies, lost = [], []
    for file in files:
        key = f"{prefix}/{file['name']}"
        there = known.get(key, {})
        current = next((v for v in there.values() if v.latest and not v.deleted), None)
        if current is not None and (
            current.version_id == file["version_id"] or (current.etag, current.size) == (file["etag"], file["bytes"])
        ):
            continue
        if file["version_id"] in there:
            copies.append((key, file["version_id"]))
        else:
            lost.append(file["name"])
    return copies, lost


def refuse_lost(lost: Sequence[str], *, tenant: str, bucket: str) -> None:
    if lost:
        raise CheckpointError(
            f"tenant {tenant}: {len(lost)} files of the checkpoint are gone from bucket {bucket} with all their versions: "
            f"{', '.join(lost[:10])}. Restore them from the bucket's backup, then run this again.",
            code="FILESTORE_LOST",
            lost=list(lost[:10]),
        )
