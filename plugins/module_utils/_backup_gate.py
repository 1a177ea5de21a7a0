# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads a repository and has it judged: what pg_backup_verify and, later, the backup gate share."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import (
    Backup,
    Proof,
    Stanza,
    chain_labels,
    judge_catalogue,
    judge_drill,
    judge_read,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup_policy import (
    Retention,
    Schedule,
    judge_copies,
    judge_retention,
    judge_schedule,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objectives import Drilled, judge_objectives
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_info import UnreadableError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_text import advice_of, judge_verify
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import judge as judge_content
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal import parse_listing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal_window import (
    NO_WINDOW,
    WalResult,
    history_needed,
    judge_wal,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.decoded import NoDecoderError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest, PgbackrestError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest_repository import repository
from ansible_collections.odoo_ops.change_control.plugins.module_utils._object_store import Place, judge_place, needed_of_repository
from ansible_collections.odoo_ops.change_control.plugins.module_utils._repository import Reading, read_repository

# Segments may arrive out of order when WAL is pushed in parallel, and expire deletes while we read: what looks wrong is read again.
READINGS, PAUSE_S = 3, 2.0


@dataclass(frozen=True)
class Limits:
    """What the repository has to keep. ``checksums_s`` is the time that reading all of it may take; ``None``: do not."""

    max_age_s: int
    max_wal_age_s: int | None = None
    max_drill_age_s: int | None = None
    last_drill: Proof | None = None
    max_rto_s: int | None = None
    max_rpo_s: int | None = None
    drilled: Drilled | None = None
    max_read_age_s: int | None = None
    last_read: Proof | None = None
    expect: Mapping[str, str] | None = None
    whole_window: bool = True
    schedule: Schedule | None = None
    retention: Retention | None = None
    copies: int = 1
    checksums_s: int | None = None
    config: str | None = None
    memory: Proved | None = None
    rounds: int = 1
    timeout_s: int = 60
    place: Place | None = None
    """The bucket in which they lie, where something is wanted of it."""


def judge_repository(tool: Pgbackrest, stanza: str, limits: Limits, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    """The checks, and what the gate returns besides: pitr_window, backup, wal, content; and ``proved``, where there is a memory."""
    found: dict[str, Any] = {"pitr_window": dict(NO_WINDOW), "backup": None, "wal": {}}
    checks: list[Check] = []
    try:
        catalogue = tool.info(stanza)
        checks += judge_catalogue(catalogue, now=now, max_age_s=limits.max_age_s, present=_present(tool, catalogue), expect=limits.expect)
        newest = catalogue.newest()
        if newest:
            found["backup"] = document_of(catalogue, newest)
            catalogue, wal = _wal(tool, catalogue, limits, now=now)
            checks += wal.checks
            found.update(pitr_window=wal.window, wal=wal.seen)
            checks += promised(catalogue, limits, wal.window, now=now)
            checks += _content(tool, catalogue, limits, found)
            checks += _place(tool, catalogue, wal, limits)
    except PgbackrestError as exc:
        seen, advice = advice_of(str(exc))
        checks.append(unknown("repository", seen, hint=advice, code=str(exc.facts.get("code", "TOOL"))))
    return checks, found


def _place(tool: Pgbackrest, catalogue: Stanza, wal: WalResult, limits: Limits) -> list[Check]:
    if limits.place is None:
        return []
    repo = limits.place.repo
    where = repository(tool, catalogue.name, repo, limits.config)
    needs = partial(needed_of_repository, where, catalogue, wal.lacking, repo)
    return judge_place(limits.place, needs, cipher=catalogue.ciphers.get(repo, "none"))


def judge_proofs(limits: Limits, backup: Mapping[str, Any] | None, *, now: dt.datetime) -> list[Check]:
    """Whether drill and reading were lately, and within the objectives."""
    checks = []
    if limits.max_drill_age_s is not None:
        checks.append(judge_drill(limits.last_drill, now=now, max_age_s=limits.max_drill_age_s))
    if limits.drilled is not None:
        size = backup["size_bytes"] if backup else None
        checks += judge_objectives(limits.drilled, size=size, max_rto_s=limits.max_rto_s, max_rpo_s=limits.max_rpo_s)
    if limits.max_read_age_s is not None:
        checks.append(judge_read(limits.last_read, now=now, max_age_s=limits.max_read_age_s))
    return checks


def _present(tool: Pgbackrest, catalogue: Stanza) -> set[str] | None:
    newest = catalogue.newest()
    return tool.manifests(catalogue.name, chain_labels(catalogue), repo=newest.repo) if newest else None


def judge_listed(catalogue: Stanza, whole: Collection[str], limits: Limits, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any]]:
    """Backups that lie side by side without an archive of WAL: the checks, and what the gate returns besides. No instant but theirs
    can be restored."""
    checks = judge_catalogue(catalogue, now=now, max_age_s=limits.max_age_s, present=whole, expect=limits.expect)
    earliest = min((backup.stop for backup in catalogue.backups), default=None)
    window = {"earliest": rfc3339(earliest) if earliest else None, "latest": None}
    checks += promised(catalogue, limits, window, now=now)
    newest = catalogue.newest()
    return checks, {"pitr_window": dict(NO_WINDOW), "backup": document_of(catalogue, newest) if newest else None, "wal": {}}


def document_of(catalogue: Stanza, newest: Backup) -> dict[str, Any]:
    """What the gate returns of a backup."""
    system = catalogue.system(newest)
    return {**newest.document(), "system_id": system.system_id if system else None, "version": system.version if system else None}


def _wal(tool: Pgbackrest, catalogue: Stanza, limits: Limits, *, now: dt.datetime) -> tuple[Stanza, WalResult]:
    for reading in range(READINGS):
        result = _read_wal(tool, catalogue, limits, now=now)
        if all(check.ok for check in result.checks) or reading == READINGS - 1:
            break
        time.sleep(PAUSE_S)
        catalogue = tool.info(catalogue.name)
    return catalogue, result


def _read_wal(tool: Pgbackrest, catalogue: Stanza, limits: Limits, *, now: dt.datetime) -> WalResult:
    newest = catalogue.newest()
    if newest is None:  # expired between two readings
        return judge_wal(catalogue, parse_listing({}), None, now=now)
    archive_id = catalogue.archive_id(newest)
    archive = parse_listing(tool.listing(catalogue.name, archive_id, repo=newest.repo))
    timeline = history_needed(archive, newest)
    history = tool.history(catalogue.name, archive_id, timeline, repo=newest.repo) if timeline else None
    return judge_wal(catalogue, archive, history, now=now, max_wal_age_s=limits.max_wal_age_s, whole_window=limits.whole_window)


def promised(catalogue: Stanza, limits: Limits, window: Mapping[str, Any], *, now: dt.datetime) -> list[Check]:
    checks = [judge_schedule(catalogue, limits.schedule, now=now)] if limits.schedule else []
    checks += judge_retention(catalogue, limits.retention, window, now=now) if limits.retention else []
    checks += [judge_copies(catalogue, limits.copies, now=now, max_age_s=limits.max_age_s)] if limits.copies > 1 else []
    return checks


def _content(tool: Pgbackrest, catalogue: Stanza, limits: Limits, found: dict[str, Any]) -> list[Check]:
    """Every file, in every repository; by pgBackRest itself where only that can read it."""
    if limits.checksums_s is None:
        return []
    reading, checks, whole = Reading(limits.memory, limits.rounds, time.monotonic() + limits.checksums_s), [], True
    for repo in sorted({backup.repo for backup in catalogue.backups}):
        try:
            read_repository(repository(tool, catalogue.name, repo, limits.config), catalogue, repo, reading)
        except (UnreadableError, NoDecoderError) as exc:
            found.setdefault("warnings", []).append(f"repository {repo} is read by pgbackrest verify, all of it each time, because {exc}")
            checks += _verified(tool, catalogue, repo, limits.checksums_s)
        except TimeoutError as exc:
            hint, whole = "Run it again, it goes on from here, or allow more in checksums_timeout.", False
            checks.append(unknown("content", f"not all of {exc} was read within {limits.checksums_s} s", hint=hint, code="TOOL"))
            break
    parts = reading.parts
    if not all(check.ok for check in judge_content(parts)):  # a backup that expired meanwhile has nothing to prove
        retained = {f"backup_{backup.label}" for backup in tool.info(catalogue.name).backups}
        parts = [part for part in parts if part.name in retained or not part.name.startswith("backup_")]
    found.update(content={part.name: part.told() for part in parts}, proved=reading.proved(whole=whole))
    return [*judge_content(parts), *checks]


def _verified(tool: Pgbackrest, catalogue: Stanza, repo: int, timeout_s: int) -> list[Check]:
    backups = [backup for backup in catalogue.backups if backup.repo == repo]
    newest = max(backups, key=lambda backup: (backup.stop, backup.label))
    report = tool.verify(catalogue.name, repo=repo, timeout_s=timeout_s)
    return judge_verify(report, backups=[backup.label for backup in backups], archive_id=catalogue.archive_id(newest))
