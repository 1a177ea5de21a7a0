# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the backups are those that were promised: taken when they were due, kept for long enough, and in so many places.

A newest backup that is young enough hides that last night's was never taken, and that the one of last month is gone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .backup import CLOCK_SKEW_S, Backup, Stanza
from .calendar_rrule import Series, TooCostlyError
from .calendar_rrule_text import parse_recurrence
from .calendar_wall import DAY_S, place, wall_clock, wall_seconds
from .checks import Check, rfc3339, unknown
from .duration import parse_duration
from .instants import parse_instant

# What a restore of the one needs, the other has, too.
STANDS_FOR = {"full": ("full",), "diff": ("diff", "full"), "incr": ("incr", "diff", "full")}
# A Monday, so that a rule that names no day of the week means that.
START = "2024-01-01T00:00"


@dataclass(frozen=True)
class Schedule:
    """Backups of ``kind`` (or better) begin at the occurrences of a rule. One is not asked for before ``tolerance_s`` after that, and not
    any more after ``look_back_s``."""

    series: Series
    zone: dt.tzinfo
    kind: str
    tolerance_s: int
    look_back_s: int


@dataclass(frozen=True)
class Retention:
    """So many full backups, and every instant of the last ``window_s`` seconds. ``None``: not asked."""

    full: int | None = None
    window_s: int | None = None


def parse_schedule(given: Mapping[str, Any]) -> Schedule:
    """A schedule as it is written in a playbook; ValueError says what is wrong, and what to write."""
    try:
        zone = ZoneInfo(given["timezone"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"option schedule: timezone is {given['timezone']!r}, which is none. Write for example Europe/Brussels") from None
    try:
        rule = parse_recurrence(given["rrule"], zone)
        tolerance_s, look_back_s = parse_duration(given["tolerance"]), parse_duration(given["look_back"])
    except ValueError as exc:
        raise ValueError(f"option schedule: {exc}") from exc
    return Schedule(Series(rule, wall_seconds(dt.datetime.fromisoformat(START))), zone, given["kind"], tolerance_s, look_back_s)


def judge_schedule(stanza: Stanza, schedule: Schedule, *, now: dt.datetime) -> Check:
    """Was every backup taken that was due, on its time or at least before the next one was due?

    Asked from the oldest retained backup on: what expired cannot be told.
    """
    wanted = f"a {schedule.kind} backup for each time that one was due"
    hint = "Look at the backup timer and its log, and take a backup before the next one is due."
    oldest = min((b.start for b in stanza.backups), default=None)
    if oldest is None:
        return Check("backup_schedule", False, "no backup at all", wanted, hint, "SCHEDULE")
    end = int(now.timestamp())
    first = max(end - schedule.look_back_s, int(oldest.timestamp()))
    try:
        times = due_times(schedule, first, end)
    except TooCostlyError as exc:
        return unknown("backup_schedule", str(exc), hint="Write a rule with fewer times.", code="SCHEDULE")
    judged = [(at, late, until) for (at, late), (until, _late) in pairwise([*times, (end + 1, 0)]) if late <= end - schedule.tolerance_s]
    begun = [int(b.start.timestamp()) for b in stanza.backups if b.type in STANDS_FOR[schedule.kind]]
    missed = [at for at, _late, until in judged if not any(at - CLOCK_SKEW_S <= start < until for start in begun)]
    if not judged:
        why = f"no backup was due within {schedule.look_back_s} s before now, or none since the oldest backup"
        return unknown("backup_schedule", why, hint="Lengthen look_back, or correct rrule.", code="SCHEDULE")
    seen = {"due": len(judged), "missed": [rfc3339(dt.datetime.fromtimestamp(at, dt.timezone.utc)) for at in missed]}
    return Check("backup_schedule", not missed, seen, wanted, hint, "SCHEDULE")


def due_times(schedule: Schedule, first: int, last: int) -> list[tuple[int, int]]:
    """When a backup was due within ``first .. last``, in seconds since 1970: twice the same, but for the hour that is shown twice, in which
    some timers act the first time and some the second."""
    series, zone = schedule.series, schedule.zone
    # a change of an offset is less than a day
    walls = series.between(wall_clock(first, zone) - DAY_S, wall_clock(last, zone) + DAY_S)
    times = ((place(wall, zone, later=False), place(wall, zone, later=True)) for wall in walls)
    return [(at, late) for at, late in times if first <= at and late <= last]


def judge_retention(stanza: Stanza, retention: Retention, window: Mapping[str, Any], *, now: dt.datetime) -> list[Check]:
    """Are old backups kept? ``window``: the earliest and the latest instant that can be restored, RFC 3339 or null."""
    checks = []
    if retention.full is not None:
        per_repo = [sum(b.type == "full" and b.repo == repo for b in stanza.backups) for repo in repos(stanza.backups)]
        fewest = min(per_repo, default=0)
        hint = "Raise repo-retention-full; find out who removed the others."
        checks.append(Check("retained_full", fewest >= retention.full, fewest, f">= {retention.full}", hint, "RETENTION"))
    if retention.window_s is not None:
        earliest = window.get("earliest")
        reach = int((now - parse_instant(earliest)).total_seconds()) if earliest else None
        kept = reach is not None and reach >= retention.window_s
        hint = "Raise repo-retention-full and repo-retention-archive. A new repository needs time until it reaches back so far."
        checks.append(Check("retained_window_s", kept, reach, f">= {retention.window_s}", hint, "RETENTION"))
    return checks


def judge_copies(stanza: Stanza, copies: int, *, now: dt.datetime, max_age_s: int) -> Check:
    """Do so many repositories have a backup that is young enough and whole?"""
    good = [b for b in stanza.backups if b.error is False and (now - b.stop).total_seconds() <= max_age_s]
    seen = repos(good)
    hint = "Look at the backups into the other repositories (pgbackrest --repo=2 backup)."
    return Check("backup_copies", len(seen) >= copies, {"repos": seen}, f">= {copies} repositories", hint, "MISSING_COPY")


def repos(backups: Sequence[Backup]) -> list[int]:
    return sorted({b.repo for b in backups})
