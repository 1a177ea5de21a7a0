"""An oracle for calendars that knows no arithmetic of zones: it walks minute by minute and looks at the clock on the wall.

It shares no code with the product. Where a wall-clock time is shown twice it finds two minutes; where it is never shown it
finds none and takes the first minute that shows a later one. Recurrences are dateutil's. A set of minutes is a big integer.
"""

from __future__ import annotations

import bisect
import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays
from dateutil.rrule import rrulestr

DAY = 1440
SIDE_DAYS = 3
MINUTE = dt.timedelta(minutes=1)
ZONES = [
    "Europe/Brussels",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Chisinau",
    "Europe/Moscow",
    "Europe/Volgograd",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Africa/Juba",
    "Asia/Gaza",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Asia/Amman",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Asuncion",
    "America/Nuuk",
    "America/Sao_Paulo",
    "Pacific/Easter",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Antarctica/Troll",
    "UTC",
]
QUIET = ("2020-02-29", "2024-12-31", "2027-08-02", "2031-01-01", "2035-12-30")


def transitions(zone: str, first: int = 2020, last: int = 2035) -> list[str]:
    """The days (UTC) of all years ``first .. last`` on which the zone's clocks change."""
    info, at, found = ZoneInfo(zone), dt.datetime(first, 1, 1, tzinfo=dt.UTC), []
    before = at.astimezone(info).utcoffset()
    while at.year <= last:
        at += dt.timedelta(hours=6)
        now = at.astimezone(info).utcoffset()
        if now != before:
            found.append((at - dt.timedelta(hours=6)).date().isoformat())
        before = now
    return found


@cache
def anchors() -> list[tuple[str, str]]:
    """Every change of the clock in every zone, and some days without one."""
    return [(zone, day) for zone in ZONES for day in [*transitions(zone), *QUIET]]


class Walk:
    """Every minute of some days around an anchor with what the wall shows."""

    def __init__(self, zone: str, day: str) -> None:
        self.zone, self.day = zone, dt.datetime.fromisoformat(day)
        self.start = self.day.replace(tzinfo=dt.UTC) - dt.timedelta(days=SIDE_DAYS)
        info, self.size = ZoneInfo(zone), 2 * SIDE_DAYS * DAY
        self.walls = [(self.start + MINUTE * m).astimezone(info).replace(tzinfo=None) for m in range(self.size)]
        self.at: dict[dt.datetime, list[int]] = {}
        self.highest: list[dt.datetime] = []
        for minute, wall in enumerate(self.walls):
            self.at.setdefault(wall, []).append(minute)
            self.highest.append(max(wall, self.highest[-1]) if self.highest else wall)
        jumps = (a for a, b in zip(self.walls, self.walls[1:], strict=False) if b - a != MINUTE)
        # What the wall shows as the clock changes, or the night where it does not.
        self.change = next(jumps, self.day + MINUTE * 120)

    def minute(self, wall: dt.datetime, *, last: bool) -> int:
        if found := self.at.get(wall):
            return found[-1 if last else 0]
        return bisect.bisect_left(self.highest, wall)

    def bits(self, begin: int, end: int) -> int:
        begin, end = max(begin, 0), min(end, self.size)
        return ((1 << (end - begin)) - 1) << begin if begin < end else 0

    def marked(self, rule: dict[str, Any], calendar: dict[str, Any]) -> int:
        """The minutes that the rule's spans hold."""
        deny, result = rule["effect"] == "deny", 0
        for piece in pieces(self, rule, calendar):
            if piece.utc:
                begin = (piece.since - self.start.replace(tzinfo=None)) // MINUTE
                result |= self.bits(begin, begin + piece.minutes)
            elif piece.until is None:
                if self.walls[0] <= piece.since <= self.highest[-1]:
                    begin, again = (self.minute(piece.since, last=side) for side in (not deny, deny))
                    result |= self.bits(begin, again + piece.minutes)
            elif piece.since < piece.until:
                result |= self.bits(self.minute(piece.since, last=not deny), self.minute(piece.until, last=deny))
        return result


@dataclass(frozen=True)
class Piece:
    """From a wall-clock time until another, or for some minutes."""

    since: dt.datetime
    until: dt.datetime | None = None
    minutes: int = 0
    utc: bool = False


