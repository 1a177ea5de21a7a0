"""P3: 1,000 tenants and 20 rules judged with the next slot, and what a rule costs beside the peers.

python -m tests.bench.calendars

Each figure is the median of some runs, in CPU time. The peers are asked for the occurrences in the same 90 days.
"""

from __future__ import annotations

import datetime as dt
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection

RUNS = 15
TENANTS = [f"tenant-{number:04}" for number in range(1000)]
AT = dt.datetime(2026, 12, 1, 9, tzinfo=dt.timezone.utc)
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//bench//bench//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20200101T000000Z
DTSTART:20200125T060000Z
DURATION:PT8H
RRULE:FREQ=MONTHLY;BYMONTHDAY=25
END:VEVENT
END:VCALENDAR
"""


def rules() -> list[dict[str, Any]]:
    """20 rules of all kinds that leave Saturday nights free."""
    month_end = {"from": {"business_day": -3, "at": "00:00"}, "until": {"business_day": 2, "month": "next", "at": "18:00"}}
    filing = {"from": {"day": 18, "at": "08:00"}, "until": {"day": 20, "at": "24:00"}}
    monthly = {"rrule": "FREQ=MONTHLY;BYMONTHDAY=25", "start": "2020-01-25T06:00", "duration": "PT8H"}
    yearly = {"rrule": "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "start": "2020-11-26T00:00", "duration": "P3D"}
    daily = {"rrule": "FREQ=DAILY;BYHOUR=6,18", "start": "2020-01-01T06:00", "duration": "PT30M"}
    kinds: list[dict[str, Any]] = [{"span": month_end}, {"span": filing}, monthly, yearly, daily]
    kinds += [{"once": {"from": f"2026-12-{day:02}T00:00", "until": f"2026-12-{day + 1:02}T00:00"}} for day in (7, 14, 21)]
    kinds += [{"weekly": {"days": [day], "from": "08:00", "until": "18:00"}} for day in WEEKDAYS]
    kinds += [{"weekly": {"days": WEEKDAYS, "from": f"{hour:02}:00", "until": f"{hour + 1:02}:00"}} for hour in range(6)]
    found = [{"name": f"rule {number}", "effect": "deny", **kind} for number, kind in enumerate(kinds)]
    return [*found, {"name": "weekends", "effect": "allow", "weekly": {"days": ["sat"], "from": "20:00", "until": "04:00"}}]


def calendars(count: int) -> list[dict[str, Any]]:
    """The 20 rules over so many calendars; of several, each binds its share of the tenants."""
    holidays = {"country": "BE", "dates": ["2026-12-24"]}
    base = {"timezone": "Europe/Brussels", "holidays": holidays}
    if count == 1:
        return [{"name": "all", **base, "rules": rules()}]
    return [{"name": f"c{n}", **base, "rules": rules(), "applies_to": {"tenants": TENANTS[n::count]}} for n in range(count)]


def cost(work: Callable[[], object], runs: int = RUNS) -> float:
    """Milliseconds of CPU, the median."""
    work()
    found = []
    for _number in range(runs):
        began = time.process_time()
        work()
        found.append((time.process_time() - began) * 1e3)
    return statistics.median(found)


def estate() -> None:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import calendar_decide as d
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars

    question = d.Question(AT, 7200, tuple(TENANTS))

    def judged(given: Iterable[Any]) -> None:
        answer = d.decide(read_calendars(given), question)
        assert not answer.allowed
        assert answer.next_start is not None
        d.checks(answer, question)
        d.blocking_rows(answer)

    for count in (1, 10):
        given = calendars(count)
        assert all(len(calendar["rules"]) == 20 for calendar in given)
        what = "all tenants by one calendar" if count == 1 else f"each tenant by one of {count} calendars"
        print(f"calendars, 1,000 tenants x 20 rules with the next slot, {what}: {cost(lambda given=given: judged(given)):.1f} ms")


def peers() -> None:
    """One rule of 2020 asked about 90 days of 2026."""
    import icalendar
    import recurring_ical_events
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_rrule import Series
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_rrule_text import parse_recurrence
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_rules import spans
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_wall import wall_seconds
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars
    from dateutil.rrule import rrulestr

    start, first = (at.replace(tzinfo=None) for at in (AT.replace(year=2020, month=1, day=25, hour=6), AT))
    last = first + dt.timedelta(days=90)
    print("calendars, occurrences of one rule of 2020 in 90 days of 2026, parsed and expanded:")
    for text in ("FREQ=MONTHLY;BYMONTHDAY=25", "FREQ=WEEKLY;BYDAY=SA", "FREQ=DAILY;BYHOUR=6,18", "FREQ=HOURLY"):

        def ours(text: str = text) -> int:
            series = Series(parse_recurrence(text, dt.timezone.utc), wall_seconds(start))
            return len(list(series.between(wall_seconds(first), wall_seconds(last))))

        def theirs(text: str = text) -> int:
            return len(rrulestr(text, dtstart=start).between(first, last, inc=True))

        assert ours() == theirs()
        print(f"  {text:<28} ours {cost(ours):8.3f} ms   dateutil {cost(theirs, 5):8.3f} ms")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ics"
        path.write_text(EVENT)
        rule = {"name": "r", "effect": "deny", "ics": str(path)}
        within = (int(AT.timestamp()), int(AT.timestamp()) + 90 * 86400)

        def our_file() -> int:
            (calendar,) = read_calendars([{"name": "c", "timezone": "UTC", "rules": [rule]}])
            return len(spans(calendar.rules[0], calendar, within))

        def their_file() -> int:
            events = recurring_ical_events.of(icalendar.Calendar.from_ical(path.read_text()))
            return len(events.between(AT, AT + dt.timedelta(days=90)))

        assert our_file() == their_file()
        print(f"  {'an iCalendar file of it':<28} ours {cost(our_file):8.3f} ms   recurring-ical-events {cost(their_file, 5):8.3f} ms")


def main() -> int:
    estate()
    peers()
    return 0


if __name__ == "__main__":
    sys.exit(main())
