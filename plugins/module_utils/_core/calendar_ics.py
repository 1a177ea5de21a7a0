# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The events of an iCalendar file (RFC 5545). What bears on when an event takes place is understood or an error.

Every event counts, also one that is marked as free time (``TRANSP``): programs mark whole days so of their own accord. Only
``STATUS:CANCELLED`` takes an event, or one occurrence of it, away.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .calendar_fields import problem
from .calendar_ics_text import Component, Line, Moment, moment
from .calendar_ics_zone import file_zone
from .calendar_model import CalendarError, Event
from .calendar_rrule import Series
from .calendar_rrule_text import parse_recurrence
from .calendar_wall import DAY_S
from .duration import parse_duration

Zones = Callable[[str], dt.tzinfo]


def parse_events(found: Sequence[Component], where: str, zone: dt.tzinfo, zones: Zones) -> tuple[Event, ...]:
    """The events of a file's components; ``zone`` is for times without one. Raises CalendarError."""
    if not found or any(calendar.name != "VCALENDAR" for calendar in found):
        raise problem(where, "the file holds no VCALENDAR", [c.name for c in found], "Write the path of an iCalendar file.")
    return tuple(event for calendar in found for event in _calendar(calendar, where, zone, zones))


def _calendar(calendar: Component, where: str, zone: dt.tzinfo, zones: Zones) -> Iterator[Event]:
    strange = [child.name for child in calendar.children if child.name not in ("VEVENT", "VTIMEZONE")]
    if strange:
        raise problem(where, f"components {strange[0]} are not understood", strange, "Export events alone.")
    scale = [line.value for line in calendar.all("CALSCALE") if line.value.strip().upper() != "GREGORIAN"]
    if scale:
        raise problem(where, "CALSCALE is not GREGORIAN", scale[0], "Export it in the Gregorian calendar.")
    reader = _Reader(zone, _with_own(zones, [child for child in calendar.children if child.name == "VTIMEZONE"]))
    read: dict[tuple[str, int | None], _Read] = {}
    for number, child in enumerate([child for child in calendar.children if child.name == "VEVENT"], 1):
        uid = child.all("UID")[0].value if child.all("UID") else f"without UID, {number}"
        try:
            one = reader.read(child, uid)
        except ValueError as exc:
            raise CalendarError(f"{where}, event {number} ({uid}): {exc}.") from exc
        if one.key in read:
            raise CalendarError(f"{where}, event {number} ({uid}): it is there twice. Keep the newest.")
        read[one.key] = one
    yield from _combined(list(read.values()), where)


def _with_own(zones: Zones, components: Sequence[Component]) -> Zones:
    """The IANA zone of a name, or else the one that the file brings along."""
    texts = {line.value: component for component in components for line in component.all("TZID")}
    made: dict[str, dt.tzinfo] = {}

    def find(name: str) -> dt.tzinfo:
        if name not in made:
            try:
                made[name] = zones(name)
            except ValueError as exc:
                if name not in texts:
                    raise ValueError(f"the time zone {name!r} is unknown, and no VTIMEZONE is it. Write an IANA name") from exc
                made[name] = file_zone(texts[name])
        return made[name]

    return find


@dataclass(frozen=True)
class _Read:
    """An event, or ``None`` for a cancelled one. ``replaces`` is the occurrence of the same UID that it stands for."""

    uid: str
    event: Event | None
    replaces: Moment | None
    whole_day: bool

    @property
    def key(self) -> tuple[str, int | None]:
        return self.uid, self.replaces.instant() if self.replaces else None


def _combined(read: Sequence[_Read], where: str) -> Iterator[Event]:
    replaced: dict[str, list[Moment]] = {}
    for one in read:
        if one.replaces:
            replaced.setdefault(one.uid, []).append(one.replaces)
    for one in read:
        gone = replaced.get(one.uid, []) if one.replaces is None else []
        if any(moment.whole_day is not one.whole_day for moment in gone):
            raise problem(where, f"RECURRENCE-ID of {one.uid} and its DTSTART are not both a date or both a time", "", "Export it again.")
        if one.event:
            yield replace(one.event, except_=one.event.except_ | {moment.on(one.event.zone) for moment in gone})


