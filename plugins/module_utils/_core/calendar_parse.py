# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what people wrote to a calendar. Everything that is not understood is an error: a rule that was skipped denies nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.kinds import kind_of

from .calendar_fields import clock, day, either, elapsed, known, local, mapping, problem, text, texts
from .calendar_ics import parse_events
from .calendar_ics_text import Component
from .calendar_model import (
    ALLOW,
    CLASSES,
    DAYS,
    DENY,
    DOMAINS,
    ENVIRONMENTS,
    AppliesTo,
    Calendar,
    Events,
    Holidays,
    MonthDay,
    MonthSpan,
    Once,
    Recurring,
    Rule,
    Weekly,
    When,
    no_holidays,
)
from .calendar_rrule import Series
from .calendar_rrule_text import parse_recurrence
from .calendar_wall import wall_seconds

_EVERY_DAY_OF_A_MONTH = 31


@dataclass(frozen=True)
class Sources:
    """What lies outside of a calendar's text. Each raises ValueError (``events``: CalendarError) with a reason.

    ``zones``: the time zone of an IANA name. ``country``: the holidays of a country and a subdivision or ``None``.
    ``events``: the components of an iCalendar file.
    """

    zones: Callable[[str], dt.tzinfo]
    country: Callable[[str, str | None], Holidays]
    events: Callable[[str], Sequence[Component]]


@dataclass(frozen=True)
class _Place:
    """Where a rule is read: the words that name it in an error, its calendar's zone, and the ports."""

    where: str
    zone: dt.tzinfo
    sources: Sources


def parse_calendars(raw: Any, where: str, sources: Sources) -> list[Calendar]:
    """All calendars of a list; ``where`` names its source."""
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
        wanted = "Write a YAML list of calendars, each with name, timezone and rules."
        raise problem(where, "the calendars are not a list", kind_of(raw), wanted)
    return [parse_calendar(item, f"{where}, calendar {number}", sources) for number, item in enumerate(raw, 1)]


def parse_calendar(raw: Any, where: str, sources: Sources) -> Calendar:
    raw = mapping(raw, where, "the calendar")
    name = text(raw, "name", where)
    where = f"{where} ({name})"
    known(raw, ("name", "timezone", "applies_to", "holidays", "rules"), where)
    rules = raw.get("rules")
    if not isinstance(rules, Sequence) or isinstance(rules, str | bytes) or not rules:
        raise problem(where, "rules is not a list of rules", rules, "Write at least one rule, or remove the calendar.")
    zone = _zone(text(raw, "timezone", where, "an IANA name such as Europe/Brussels or UTC"), where, sources)
    return Calendar(
        name=name,
        zone=zone,
        rules=tuple(_rule(rule, f"{where}, rule {number}", zone, sources) for number, rule in enumerate(rules, 1)),
        applies_to=_applies_to(raw.get("applies_to"), where),
        holidays=_holidays(raw.get("holidays"), f"{where}, holidays", sources),
        source=where,
    )


def _zone(name: str, where: str, sources: Sources) -> dt.tzinfo:
    try:
        return sources.zones(name)
    except ValueError as exc:
        raise problem(where, f"the time zone is unknown ({exc})", name, "Write an IANA name such as Europe/Brussels or UTC.") from exc


def _applies_to(raw: Any, where: str) -> AppliesTo:
    if raw is None:
        return AppliesTo()
    where = f"{where}, applies_to"
    raw = mapping(raw, where, "applies_to")
    known(raw, ("tenants", "environments", "domains", "classes"), where)
    return AppliesTo(
        tenants=frozenset(texts(raw, "tenants", where, None)),
        environments=frozenset(texts(raw, "environments", where, ENVIRONMENTS)),
        domains=frozenset(texts(raw, "domains", where, DOMAINS)),
        classes=frozenset(texts(raw, "classes", where, CLASSES)),
    )


def _holidays(raw: Any, where: str, sources: Sources) -> Holidays:
    if raw is None:
        return no_holidays
    raw = mapping(raw, where, "holidays")
    known(raw, ("country", "subdivision", "dates"), where)
    dates = frozenset(_date(value, where) for value in _items(raw.get("dates", []), "dates", where))
    if "country" not in raw:
        if "subdivision" in raw:
            raise problem(where, "subdivision stands without country", raw["subdivision"], "Write the country, too.")
        return lambda _year: dates
    country = text(raw, "country", where, "an ISO 3166 code such as BE; in quotes, because YAML reads NO as false")
    subdivision = text(raw, "subdivision", where, "the code of a part of the country") if "subdivision" in raw else None
    try:
        public = sources.country(country, subdivision)
    except ValueError as exc:
        raise problem(where, f"the country is unknown ({exc})", country, "Write an ISO 3166 code such as BE, or dates alone.") from exc
    return lambda year: public(year) | dates


