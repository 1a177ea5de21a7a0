# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the time that a clock on the wall shows lies in time: folds and gaps of daylight saving.

In a fold (the hour that is shown twice) a deny span takes the earlier start and the later end, an allow span the later
start and the earlier end: doubt never lets work through. A time in a gap (never shown) means the instant of the transition.

Wall-clock times are whole seconds since 1970-01-01T00:00 on that clock, so that a day is always 86400 of them.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from .calendar_spans import Span

DAY_S = 86400
EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - wall-clock times carry no zone until they are placed
_SECOND = dt.timedelta(seconds=1)


def wall_seconds(wall: dt.datetime) -> int:
    return (wall - _EPOCH) // _SECOND


def wall_time(wall: int) -> dt.datetime:
    return _EPOCH + wall * _SECOND


def wall_clock(instant: int, zone: dt.tzinfo) -> int:
    """What a clock on the wall shows at an instant."""
    return instant + _offset(dt.datetime.fromtimestamp(instant, zone))


def place(wall: int, zone: dt.tzinfo, *, later: bool) -> int:
    """The instant of a wall-clock time in a zone; ``later`` says which of two when it is shown twice."""
    steady = _steady(zone, wall // DAY_S)
    if steady is not None:
        return wall - steady
    first, second = _offsets(zone, wall)
    if first >= second:
        return wall - (second if later else first)
    return _transition(wall - second, wall - first, zone)


def wall_span(since: int, until: int, zone: dt.tzinfo, *, deny: bool) -> Span:
    """From one wall-clock time to another. A span that is empty on the wall stays empty."""
    if since >= until:
        return (0, 0)
    return place(since, zone, later=not deny), place(until, zone, later=deny)


def elapsed_span(since: int, seconds: int, zone: dt.tzinfo, *, deny: bool) -> Span:
    """From a wall-clock time for an exact time; in a fold from one of its two starts to the other one's end."""
    return place(since, zone, later=not deny), place(since, zone, later=deny) + seconds


@lru_cache(maxsize=1 << 16)
def _steady(zone: dt.tzinfo, day: int) -> int | None:
    """The offset in seconds that holds for all of a wall-clock day (counted since 1970), ``None`` when it changes in it."""
    found = {offset for hours in (0, 12, 24) for offset in _offsets(zone, day * DAY_S + hours * 3600)}
    return found.pop() if len(found) == 1 else None


def _offsets(zone: dt.tzinfo, wall: int) -> tuple[int, int]:
    """Before and after, where the wall-clock time lies in a fold or gap; else the same twice."""
    moment = wall_time(wall).replace(tzinfo=zone)
    return _offset(moment), _offset(moment.replace(fold=1))


def _offset(moment: dt.datetime) -> int:
    return (moment.utcoffset() or dt.timedelta()) // _SECOND


def _transition(before: int, after: int, zone: dt.tzinfo) -> int:
    """The first instant in ``before .. after`` at which the zone's offset is that of ``after``."""
    new = _offset(dt.datetime.fromtimestamp(after, zone))
    while before < after:
        middle = (before + after) // 2
        if _offset(dt.datetime.fromtimestamp(middle, zone)) == new:
            after = middle
        else:
            before = middle + 1
    return after
