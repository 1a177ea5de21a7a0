# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups of one pgBackRest stanza as its ``info`` tells them, and what makes the newest one good enough."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .checks import Check, rfc3339, unknown

# Clocks of a database host and of the host that asks may differ by a little without anything being wrong.
CLOCK_SKEW_S = 60
STATUS_OK, STATUS_NO_BACKUP = 0, 2


@dataclass(frozen=True)
class Backup:
    """One backup of the catalogue. ``error`` is true when pages failed their checksum while it was taken."""

    label: str
    type: str
    start: dt.datetime
    stop: dt.datetime
    lsn_start: str
    lsn_stop: str
    wal_start: str
    wal_stop: str
    references: tuple[str, ...]
    error: bool | None
    size: int
    repo: int
    db: int

    def document(self) -> dict[str, Any]:
        """What gates return about it."""
        return {
            "label": self.label,
            "type": self.type,
            "start": rfc3339(self.start),
            "stop": rfc3339(self.stop),
            "lsn": {"start": self.lsn_start, "stop": self.lsn_stop},
            "wal": {"start": self.wal_start, "stop": self.wal_stop},
            "size_bytes": self.size,
            "references": list(self.references),
            "repo": self.repo,
        }


@dataclass(frozen=True)
class System:
    """One database system that the stanza has held: a new one after every major upgrade."""

    id: int
    repo: int
    system_id: str
    version: str


@dataclass(frozen=True)
class Stanza:
    """What ``pgbackrest info`` says about one stanza."""

    name: str
    status: int
    message: str
    backups: tuple[Backup, ...]
    systems: tuple[System, ...]
    archives: tuple[Mapping[str, Any], ...]
    ciphers: Mapping[int, str] = field(default_factory=dict)
    """How each repository is encrypted; ``none`` when it is not."""

    def newest(self) -> Backup | None:
        return max(self.backups, key=lambda b: (b.stop, b.label), default=None)

    def system(self, backup: Backup) -> System | None:
        """The system that a backup is of."""
        return next((s for s in self.systems if (s.id, s.repo) == (backup.db, backup.repo)), None)

    def current(self, repo: int) -> System | None:
        """The system that a repository holds now."""
        return max((s for s in self.systems if s.repo == repo), key=lambda s: s.id, default=None)

    def archive_id(self, backup: Backup) -> str:
        """The folder of the backup's WAL, such as ``15-1``."""
        system = self.system(backup)
        return f"{system.version}-{system.id}" if system else ""


def parse_stanza(document: Any, name: str) -> Stanza:
    """One stanza of ``info --output=json``. ValueError when it has not the form that pgBackRest writes."""
    try:
        found = next((s for s in document if s["name"] == name), None)
        if found is None:
            return Stanza(name, 1, "missing stanza", (), (), ())
        return Stanza(
            name=name,
            status=int(found["status"]["code"]),
            message=_message(found),
            backups=tuple(_backup(b) for b in found["backup"]),
            systems=tuple(System(int(d["id"]), int(d["repo-key"]), str(d["system-id"]), str(d["version"])) for d in found["db"]),
            archives=tuple(found["archive"]),
            ciphers={int(repo["key"]): str(repo.get("cipher", "none")) for repo in found.get("repo", ()) if "key" in repo},
        )
    except (TypeError, KeyError, ValueError, OverflowError, OSError) as exc:
        raise ValueError(f"not the form of pgbackrest info: {type(exc).__name__}: {exc}") from exc


def _message(found: Mapping[str, Any]) -> str:
    """The stanza's own message says "other" or "different across repos"; the repository's says what happened."""
    told = [str(r["status"]["message"]).splitlines()[0].rstrip(": ") for r in found.get("repo", ()) if r["status"]["code"] != 0]
    return "; ".join(told) or str(found["status"]["message"])


def _backup(found: Mapping[str, Any]) -> Backup:
    lsn, archive, at = found.get("lsn") or {}, found.get("archive") or {}, found["timestamp"]
    error = found.get("error")
    return Backup(
        label=str(found["label"]),
        type=str(found["type"]),
        start=_instant(at["start"]),
        stop=_instant(at["stop"]),
        lsn_start=str(lsn.get("start") or ""),
        lsn_stop=str(lsn.get("stop") or ""),
        wal_start=str(archive.get("start") or ""),
        wal_stop=str(archive.get("stop") or ""),
        references=tuple(str(r) for r in found.get("reference") or ()),
        error=error if isinstance(error, bool) else None,
        size=int(found["info"]["size"]),
        repo=int(found["database"]["repo-key"]),
        db=int(found["database"]["id"]),
    )


def _instant(seconds: Any) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(seconds), dt.timezone.utc)


# -- decisions -----------------------------------------------------------------------------------------------------------


