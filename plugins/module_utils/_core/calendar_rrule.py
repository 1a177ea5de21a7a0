# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The occurrences of a recurrence rule (RFC 5545, section 3.3.10) in wall-clock time.

Nothing is replayed from the start: a day tells by arithmetic whether it lies in one of the rule's intervals, so that a
question about next week costs a week's days, however old the rule is. Only ``COUNT`` has to count from the start.
Within a period each rule part that names days narrows the days, as dateutil does it too; see ``docs/calendars.md``.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, product

from .calendar_wall import DAY_S, EPOCH_DAY

# Seconds of the units that are shorter than a day, and the most days that a longer period has.
UNITS = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600}
PERIODS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}
# Looked at in one expansion: days and times of day together. More is a mistake or not worth its time.
MAX_STEPS = 500_000

DayTest = Callable[[dt.date], bool]


class TooCostlyError(ValueError):
    """An expansion that looks at more than ``MAX_STEPS`` days and times."""


@dataclass(frozen=True)
class Recurrence:
    """The parts of a rule. Numbers as written; ``days`` holds pairs of an ordinal (0 for every) and a weekday (0 is Monday).

    ``until`` is in wall-clock seconds since 1970.
    """

    freq: str
    interval: int = 1
    count: int | None = None
    until: int | None = None
    months: frozenset[int] = frozenset()
    weeks: frozenset[int] = frozenset()
    year_days: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    days: frozenset[tuple[int, int]] = frozenset()
    hours: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    seconds: frozenset[int] = frozenset()
    positions: tuple[int, ...] = ()
    week_start: int = 0


