# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads business calendars from YAML files and finds what they refer to: time zones, holidays, iCalendar files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .._core.calendar_ics_text import Component
from .._core.calendar_model import Calendar, CalendarError
from .._core.calendar_parse import Sources, parse_calendar, parse_calendars
from .calendar_holidays import country_holidays
from .calendar_ics_file import read_components
from .strict_yaml import load_strictly

__all__ = ["CalendarError", "read_calendars"]

Find = Callable[[str], str]


def read_calendars(given: Iterable[Any], find: Find = str) -> list[Calendar]:
    """Calendars from mappings and from paths of YAML files with lists of them; ``find`` makes a path absolute."""
    result: list[Calendar] = []
    for number, item in enumerate(given, 1):
        if isinstance(item, str):
            result += _from_file(item, find)
        else:
            result.append(parse_calendar(item, f"calendars, calendar {number}", _sources(find)))
    return result


@cache
def zone(name: str) -> dt.tzinfo:
    """The time zone of an IANA name; ValueError when there is none."""
    try:
        return ZoneInfo(str(name))
    except (OSError, KeyError, ValueError) as exc:  # a folder's name is an OSError, a missing zone a KeyError
        raise ValueError(f"no time zone data for {name!r}; where no zone at all is found, install tzdata") from exc


def _sources(find: Find) -> Sources:
    def events(path: str) -> list[Component]:
        return read_components(find(path))

    return Sources(zones=zone, country=country_holidays, events=events)


def _from_file(name: str, find: Find) -> list[Calendar]:
    where = f"calendar file {name}"
    try:
        path = Path(find(name))
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CalendarError(f"{where}: cannot be read ({exc}). Write the path of a YAML file that this user may read.") from exc

    def beside(other: str) -> str:
        return str(path.parent / other) if (path.parent / other).exists() else find(other)

    return parse_calendars(_load(text, where), where, _sources(beside))


def _load(text: str, where: str) -> Any:
    try:
        return load_strictly(text)
    except ValueError as exc:
        raise CalendarError(f"{where}: is not valid YAML ({exc}). Correct it; yamllint shows the place.") from exc
