# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Spans from a day of each month to a day of the same or the next one, by day or by business day.

A business day is Monday to Friday less the holidays. A month that lacks the day has no such span.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator

from .calendar_model import Holidays, MonthDay, MonthSpan
from .calendar_rrule import month_length
from .calendar_wall import DAY_S, EPOCH_DAY

_SATURDAY = 5


def month_walls(when: MonthSpan, holidays: Holidays, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Pairs of wall-clock seconds of all spans that may meet ``first .. last``."""
    # A span begins at most in the month after its own and ends there, too.
    begin, end = (dt.date.fromordinal(at // DAY_S + EPOCH_DAY) for at in (first, last))
    for month in range(begin.year * 12 + begin.month - 3, end.year * 12 + end.month):
        since, until = (_wall(part, month + part.months, holidays) for part in (when.since, when.until))
        if since is not None and until is not None:
            yield since, until


def _wall(part: MonthDay, month: int, holidays: Holidays) -> int | None:
    """``month`` counts from the year 0."""
    year, number = divmod(month, 12)
    days = business_days(year, number + 1, holidays) if part.business else range(1, month_length(year, number + 1) + 1)
    if not 1 <= abs(part.number) <= len(days):
        return None
    day = days[part.number - 1 if part.number > 0 else part.number]
    return (dt.date(year, number + 1, day).toordinal() - EPOCH_DAY) * DAY_S + part.at


def business_days(year: int, month: int, holidays: Holidays) -> list[int]:
    off = {date.day for date in holidays(year) if (date.year, date.month) == (year, month)}
    first, length = calendar.monthrange(year, month)
    return [day for day in range(1, length + 1) if (first + day - 1) % 7 < _SATURDAY and day not in off]
