# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the single values of a calendar; each either is understood or is an error with its place."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .calendar_model import CalendarError
from .calendar_wall import DAY_S
from .duration import parse_duration

MAX_RULE_S = 366 * DAY_S
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?|24:00(?::00)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOCAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)")
_OFFSET = re.compile(r".*[0-9](?:[Zz]|[+-][0-9]{2}:?[0-9]{2})")


def problem(where: str, what: str, seen: Any, write: str) -> CalendarError:
    """The error of one place: what is wrong, what stands there, what to write instead."""
    shown = repr(seen)
    return CalendarError(f"{where}: {what}; seen {shown if len(shown) <= 80 else shown[:77] + '...'}. {write}")


def mapping(raw: Any, where: str, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise problem(where, f"{what} is not a mapping", raw, "Write keys and values, as in the module's examples.")
    return raw


def known(raw: Mapping[str, Any], keys: Collection[str], where: str) -> None:
    extra = sorted(str(key) for key in raw if key not in keys)
    if extra:
        raise problem(where, f"key {extra[0]} is unknown", ", ".join(extra), f"Write only {', '.join(keys)}.")


def text(raw: Mapping[str, Any], key: str, where: str, wanted: str = "a text") -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value.strip():
        raise problem(where, f"{key} is missing or no text", value, f"Write {key}: {wanted}.")
    return value


def texts(raw: Mapping[str, Any], key: str, where: str, choices: Collection[str] | None) -> list[str]:
    value = raw.get(key, [])
    wanted = f"a list of {either(choices)}" if choices else "a list of names"
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise problem(where, f"{key} is not a list", value, f"Write {wanted}.")
    bad = [item for item in value if not isinstance(item, str) or (choices and item not in choices)]
    if bad:
        raise problem(where, f"{key} holds what is not known", bad[0], f"Write {wanted}.")
    return list(value)


def clock(raw: Mapping[str, Any], key: str, where: str) -> int:
    """Seconds after midnight of a time of day; 86400 for 24:00."""
    value = raw.get(key)
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        why = "; without quotes YAML reads 20:00 as the number 1200" if isinstance(value, int) else ""
        raise problem(where, f"{key} is not a time of day{why}", value, f'Write {key}: "HH:MM" in quotes, "24:00" for the end of the day.')
    hours, minutes, seconds = (int(part) for part in f"{value}:00".split(":")[:3])
    return hours * 3600 + minutes * 60 + seconds


def local(raw: Mapping[str, Any], key: str, where: str) -> dt.datetime:
    """A local date and time, without zone."""
    value = raw.get(key)
    if isinstance(value, dt.datetime):  # YAML reads a time with seconds and no quotes so
        value = value.isoformat()
    found = _LOCAL.fullmatch(value) if isinstance(value, str) else None
    if not found or not _CLOCK.fullmatch(found[2]):
        offset = isinstance(value, str) and "T" in value.upper() and _OFFSET.fullmatch(value)
        why = " with an offset; the calendar's timezone is meant" if offset else ""
        raise problem(where, f"{key} is not a local date and time{why}", value, f'Write {key}: "2026-12-07T00:00", without zone or offset.')
    return day(found[1], key, where) + dt.timedelta(seconds=clock({key: found[2]}, key, where))


def day(value: str, key: str, where: str) -> dt.datetime:
    """The midnight at which a day begins, without zone."""
    if not _DAY.fullmatch(value):
        raise problem(where, f"{key} is not a day of the calendar", value, "Write a date such as 2026-12-24.")
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError as exc:
        raise problem(where, f"{key} is not a day of the calendar ({exc})", value, "Write a date that exists.") from exc
    if not 1970 < found.year < 3000:
        raise problem(where, f"{key} is not in the years 1971 to 2999", value, "Write the year that is meant.")
    return found


def elapsed(raw: Mapping[str, Any], key: str, where: str) -> int:
    """The seconds of an ISO 8601 duration."""
    try:
        found = parse_duration(raw.get(key, ""))
    except ValueError as exc:
        raise problem(where, f"{key} is no duration", raw.get(key), f"Write {key}: PT8H, or days, hours, minutes and seconds so.") from exc
    if found > MAX_RULE_S:
        raise problem(where, f"{key} is longer than 366 days", raw[key], "Write such a span with the kind once.")
    return found


def either(names: Collection[str]) -> str:
    return ", ".join(list(names)[:-1]) + f" or {list(names)[-1]}"