def judge_catalogue(
    stanza: Stanza, *, now: dt.datetime, max_age_s: int, present: Collection[str] | None, expect: Mapping[str, str] | None = None
) -> list[Check]:
    """Is the newest backup there, whole, fresh, and of the right system? ``present``: labels whose manifest was seen."""
    newest = stanza.newest()
    if newest is None:
        return [Check("backup_exists", False, 0, ">= 1 backup", f"Take a full backup of stanza {stanza.name}.", "NO_BACKUP")]
    return [
        Check("backup_exists", True, newest.label, ">= 1 backup"),
        _complete(newest),
        *_age(newest, now=now, max_age_s=max_age_s),
        _references(stanza, newest, present),
        *_systems(stanza, newest, expect or {}),
    ]


def _complete(newest: Backup) -> Check:
    whole = None if newest.error is None else not newest.error
    seen = "not told" if newest.error is None else "page errors" if newest.error else "no error"
    hint = "Pages failed their checksum while this backup was taken: find the damaged relation with pg_amcheck, then back up again."
    if newest.error is None:
        hint = "This pgBackRest does not tell whether pages failed their checksum; update it."
    return Check("backup_complete", whole, seen, "no error", hint, "INCOMPLETE")


def _age(newest: Backup, *, now: dt.datetime, max_age_s: int) -> list[Check]:
    age = int((now - newest.stop).total_seconds())
    ahead = max(-age, int((newest.start - now).total_seconds()))
    skewed = "Correct the clock of the database host."
    return [
        Check(
            "backup_not_from_future_s",
            ahead <= CLOCK_SKEW_S,
            max(ahead, 0),
            f"<= {CLOCK_SKEW_S}",
            skewed,
            "FUTURE",
        ),
        Check("backup_age_s", age <= max_age_s, age, f"<= {max_age_s}", "Check the backup timer, then run pgbackrest backup.", "AGE"),
    ]


def _references(stanza: Stanza, newest: Backup, present: Collection[str] | None) -> Check:
    chain = (*newest.references, newest.label)
    known = {b.label for b in stanza.backups}
    missing = sorted(label for label in chain if label not in known or (present is not None and label not in present))
    hint = "What the newest backup builds upon is gone: take a full backup."
    if present is None and not missing:
        return unknown("backup_references", "the backup's folder was not read", hint="Run pgbackrest repo-ls.", code="TOOL")
    return Check("backup_references", not missing, {"missing": missing}, {"missing": []}, hint, "REFERENCE_MISSING")


def _systems(stanza: Stanza, newest: Backup, expect: Mapping[str, str]) -> list[Check]:
    system, current = stanza.system(newest), stanza.current(newest.repo)
    if system is None or current is None:
        return [unknown("backup_system", "pgbackrest info names no system for this backup", hint="Run pgbackrest info.", code="SYSTEM_ID")]
    checks = [
        Check(
            "backup_system",
            system == current,
            {"system_id": system.system_id, "version": system.version},
            {"system_id": current.system_id, "version": current.version},
            "The stanza was upgraded and has no backup of the new system: take a full backup.",
            "SYSTEM_ID",
        )
    ]
    hint = "These backups are of another server: check stanza and config."
    for key, seen in (("system_id", system.system_id), ("version", system.version)):
        wanted = expect.get(key)
        if wanted not in (None, ""):
            checks.append(Check(f"backup_{key}", str(wanted) == seen, seen, str(wanted), hint, "SYSTEM_ID"))
    return checks


@dataclass(frozen=True)
class Proof:
    """When something was proved last, and how that ended. ``None`` where it never was."""

    at: dt.datetime
    verdict: str


def judge_drill(last: Proof | None, *, now: dt.datetime, max_age_s: int) -> Check:
    """Was a restore proved recently?"""
    told = {"check_id": "restore_drill_age_s", "what": "drill", "code": "RESTORE_STALE"}
    return proved_lately(last, now=now, max_age_s=max_age_s, hint="Run the playbook restore_drill for this stanza.", **told)


def judge_read(last: Proof | None, *, now: dt.datetime, max_age_s: int) -> Check:
    """Was every file of the repository read, and found to have its checksum, recently?"""
    told = {"check_id": "content_read_age_s", "what": "reading", "code": "READ_STALE"}
    return proved_lately(last, now=now, max_age_s=max_age_s, hint="Run the playbook backup_verify for this stanza.", **told)


def proved_lately(last: Proof | None, *, check_id: str, what: str, now: dt.datetime, max_age_s: int, hint: str, code: str) -> Check:
    """Did it pass the last time that it was tried, and was that not too long ago?"""
    wanted = f"passed, <= {max_age_s} s ago"
    if last is None:
        return Check(check_id, False, f"no {what}", wanted, hint, code)
    age = int((now - last.at).total_seconds())
    if last.verdict != "pass":
        return Check(check_id, False, f"verdict {last.verdict}", wanted, f"The last {what} did not pass. {hint}", code)
    return Check(check_id, -CLOCK_SKEW_S <= age <= max_age_s, age, wanted, hint, code)


def chain_labels(stanza: Stanza) -> Sequence[str]:
    """The newest backup and all that it builds upon."""
    newest = stanza.newest()
    return (*newest.references, newest.label) if newest else ()
