# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads recurrence rules as RFC 5545 writes them. A part that is not understood is an error, never left out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from .calendar_rrule import PERIODS, UNITS, Recurrence
from .calendar_wall import wall_clock, wall_seconds

FREQUENCIES = (*UNITS, *PERIODS)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MAX_INTERVAL = 1_000_000
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,7}")
# Part: field of Recurrence, least and greatest number, whether it may count from the end.
_NUMBERS = {
    "BYMONTH": ("months", 1, 12, False),
    "BYWEEKNO": ("weeks", 1, 53, True),
    "BYYEARDAY": ("year_days", 1, 366, True),
    "BYMONTHDAY": ("month_days", 1, 31, True),
    "BYHOUR": ("hours", 0, 23, False),
    "BYMINUTE": ("minutes", 0, 59, False),
    "BYSECOND": ("seconds", 0, 59, False),
}
PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", *_NUMBERS, "BYDAY", "BYSETPOS", "WKST")


def parse_recurrence(text: str, zone: dt.tzinfo, *, dates: bool = False) -> Recurrence:
    """The rule of a text such as ``FREQ=MONTHLY;BYMONTHDAY=25``; ValueError says what is wrong, seen and to be written.

    ``zone`` turns an ``UNTIL`` in UTC into wall-clock time. ``dates``: the start is a date, and ``UNTIL`` is one, too.
    """
    parts = _parts(text)
    freq = parts.pop("FREQ", "")
    if freq not in FREQUENCIES:
        raise ValueError(f"FREQ is {freq or 'missing'}. Write FREQ= and one of {', '.join(FREQUENCIES)}")
    if "UNTIL" in parts and "COUNT" in parts:
        raise ValueError("it has UNTIL and COUNT. Write one of them")
    fields: dict[str, Any] = {"freq": freq}
    for name, value in parts.items():
        field, read = _READERS[name]
        fields[field] = read(name, value)
    if "UNTIL" in parts:
        fields["until"] = _until(parts["UNTIL"], zone, dates=dates)
    return _checked(Recurrence(**fields), dates=dates)


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or name not in PARTS:
            raise ValueError(f"the part {part!r} is unknown. Write parts of {', '.join(PARTS)} with ; between them")
        if name in parts:
            raise ValueError(f"the part {name} is there twice. Write it once")
        parts[name] = value
    return parts


def _checked(rule: Recurrence, *, dates: bool) -> Recurrence:
    ordinal = any(number for number, _day in rule.days)
    if ordinal and (rule.freq not in ("MONTHLY", "YEARLY") or rule.weeks):
        raise ValueError("BYDAY has a number, which only FREQ=MONTHLY and FREQ=YEARLY without BYWEEKNO know. Write the day alone")
    if dates and (rule.freq in UNITS or rule.hours or rule.minutes or rule.seconds):
        raise ValueError("it has times of day, but it starts on a date. Give the start a time of day")
    return rule


def _number(name: str, text: str, least: int, most: int, *, from_end: bool = False) -> int:
    number = int(text) if _NUMBER.fullmatch(text) else None
    if number is None or not (least <= number <= most or (from_end and least <= -number <= most)):
        signs = f" or -{most} to -{least}" if from_end else ""
        raise ValueError(f"{name} has {text!r}. Write {least} to {most}{signs}")
    return number


def _numbers(name: str, text: str) -> frozenset[int]:
    _field, least, most, from_end = _NUMBERS[name]
    return frozenset(_number(name, item, least, most, from_end=from_end) for item in text.split(","))


def _days(_name: str, text: str) -> frozenset[tuple[int, int]]:
    found = set()
    for item in text.split(","):
        match = _DAY.fullmatch(item)
        if not match:
            raise ValueError(f"BYDAY has {item!r}. Write days such as MO,WE or, in a month or year, 2TU,-1FR")
        ordinal = _number("BYDAY", match[1], 1, 53, from_end=True) if match[1] else 0
        found.add((ordinal, WEEKDAYS.index(match[2])))
    return frozenset(found)


def _positions(name: str, text: str) -> tuple[int, ...]:
    return tuple(_number(name, item, 1, 366, from_end=True) for item in text.split(","))


def _week_start(_name: str, text: str) -> int:
    if text not in WEEKDAYS:
        raise ValueError(f"WKST is {text!r}. Write one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(text)


def _until(text: str, zone: dt.tzinfo, *, dates: bool) -> int:
    found = _UNTIL.fullmatch(text)
    if not found:
        raise ValueError(f"UNTIL is {text!r}. Write it as 20261231T220000 in local time or 20261231T220000Z in UTC")
    if bool(found[2]) is dates:
        wanted = "a date, as the start is" if dates else f"a time too, such as {found[1]}T235959: the last occurrence may be at it"
        raise ValueError(f"UNTIL is {text!r}. Write {wanted}")
    try:
        moment = dt.datetime.strptime(found[1] + (found[2] or "000000"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - placed below
        if found[3]:
            return wall_clock(int(moment.replace(tzinfo=dt.timezone.utc).timestamp()), zone)
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"UNTIL is {text!r}, which is no time ({exc}). Write one that exists") from exc
    return wall_seconds(moment)


_READERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    **{name: (numbers[0], _numbers) for name, numbers in _NUMBERS.items()},
    "INTERVAL": ("interval", lambda name, text: _number(name, text, 1, MAX_INTERVAL)),
    "COUNT": ("count", lambda name, text: _number(name, text, 1, MAX_INTERVAL)),
    "UNTIL": ("until", lambda _name, _text: None),
    "BYDAY": ("days", _days),
    "BYSETPOS": ("positions", _positions),
    "WKST": ("week_start", _week_start),
}