@dataclass(frozen=True)
class _Reader:
    """``zone`` is for times without one. All raise ValueError."""

    zone: dt.tzinfo
    zones: Zones

    def read(self, component: Component, uid: str) -> _Read:
        start, replaces = self._moment(component.need("DTSTART")), component.one("RECURRENCE-ID")
        _refuse(component, "EXRULE")
        if replaces:
            _refuse(component, "RRULE", "RDATE", "EXDATE")
            if "RANGE" in replaces.params:
                raise ValueError("RECURRENCE-ID has RANGE, which is not understood. End the series before it and begin a new one")
        length, elapsed = self._length(component, start)
        rules = [parse_recurrence(line.value, start.zone, dates=start.whole_day) for line in component.all("RRULE")]
        event = Event(
            zone=start.zone,
            start=start.wall,
            length=length,
            elapsed=elapsed,
            series=tuple(Series(rule, start.wall) for rule in rules),
            extra=tuple(extra for line in component.all("RDATE") for extra in self._extra(line, start)),
            except_=frozenset(self._same(text, line, start) for line in component.all("EXDATE") for text in line.value.split(",")),
        )
        status = component.one("STATUS")
        cancelled = status is not None and status.value.strip().upper() == "CANCELLED"
        return _Read(uid, None if cancelled else event, self._moment(replaces) if replaces else None, start.whole_day)

    def _moment(self, line: Line) -> Moment:
        return moment(line.value, line.params, self.zone, self.zones)

    def _same(self, text: str, line: Line, start: Moment) -> int:
        """A further time of an event, on the wall of its start."""
        found = moment(text, {k: v for k, v in line.params.items() if k != "VALUE"}, self.zone, self.zones)
        if found.whole_day is not start.whole_day:
            raise ValueError(f"{line.name} {text!r} and DTSTART are not both a date or both a time. Write both alike")
        return found.on(start.zone)

    def _extra(self, line: Line, start: Moment) -> Iterator[tuple[int, int | None]]:
        for text in line.value.split(","):
            begin, slash, end = text.partition("/")
            at = self._same(begin, line, start)
            yield at, self._period(begin, end, line) if slash else None

    def _period(self, begin: str, end: str, line: Line) -> int:
        if end.strip().upper().startswith(("P", "+P")):
            return _duration(end)
        params = {key: value for key, value in line.params.items() if key != "VALUE"}
        first, last = (moment(text, params, self.zone, self.zones).instant() for text in (begin, end))
        if last <= first:
            raise ValueError(f"RDATE ends at {end!r}, not after its start {begin!r}. Correct the end")
        return last - first

    def _length(self, component: Component, start: Moment) -> tuple[int, bool]:
        """Seconds, and whether they are elapsed time."""
        end, duration = component.one("DTEND"), component.one("DURATION")
        if end and duration:
            raise ValueError("it has DTEND and DURATION. Keep one")
        if duration:
            seconds = _duration(duration.value)
            if start.whole_day and seconds % DAY_S:
                raise ValueError(f"DURATION is {duration.value}, but it starts on a date. Write whole days")
            return seconds, not start.whole_day
        if end is None:
            return (DAY_S if start.whole_day else 0), False
        return self._until(self._moment(end), start)

    @staticmethod
    def _until(end: Moment, start: Moment) -> tuple[int, bool]:
        if end.whole_day is not start.whole_day:
            raise ValueError("DTSTART and DTEND are not both a date or both a time. Write both alike")
        elapsed = end.zone is not start.zone
        seconds = end.instant() - start.instant() if elapsed else end.wall - start.wall
        if seconds < 0:
            raise ValueError("DTEND is before DTSTART. Correct one of them")
        return seconds, elapsed


def _refuse(component: Component, *names: str) -> None:
    for name in names:
        if component.all(name):
            raise ValueError(f"{name} is not understood here. Export the event without it")


def _duration(text: str) -> int:
    return parse_duration(text.strip().upper().removeprefix("+"))
