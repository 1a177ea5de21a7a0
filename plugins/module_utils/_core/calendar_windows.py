# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All spans of calendars in a range of time, for dashboards, and the same as sync windows of Argo CD."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .calendar_decide import Findings, instant
from .calendar_model import Calendar, Scope
from .calendar_rules import spans
from .calendar_spans import Span, complement, merged
from .checks import rfc3339

MAX_RANGE_DAYS = 3660
# A window of Argo CD is a cron line, which has no year, so it comes back a year later.
MAX_SYNC_DAYS = 350
_MINUTE = 60


@dataclass(frozen=True)
class Range:
    """``since`` up to ``until``, for these tenants (none given: those that all calendars bind, too) and this scope."""

    since: dt.datetime
    until: dt.datetime
    tenants: tuple[str, ...] = ()
    scope: Scope = field(default_factory=Scope)
    max_days: int = MAX_RANGE_DAYS

    def __post_init__(self) -> None:
        for at in (self.since, self.until):
            if at.tzinfo is None or not 1971 <= at.year < 2990:
                raise ValueError(f"the range has {at.isoformat()}, wanted a time with a zone in the years 1971 to 2989. Correct it.")
        if not dt.timedelta() < self.until - self.since <= dt.timedelta(days=self.max_days):
            raise ValueError(f"the range is {self.until - self.since} long, wanted more than 0 and at most {self.max_days} days.")

    @property
    def span(self) -> Span:
        """In whole seconds, not shorter than asked for."""
        return int(self.since.timestamp()), -int(-self.until.timestamp() // 1)

    def counts(self, calendar: Calendar) -> bool:
        return calendar.counts(frozenset(self.tenants), self.scope) or (not self.tenants and calendar.applies_to.fits(self.scope))

    @property
    def emergency(self) -> bool:
        return self.scope.change_class == "emergency"


def windows(calendars: Sequence[Calendar], asked: Range) -> list[dict[str, Any]]:
    """One row for each span of each rule that meets the range, whole also where it begins before or ends after it."""
    rows = [
        (span, {"calendar": calendar.name, "rule": rule.name, "effect": rule.effect, "tenants": sorted(calendar.applies_to.tenants)})
        for calendar in calendars
        if asked.counts(calendar)
        for rule in calendar.rules
        if not (asked.emergency and rule.emergency_allowed)
        for span in spans(rule, calendar, asked.span)
    ]
    rows.sort(key=lambda row: (row[0], row[1]["calendar"], row[1]["rule"]))
    return [{**row, "from": rfc3339(instant(span[0])), "until": rfc3339(instant(span[1]))} for span, row in rows]


def free(calendars: Sequence[Calendar], asked: Range) -> list[Span]:
    """The stretches of the range in which all calendars that count let work through."""
    found = [Findings.of(calendar, asked.span, emergency=asked.emergency) for calendar in calendars if asked.counts(calendar)]
    return complement(merged(span for one in found for span in one.blocked(asked.span)), asked.span)


def sync_windows(calendars: Sequence[Calendar], asked: Range) -> list[dict[str, Any]]:
    """``spec.syncWindows`` of an Argo CD AppProject: ``allow`` for each free stretch, in whole minutes within it.

    Argo CD lets syncs through where no window is defined at all, so that a range without any free minute is one ``deny``. After the
    range nothing is allowed until it is rendered again, because Argo CD refuses outside of ``allow`` windows.
    """
    found = [_sync_window(start, end) for start, end in whole_minutes(free(calendars, asked))]
    return found or [_window("deny", "0 0 * * *", 24 * 60)]


def whole_minutes(spans: Sequence[Span]) -> list[Span]:
    """The whole minutes within each span; a cron line knows no seconds."""
    whole = [(-(-start // _MINUTE) * _MINUTE, end // _MINUTE * _MINUTE) for start, end in spans]
    return [(start, end) for start, end in whole if start < end]


def _sync_window(start: int, end: int) -> dict[str, Any]:
    at = instant(start)
    return _window("allow", f"{at.minute} {at.hour} {at.day} {at.month} *", (end - start) // _MINUTE)


def _window(kind: str, schedule: str, minutes: int) -> dict[str, Any]:
    return {"kind": kind, "schedule": schedule, "duration": f"{minutes}m", "timeZone": "UTC", "applications": ["*"], "manualSync": False}
