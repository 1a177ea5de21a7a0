# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A time zone from the ``VTIMEZONE`` of an iCalendar file, for names that are not in the IANA database."""

from __future__ import annotations

import datetime
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from .calendar_ics_text import Component, Line, moment
from .calendar_rrule import Series
from .calendar_rrule_text import parse_recurrence
from .calendar_wall import wall_seconds

_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})([0-9]{2})?")
_SECOND = datetime.timedelta(seconds=1)
_STEP_YEARS = 2


@dataclass(frozen=True)
class Observance:
    """From each onset (on the wall as it was before) ``after`` is the offset in seconds, until the next observance."""

    onsets: frozenset[int]
    series: tuple[Series, ...]
    before: int
    after: int

    def between(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Instant and new offset of each onset in ``first .. last - 1``."""
        found = {at for series in self.series for at in series.between(first + self.before, last - 1 + self.before)}
        for wall in found | {at for at in self.onsets if first <= at - self.before < last}:
            yield wall - self.before, self.after


class FileZone(datetime.tzinfo):
    """Finds its changes of the clock as far as it is asked, and keeps them."""

    def __init__(self, name: str, observances: list[Observance]) -> None:
        self._name, self._observances = name, observances
        starts = {min(o.onsets) - o.before: o.before for o in observances}
        self._known = min(starts)
        self._changes: list[int] = []
        self._offsets = [starts[self._known]]

    def _grow(self, instant: int) -> None:
        if instant < self._known:
            return
        until = instant + _STEP_YEARS * 366 * 86400
        for at, offset in sorted(change for o in self._observances for change in o.between(self._known, until)):
            self._changes.append(at)
            self._offsets.append(offset)
        self._known = until

    def utcoffset(self, dt: datetime.datetime | None) -> datetime.timedelta:
        if dt is None:
            return datetime.timedelta()
        wall = wall_seconds(dt.replace(tzinfo=None))
        self._grow(wall + 2 * 86400)
        # In a fold the first pass still has the offset before the change, in a gap too: PEP 495.
        side = min if dt.fold else max
        number = bisect_right(range(len(self._changes)), wall, key=lambda n: self._changes[n] + side(self._offsets[n : n + 2]))
        return self._offsets[number] * _SECOND

    def fromutc(self, dt: datetime.datetime) -> datetime.datetime:
        instant = wall_seconds(dt.replace(tzinfo=None))
        self._grow(instant)
        number = bisect_right(self._changes, instant)
        folded = number > 0 and instant - self._changes[number - 1] < self._offsets[number - 1] - self._offsets[number]
        return (dt + self._offsets[number] * _SECOND).replace(fold=int(folded))

    def tzname(self, _moment: datetime.datetime | None) -> str:
        return self._name

    def dst(self, _moment: datetime.datetime | None) -> None:
        return None


def file_zone(component: Component) -> FileZone:
    """ValueError when the ``VTIMEZONE`` is not understood."""
    found = [_observance(child) for child in component.children if child.name in ("STANDARD", "DAYLIGHT")]
    if not found or len(found) < len(component.children):
        raise ValueError("a VTIMEZONE holds something else than STANDARD and DAYLIGHT, or nothing. Export the file again")
    return FileZone(component.need("TZID").value, found)


def _observance(component: Component) -> Observance:
    before, after = (_offset(component.need(name)) for name in ("TZOFFSETFROM", "TZOFFSETTO"))
    zone = datetime.timezone(datetime.timedelta(seconds=before))
    start = moment(component.need("DTSTART").value, {}, zone, _no_zone).wall
    rules = [parse_recurrence(line.value, zone) for line in component.all("RRULE")]
    more = [moment(text, {}, zone, _no_zone).on(zone) for line in component.all("RDATE") for text in line.value.split(",")]
    return Observance(frozenset({start, *more}), tuple(Series(rule, start) for rule in rules), before, after)


def _offset(line: Line) -> int:
    found = _OFFSET.fullmatch(line.value.strip())
    if not found:
        raise ValueError(f"{line.name} is {line.value!r}. Write an offset such as +0100")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    total = hours * 3600 + minutes * 60 + seconds
    if total >= 86400:
        raise ValueError(f"{line.name} is {line.value!r}. Write less than a day")
    return -total if found[1] == "-" else total


def _no_zone(name: str) -> datetime.tzinfo:
    raise ValueError(f"a VTIMEZONE names the time zone {name!r}. Export the file again")
