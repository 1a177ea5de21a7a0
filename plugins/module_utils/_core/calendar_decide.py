# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""May work run through the whole of ``[at, at + duration)`` for all given tenants? If not, who says so, and when can it?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from .calendar_model import ALLOW, DENY, Calendar, Rule, Scope
from .calendar_rules import spans
from .calendar_spans import Span, complement, first_fit, merged, overlapping
from .calendar_wall import DAY_S
from .checks import Check, rfc3339

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_FIRST_LOOK_DAYS = 10
MAX_DURATION_S = 366 * DAY_S
MAX_HORIZON_DAYS = 3660


@dataclass(frozen=True)
class Question:
    at: dt.datetime
    duration_s: int
    tenants: tuple[str, ...]
    scope: Scope = field(default_factory=Scope)
    horizon_days: int = 90

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or not 1971 <= self.at.year < 2990:
            raise ValueError(f"at is {self.at.isoformat()}, wanted a time with a zone in the years 1971 to 2989. Correct it.")
        if not 0 <= self.duration_s <= MAX_DURATION_S:
            raise ValueError(f"duration is {self.duration_s} s, wanted 0 to 366 days. Split the work.")
        if not 0 <= self.horizon_days <= MAX_HORIZON_DAYS:
            raise ValueError(f"horizon_days is {self.horizon_days}, wanted 0 to {MAX_HORIZON_DAYS}. Look less far ahead.")
        if not self.tenants:
            raise ValueError("tenants is empty, wanted at least one. Name the tenants that the change touches.")


@dataclass(frozen=True)
class Blocking:
    """What one calendar says against it. ``since`` or ``until`` is ``None`` when no border lies within the horizon."""

    calendar: str
    rule: str
    since: int
    until: int | None
    reason: str


@dataclass(frozen=True)
class Answer:
    """``blocking`` has one entry for each tenant and reason; ``next_start`` is ``None`` with ``why_none`` when there is none."""

    blocking: tuple[tuple[str, Blocking], ...]
    next_start: dt.datetime | None
    why_none: str | None

    @property
    def allowed(self) -> bool:
        return not self.blocking


def decide(calendars: Sequence[Calendar], question: Question) -> Answer:
    """The answer of all calendars together; each that counts must agree. Raises CalendarError.

    Looks at growing stretches of time, because the next start is mostly near and the whole horizon costs most.
    """
    tenants = frozenset(question.tenants)
    counting = [calendar for calendar in calendars if calendar.counts(tenants, question.scope)]
    for days in _looks(question.horizon_days):
        look = _look(counting, question, days)
        if days == question.horizon_days or look.settled:
            break
    return Answer(
        blocking=_for_tenants(look.against, question.tenants),
        next_start=None if look.fit is None else instant(look.fit),
        why_none=None if look.fit is not None else _why_none(question, look.blocked, look.starts),
    )


def _looks(horizon_days: int) -> Iterator[int]:
    days = _FIRST_LOOK_DAYS
    while days < horizon_days:
        yield days
        days *= 8
    yield horizon_days


@dataclass(frozen=True)
class _Look:
    """What is to be seen when looking some days ahead. ``settled``: looking further would not change it."""

    fit: int | None
    settled: bool
    starts: Span
    blocked: list[Span]
    against: list[tuple[Calendar, list[Blocking]]]


def _look(calendars: Sequence[Calendar], question: Question, days: int) -> _Look:
    # Spans have whole seconds, so the interval may be widened to whole seconds without changing what it meets.
    start, rest = divmod(question.at - _EPOCH, dt.timedelta(seconds=1))
    begun = int(rest > dt.timedelta())
    asked = (start, max(start + question.duration_s + begun, start + 1))
    starts = (start + begun, start + days * DAY_S)
    horizon = (start, max(starts[1], start) + max(question.duration_s, 1) + 1)
    emergency = question.scope.change_class == "emergency"
    findings = [(calendar, Findings.of(calendar, horizon, emergency=emergency)) for calendar in calendars]
    blocked = merged(span for _calendar, found in findings for span in found.blocked(horizon))
    fit = first_fit(blocked, *starts, max(question.duration_s, 1))
    against = [(calendar, found.against(calendar, asked, horizon)) for calendar, found in findings]
    seen_whole = all(one.until is not None for _calendar, found in against for one in found)
    return _Look(fit, fit is not None and seen_whole, starts, blocked, against)