def pieces(walk: Walk, rule: dict[str, Any], calendar: dict[str, Any]) -> list[Piece]:
    if "once" in rule:
        return [Piece(*(dt.datetime.fromisoformat(rule["once"][key]) for key in ("from", "until")))]
    if "weekly" in rule:
        return weekly(walk, rule["weekly"])
    if "span" in rule:
        return month_spans(walk, rule["span"], days_off(calendar.get("holidays", {}), walk.day.year))
    if "ics" in rule:
        return rule["event"].pieces(walk)
    minutes = int(rule["duration"][2:-1])
    return [Piece(at, minutes=minutes) for at in occurrences(walk, rule["rrule"], dt.datetime.fromisoformat(rule["start"]))]


def occurrences(walk: Walk, text: str, start: dt.datetime) -> list[dt.datetime]:
    reach = dt.timedelta(days=SIDE_DAYS + 4)
    return list(rrulestr(text, dtstart=start).between(walk.day - reach, walk.day + reach, inc=True))


def weekly(walk: Walk, when: dict[str, Any]) -> list[Piece]:
    found = []
    for day in sorted({wall.date() for wall in walk.walls[::60]}):
        if ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day.weekday()] in when["days"]:
            since, until = (dt.datetime.fromisoformat(f"{day}T{when[key]}") for key in ("from", "until"))
            found.append(Piece(since, until if until > since else until + dt.timedelta(days=1)))
    return found


@cache
def public(country: str, year: int) -> frozenset[dt.date]:
    return frozenset(holidays.country_holidays(country, years=[year - 1, year, year + 1]))


def days_off(written: dict[str, Any], year: int) -> set[dt.date]:
    found = {dt.date.fromisoformat(day) for day in written.get("dates", [])}
    return found | public(written["country"], year) if "country" in written else found


def month_spans(walk: Walk, when: dict[str, Any], off: set[dt.date]) -> list[Piece]:
    def days(first: dt.date, *, business: bool) -> list[dt.date]:
        month = [first + dt.timedelta(days=n) for n in range(31)]
        return [d for d in month if d.month == first.month and not (business and (d.isoweekday() > 5 or d in off))]

    def wall(part: dict[str, Any], first: dt.date) -> dt.datetime | None:
        if part.get("month") == "next":
            first = (first + dt.timedelta(days=31)).replace(day=1)
        kind = "day" if "day" in part else "business_day"
        found, number = days(first, business=kind == "business_day"), part[kind]
        if abs(number) > len(found):
            return None
        midnight = dt.datetime.combine(found[number - 1 if number > 0 else number], dt.time())
        hours, minutes = part["at"].split(":")
        return midnight + dt.timedelta(hours=int(hours), minutes=int(minutes))

    firsts = sorted({(walk.day + dt.timedelta(days=n)).date().replace(day=1) for n in range(-75, 40, 5)})
    found = [(wall(when["from"], first), wall(when["until"], first)) for first in firsts]
    return [Piece(since, until) for since, until in found if since and until]


def answer(walk: Walk, calendars: list[dict[str, Any]], at: int, length: int, horizon: int, change_class: str) -> dict[str, Any]:
    """Whether the minutes from ``at`` on are free, which deny rules meet them, and the first free start in the horizon."""
    bad, denied, need = 0, set(), max(length, 1)
    asked = walk.bits(at, at + need)
    for calendar in calendars:
        binding = [r for r in calendar["rules"] if not (change_class == "emergency" and r.get("emergency"))]
        for rule in binding:
            if rule["effect"] == "deny":
                minutes = rule["minutes"]
                bad |= minutes
                denied |= {(calendar["name"], rule["name"])} if minutes & asked else set()
        if any(rule["effect"] == "allow" for rule in binding):
            allowed = 0
            for rule in calendar["rules"]:
                allowed |= rule["minutes"] if rule["effect"] == "allow" else 0
            bad |= walk.bits(0, walk.size) & ~allowed
    starts, width = bad, 1
    while width < need:
        step = min(width, need - width)
        starts |= starts >> step
        width += step
    free = ~starts >> at
    first = (free & -free).bit_length() - 1
    return {"allowed": not bad & asked, "denied": denied, "next": first + at if first <= horizon else None}
