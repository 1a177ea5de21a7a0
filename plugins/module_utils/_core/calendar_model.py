# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a business calendar is: rules that deny or allow, in a time zone, for some tenants, environments, domains, classes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from .calendar_rrule import Series
from .errors import ChangeError

DENY, ALLOW = "deny", "allow"
ENVIRONMENTS = ("development", "staging", "uat", "production")
DOMAINS = ("application", "infrastructure", "data", "security")
CLASSES = ("standard", "normal", "emergency", "data_impacting")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# The days off of a year.
Holidays = Callable[[int], frozenset[dt.date]]


class CalendarError(ChangeError):
    """A calendar that cannot be read or understood: which file, calendar and rule, what was seen, what to write."""


@dataclass(frozen=True)
class Weekly:
    """From one wall-clock time to another on some days of the week; ``until <= since`` ends on the next day.

    Times are seconds after the day's midnight as a clock on the wall shows them; 86400 is midnight at the day's end.
    """

    days: tuple[int, ...]
    since: int
    until: int


@dataclass(frozen=True)
class Once:
    """From one local date and time to another (both without zone: the calendar's zone places them)."""

    since: dt.datetime
    until: dt.datetime


@dataclass(frozen=True)
class Recurring:
    """At each occurrence of an RFC 5545 rule, for ``seconds`` of elapsed time."""

    series: Series
    seconds: int


@dataclass(frozen=True)
class MonthDay:
    """A time on a day of a month. A negative ``number`` counts from the month's end; ``months`` is 1 for the next month."""

    number: int
    business: bool
    months: int
    at: int


@dataclass(frozen=True)
class MonthSpan:
    """From a day of each month to a day of the same or the next one."""

    since: MonthDay
    until: MonthDay


@dataclass(frozen=True)
class Event:
    """One event of an iCalendar file. Its occurrences: the start, each series, ``extra`` (``RDATE``), less ``except_``.

    Times are seconds on the wall of ``zone``. ``length`` is until the end on the wall (``DTEND``), or of elapsed time
    (``DURATION``) where ``elapsed`` is true. An ``extra`` may have a length of its own, in elapsed time.
    """

    zone: dt.tzinfo
    start: int
    length: int
    elapsed: bool
    series: tuple[Series, ...] = ()
    extra: tuple[tuple[int, int | None], ...] = ()
    except_: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Events:
    events: tuple[Event, ...]


When: TypeAlias = "Weekly | Once | Recurring | MonthSpan | Events"


@dataclass(frozen=True)
class Rule:
    """``when`` is one of the kinds above; ``calendar_rules`` holds one function for each."""

    name: str
    effect: str
    when: When
    emergency_allowed: bool = False


@dataclass(frozen=True)
class Scope:
    """What a change is about. ``None`` means that it was not said, and then no calendar is ruled out by it."""

    environment: str | None = None
    domain: str | None = None
    change_class: str | None = None


@dataclass(frozen=True)
class AppliesTo:
    """Whom a calendar binds; an empty set means all."""

    tenants: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()

    def fits(self, scope: Scope) -> bool:
        pairs = ((self.environments, scope.environment), (self.domains, scope.domain), (self.classes, scope.change_class))
        return all(not allowed or value is None or value in allowed for allowed, value in pairs)


def no_holidays(_year: int) -> frozenset[dt.date]:
    return frozenset()


@dataclass(frozen=True)
class Calendar:
    name: str
    zone: dt.tzinfo
    rules: tuple[Rule, ...]
    applies_to: AppliesTo = field(default_factory=AppliesTo)
    holidays: Holidays = no_holidays
    source: str = ""

    def binds(self, tenant: str) -> bool:
        return not self.applies_to.tenants or tenant in self.applies_to.tenants

    def counts(self, tenants: frozenset[str], scope: Scope) -> bool:
        """Whether it has a say on a change of this scope to any of these tenants."""
        return self.applies_to.fits(scope) and (not self.applies_to.tenants or bool(self.applies_to.tenants & tenants))