def _for_tenants(against: Sequence[tuple[Calendar, list[Blocking]]], tenants: Sequence[str]) -> tuple[tuple[str, Blocking], ...]:
    speaking = [(calendar, found) for calendar, found in against if found]
    return tuple((tenant, one) for tenant in tenants for calendar, found in speaking if calendar.binds(tenant) for one in found)


@dataclass(frozen=True)
class Findings:
    """The spans of one calendar's rules within the horizon."""

    deny: list[tuple[Rule, list[Span]]]
    allow: list[tuple[Rule, list[Span]]]
    limited: bool

    @classmethod
    def of(cls, calendar: Calendar, horizon: Span, *, emergency: bool) -> Findings:
        binding = [rule for rule in calendar.rules if not (emergency and rule.emergency_allowed)]
        return cls(
            deny=[(rule, spans(rule, calendar, horizon)) for rule in binding if rule.effect == DENY],
            # An emergency may use every allow span; it needs none when all allow rules let emergencies through.
            allow=[(rule, spans(rule, calendar, horizon)) for rule in calendar.rules if rule.effect == ALLOW],
            limited=any(rule.effect == ALLOW for rule in binding),
        )

    def gaps(self, horizon: Span) -> list[Span]:
        return complement([span for _rule, found in self.allow for span in found], horizon) if self.limited else []

    def blocked(self, horizon: Span) -> list[Span]:
        return [span for _rule, found in self.deny for span in found] + self.gaps(horizon)

    def against(self, calendar: Calendar, asked: Span, horizon: Span) -> list[Blocking]:
        denied = [
            Blocking(calendar.name, rule.name, span[0], span[1], f"{rule.name!r} of calendar {calendar.name!r} denies it")
            for rule, found in self.deny
            for span in overlapping(found, asked)
        ]
        names = ", ".join(rule.name for rule, _found in self.allow)
        outside = [
            Blocking(
                calendar.name,
                names,
                gap[0],
                gap[1] if gap[1] < horizon[1] else None,
                f"outside what calendar {calendar.name!r} allows ({names})",
            )
            for gap in overlapping(self.gaps(horizon), asked)
        ]
        return denied + outside


def _why_none(question: Question, blocked: Sequence[Span], starts: Span) -> str:
    """The reason why nothing fits, with the longest free stretch, so that one sees whether shorter work would."""
    if starts[0] > starts[1]:
        return "horizon_days is 0, so only the asked time was looked at."
    free = complement(blocked, (starts[0], starts[1] + 1))
    longest = max((end - start for start, end in free), default=0)
    seen = f"the longest free stretch is {longest} s" if longest else "no second is free"
    wanted = f"{seen} within {question.horizon_days} days, wanted {question.duration_s} s"
    return f"{wanted}. Shorten the work, look further ahead or change a calendar."


def instant(seconds: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(seconds=seconds)


def checks(answer: Answer, question: Question) -> list[Check]:
    """One check for each tenant."""
    end = question.at + dt.timedelta(seconds=question.duration_s)
    wanted = f"free from {rfc3339(question.at)} to {rfc3339(end)}"
    hint = f"Start at {rfc3339(answer.next_start)}." if answer.next_start else f"There is no next start: {answer.why_none}"
    show = cache(lambda found: describe(found, rfc3339))
    by_tenant: dict[str, list[Blocking]] = {}
    for tenant, found in answer.blocking:
        by_tenant.setdefault(tenant, []).append(found)
    result = []
    for tenant in dict.fromkeys(question.tenants):
        bad = by_tenant.get(tenant, [])
        seen = f"blocked: {show(bad[0])}" + (f" and {len(bad) - 1} more" if bad[1:] else "") if bad else "free"
        result.append(Check(f"window_{tenant}", not bad, seen, wanted, hint if bad else "", "BLACKOUT" if bad else ""))
    return result


def describe(found: Blocking, show: Callable[[dt.datetime], str]) -> str:
    until = "beyond the horizon" if found.until is None else show(instant(found.until))
    return f"{found.reason} ({show(instant(found.since))} to {until})"


def blocking_rows(answer: Answer) -> list[dict[str, str | None]]:
    """The ``blocking`` list as users see it."""
    return [{"tenant": tenant, **_row(found)} for tenant, found in answer.blocking]


@lru_cache(maxsize=1024)
def _row(found: Blocking) -> dict[str, str | None]:
    return {
        "calendar": found.calendar,
        "rule": found.rule,
        "from": rfc3339(instant(found.since)),
        "until": None if found.until is None else rfc3339(instant(found.until)),
        "reason": found.reason,
    }
