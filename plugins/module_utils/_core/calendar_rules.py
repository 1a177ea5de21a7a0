# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The spans of each kind of rule. A new kind is a dataclass in ``calendar_model`` and one function here.

Each function yields every span of its rule that meets ``within``; it may yield others and empty ones, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .calendar_model import DENY, Calendar, CalendarError, Event, Events, MonthSpan, Once, Recurring, Rule, Weekly
from .calendar_month import month_walls
from .calendar_rrule import TooCostlyError
from .calendar_spans import Span, overlapping
from .calendar_wall import DAY_S, EPOCH_DAY, elapsed_span, wall_seconds, wall_span

Kind = Callable[[Any, Calendar, bool, Span], Iterator[Span]]


def spans(rule: Rule, calendar: Calendar, within: Span) -> list[Span]:
    """The spans of one rule that meet ``within``, as instants, in the order in which they start. Raises CalendarError."""
    try:
        found = list(_KINDS[type(rule.when)](rule.when, calendar, rule.effect == DENY, _around(within)))
    except TooCostlyError as exc:
        raise CalendarError(
            f"{calendar.source or calendar.name}, rule {rule.name!r}: its occurrences cost too much: {exc}. "
            "Write fewer and longer occurrences, give it an end or a later start, or look less far ahead."
        ) from exc
    return sorted(set(overlapping([span for span in found if span[0] < span[1]], within)))


def _around(within: Span) -> Span:
    """The wall-clock times that any zone may show within the instants: offsets stay below a day."""
    return within[0] - DAY_S, within[1] + DAY_S


def _once(when: Once, calendar: Calendar, deny: bool, _around: Span) -> Iterator[Span]:
    yield wall_span(wall_seconds(when.since), wall_seconds(when.until), calendar.zone, deny=deny)


def _weekly(when: Weekly, calendar: Calendar, deny: bool, around: Span) -> Iterator[Span]:
    until = when.until if when.until > when.since else when.until + DAY_S
    weekdays = {(day + 1 - EPOCH_DAY) % 7 for day in when.days}
    for day in range(around[0] // DAY_S - 2, around[1] // DAY_S + 1):
        if day % 7 in weekdays:
            yield wall_span(day * DAY_S + when.since, day * DAY_S + until, calendar.zone, deny=deny)


def _recurring(when: Recurring, calendar: Calendar, deny: bool, around: Span) -> Iterator[Span]:
    # A fold can make a span longer than its duration, by less than a day.
    for start in when.series.between(around[0] - when.seconds - DAY_S, around[1]):
        yield elapsed_span(start, when.seconds, calendar.zone, deny=deny)


def _month_span(when: MonthSpan, calendar: Calendar, deny: bool, around: Span) -> Iterator[Span]:
    for since, until in month_walls(when, calendar.holidays, *around):
        yield wall_span(since, until, calendar.zone, deny=deny)


def _events(when: Events, _calendar: Calendar, deny: bool, around: Span) -> Iterator[Span]:
    for event in when.events:
        yield from _event(event, deny, around)


def _event(event: Event, deny: bool, around: Span) -> Iterator[Span]:
    first, last = around[0] - event.length - DAY_S, around[1]
    starts = {event.start} | {at for at, own in event.extra if own is None}
    starts |= {at for series in event.series for at in series.between(first, last)}
    for start in starts - event.except_:
        if event.elapsed:
            yield elapsed_span(start, event.length, event.zone, deny=deny)
        else:
            yield wall_span(start, start + event.length, event.zone, deny=deny)
    for start, own in event.extra:
        if own is not None and start not in event.except_:
            yield elapsed_span(start, own, event.zone, deny=deny)


_KINDS: dict[type, Kind] = {
    Once: _once,
    Weekly: _weekly,
    Recurring: _recurring,
    MonthSpan: _month_span,
    Events: _events,
}