@dataclass(frozen=True)
class Series:
    """A rule with its start, in wall-clock seconds since 1970. The start is an occurrence only if the rule says so."""

    rule: Recurrence
    start: int

    def between(self, first: int, last: int) -> Iterator[int]:
        """The occurrences in ``first .. last``, both included, in order. Raises TooCostlyError."""
        rule, seen = self.rule, 0
        last = last if rule.until is None else min(last, rule.until)
        first = max(first, self.start)
        if last < first:
            return
        for moment in self._from(self.start if rule.count else first, last):
            if moment < self.start:
                continue
            seen += 1
            if moment > last or (rule.count and seen > rule.count):
                return
            if moment >= first:
                yield moment

    def _from(self, first: int, last: int) -> Iterator[int]:
        """Occurrences by the rule alone, from days around ``first .. last``."""
        left = _Budget()
        if self.rule.freq in UNITS or not self.rule.positions:
            for day in self._days(first // DAY_S, last // DAY_S):
                yield from left.spend(self._times_on(day))
            return
        # Positions count within whole periods, so whole periods are built on both sides.
        margin = PERIODS[self.rule.freq]
        days = self._days(first // DAY_S - margin, last // DAY_S + margin)
        for _period, group in groupby(days, key=lambda day: self._period(dt.date.fromordinal(day + EPOCH_DAY))):
            moments = [moment for day in group for moment in left.spend(self._times_on(day))]
            yield from _picked(moments, self.rule.positions)

    def _days(self, first: int, last: int) -> Iterator[int]:
        """The days ``first .. last`` (counted since 1970) less whole months that the rule passes over."""
        months = _completed(self.rule, self._start_date).months
        if not months:
            yield from range(first, last + 1)
            return
        while first <= last:
            date = dt.date.fromordinal(first + EPOCH_DAY)
            end = first + month_length(date.year, date.month) - date.day
            if date.month in months:
                yield from range(first, min(end, last) + 1)
            first = end + 1

    def _times_on(self, day: int) -> Sequence[int]:
        date = dt.date.fromordinal(day + EPOCH_DAY)
        if self.rule.freq in UNITS:
            return self._sub_daily(day) if all(test(date) for test in self._tests) else ()
        if (self._period(date) - self._first_period) % self.rule.interval or not all(test(date) for test in self._tests):
            return ()
        return [day * DAY_S + second for second in self._times]

    def _sub_daily(self, day: int) -> list[int]:
        unit, interval = UNITS[self.rule.freq], self.rule.interval
        aligned = (self.start // unit - day * (DAY_S // unit)) % interval
        all_units = range(aligned, DAY_S // unit, interval)
        if self._units is None:
            units: Iterable[int] = all_units
        elif len(all_units) < len(self._units):
            units = (number for number in all_units if number in self._unit_set)
        else:
            units = (number for number in self._units if (number - aligned) % interval == 0)
        return [day * DAY_S + number * unit + offset for number in units for offset in self._times]

    @cached_property
    def _first_period(self) -> int:
        return self._period(self._start_date)

    @cached_property
    def _start_date(self) -> dt.date:
        return dt.date.fromordinal(self.start // DAY_S + EPOCH_DAY)

    @cached_property
    def _period(self) -> Callable[[dt.date], int]:
        week_start = self.rule.week_start
        numbers: dict[str, Callable[[dt.date], int]] = {
            "YEARLY": lambda date: date.year,
            "MONTHLY": lambda date: date.year * 12 + date.month,
            "WEEKLY": lambda date: (date.toordinal() - 1 - week_start) // 7,
        }
        return numbers.get(self.rule.freq, dt.date.toordinal)

    @cached_property
    def _tests(self) -> list[DayTest]:
        return _day_tests(_completed(self.rule, self._start_date))

    @cached_property
    def _times(self) -> list[int]:
        """Seconds after midnight, or after the beginning of the unit for the frequencies below a day."""
        rule, at = self.rule, self.start % DAY_S
        hours = sorted(rule.hours) or [at // 3600]
        minutes = sorted(rule.minutes) or [at // 60 % 60]
        seconds = sorted(rule.seconds) or [at % 60]
        if rule.freq in UNITS:
            hours = [0]
            minutes = minutes if rule.freq == "HOURLY" else [0]
            seconds = seconds if rule.freq != "SECONDLY" else [0]
        found = [h * 3600 + m * 60 + s for h, m, s in product(hours, minutes, seconds)]
        return _picked(found, rule.positions) if rule.freq in UNITS and rule.positions else found

    @cached_property
    def _units(self) -> list[int] | None:
        """The units of a day that the times of day let through; ``None`` when they let all through."""
        rule, unit = self.rule, UNITS[self.rule.freq]
        minutes = rule.minutes if unit < 3600 else frozenset()
        seconds = rule.seconds if unit < 60 else frozenset()
        if not (rule.hours or minutes or seconds):
            return None
        whole = (
            sorted(rule.hours or range(24)),
            sorted(minutes or range(60)) if unit < 3600 else [0],
            sorted(seconds or range(60)) if unit < 60 else [0],
        )
        return [(h * 3600 + m * 60 + s) // unit for h, m, s in product(*whole)]

    @cached_property
    def _unit_set(self) -> frozenset[int]:
        return frozenset(self._units or ())


class _Budget:
    def __init__(self) -> None:
        self._left = MAX_STEPS

    def spend(self, moments: Sequence[int]) -> Sequence[int]:
        self._left -= 1 + len(moments)
        if self._left < 0:
            raise TooCostlyError(f"more than {MAX_STEPS} days and times would have to be looked at")
        return moments


def _picked(moments: list[int], positions: Sequence[int]) -> list[int]:
    """The moments at the positions, which count from 1, or from the end as -1."""
    size = len(moments)
    return sorted({moments[p - 1 if p > 0 else p] for p in positions if -size <= p <= size})


def _completed(rule: Recurrence, start: dt.date) -> Recurrence:
    """What the rule does not say about days comes from the start."""
    if rule.weeks or rule.year_days or rule.month_days or rule.days or rule.freq not in ("YEARLY", "MONTHLY", "WEEKLY"):
        return rule
    if rule.freq == "WEEKLY":
        return replace(rule, days=frozenset({(0, start.weekday())}))
    months = rule.months or (frozenset({start.month}) if rule.freq == "YEARLY" else frozenset())
    return replace(rule, months=months, month_days=frozenset({start.day}))


def _day_tests(rule: Recurrence) -> list[DayTest]:
    tests: list[DayTest] = []
    if rule.days:
        tests.append(_weekday_test(rule))
    if rule.month_days:
        tests.append(lambda date: date.day in rule.month_days or date.day - month_length(date.year, date.month) - 1 in rule.month_days)
    if rule.months:
        tests.append(lambda date: date.month in rule.months)
    if rule.year_days:
        tests.append(lambda date: _year_day(date) in rule.year_days or _year_day(date) - _year_length(date.year) - 1 in rule.year_days)
    if rule.weeks:
        tests.append(lambda date: not rule.weeks.isdisjoint(_week_numbers(date, rule.week_start)))
    return tests


def _weekday_test(rule: Recurrence) -> DayTest:
    plain = frozenset(weekday for ordinal, weekday in rule.days if not ordinal)
    of_month = rule.freq == "MONTHLY" or bool(rule.months)

    def test(date: dt.date) -> bool:
        weekday = date.weekday()
        if weekday in plain:
            return True
        number, length = (date.day, month_length(date.year, date.month)) if of_month else (_year_day(date), _year_length(date.year))
        return ((number - 1) // 7 + 1, weekday) in rule.days or (-((length - number) // 7 + 1), weekday) in rule.days

    def every(date: dt.date) -> bool:
        return date.weekday() in plain

    return every if len(plain) == len(rule.days) else test


def month_length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _year_day(date: dt.date) -> int:
    return date.toordinal() - dt.date(date.year, 1, 1).toordinal() + 1


def _year_length(year: int) -> int:
    return 365 + calendar.isleap(year)


def _week_numbers(date: dt.date, week_start: int) -> tuple[int, int]:
    """The number of the date's week, from the front and from the end of the year that holds the week's fourth day (ISO 8601)."""
    fourth = dt.date.fromordinal(date.toordinal() - (date.weekday() - week_start) % 7 + 3)
    number, length = _year_day(fourth), _year_length(fourth.year)
    return (number - 1) // 7 + 1, -((length - number) // 7 + 1)