def _items(raw: Any, key: str, where: str) -> Sequence[Any]:
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
        raise problem(where, f"{key} is not a list", raw, f'Write {key}: ["2026-12-24"].')
    return raw


def _date(value: Any, where: str) -> dt.date:
    if isinstance(value, dt.datetime) or not isinstance(value, str | dt.date):
        raise problem(where, "dates holds what is no date", value, 'Write dates: ["2026-12-24"].')
    return day(str(value), "dates", where).date()


def _rule(raw: Any, where: str, zone: dt.tzinfo, sources: Sources) -> Rule:
    raw = mapping(raw, where, "the rule")
    name = text(raw, "name", where)
    where = f"{where} ({name})"
    kind = _kind(raw, where)
    known(raw, ("name", "effect", "emergency", kind, *_MORE_KEYS.get(kind, ())), where)
    if raw.get("effect") not in (DENY, ALLOW):
        raise problem(where, "effect is not known", raw.get("effect"), "Write effect: deny or effect: allow.")
    if raw.get("emergency", "allowed") != "allowed":
        raise problem(where, "emergency is not known", raw["emergency"], "Write emergency: allowed, or leave the key out.")
    return Rule(name, raw["effect"], KINDS[kind](raw, _Place(f"{where}, {kind}", zone, sources)), "emergency" in raw)


def _kind(raw: Mapping[str, Any], where: str) -> str:
    kinds = [kind for kind in KINDS if kind in raw]
    if len(kinds) != 1:
        raise problem(where, "a rule has exactly one kind", kinds or sorted(map(str, raw)), f"Write one of {either(KINDS)}.")
    return kinds[0]


def _weekly(rule: Mapping[str, Any], at: _Place) -> Weekly:
    raw = mapping(rule["weekly"], at.where, "weekly")
    known(raw, ("days", "from", "until"), at.where)
    days = texts(raw, "days", at.where, DAYS)
    if not days:
        raise problem(at.where, "days is empty", raw.get("days"), "Write days such as [sat, sun].")
    since, until = (clock(raw, key, at.where) for key in ("from", "until"))
    if since == 86400:
        raise problem(at.where, "from is at the day's end", raw["from"], 'Write "00:00" and the next day.')
    return Weekly(tuple(sorted(DAYS.index(day) for day in set(days))), since, until)


def _once(rule: Mapping[str, Any], at: _Place) -> Once:
    raw = mapping(rule["once"], at.where, "once")
    known(raw, ("from", "until"), at.where)
    return Once(*(local(raw, key, at.where) for key in ("from", "until")))


def _rrule(rule: Mapping[str, Any], at: _Place) -> Recurring:
    written = text(rule, "rrule", at.where, 'a rule such as "FREQ=MONTHLY;BYMONTHDAY=25"')
    start = local(rule, "start", at.where)
    try:
        recurrence = parse_recurrence(written, at.zone)
    except ValueError as exc:
        raise problem(at.where, "the rule is not understood", written, f"In it, {exc}.") from exc
    return Recurring(Series(recurrence, wall_seconds(start)), elapsed(rule, "duration", at.where))


def _span(rule: Mapping[str, Any], at: _Place) -> MonthSpan:
    raw = mapping(rule["span"], at.where, "span")
    known(raw, ("from", "until"), at.where)
    return MonthSpan(*(_month_day(raw.get(key), f"{at.where}.{key}", key) for key in ("from", "until")))


def _month_day(raw: Any, where: str, key: str) -> MonthDay:
    raw = mapping(raw, where, key)
    known(raw, ("day", "business_day", "month", "at"), where)
    kinds = [kind for kind in ("day", "business_day") if kind in raw]
    if len(kinds) != 1:
        raise problem(where, "it has exactly one of day and business_day", kinds, "Write day: 18 or business_day: -3.")
    number = raw[kinds[0]]
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= abs(number) <= _EVERY_DAY_OF_A_MONTH:
        raise problem(where, f"{kinds[0]} is no day of a month", number, "Write 1 to 31, or -1 to -31 from the month's end.")
    if raw.get("month", "this") not in ("this", "next"):
        raise problem(where, "month is not known", raw["month"], "Write month: this or month: next.")
    return MonthDay(number, kinds[0] == "business_day", int(raw.get("month") == "next"), clock(raw, "at", where))


def _ics(rule: Mapping[str, Any], at: _Place) -> Events:
    path = text(rule, "ics", at.where, "the path of an iCalendar file")
    return Events(parse_events(at.sources.events(path), f"{at.where} {path}", at.zone, at.sources.zones))


_MORE_KEYS = {"rrule": ("start", "duration")}
KINDS: dict[str, Callable[[Mapping[str, Any], _Place], When]] = {
    "once": _once,
    "weekly": _weekly,
    "rrule": _rrule,
    "span": _span,
    "ics": _ics,
}
