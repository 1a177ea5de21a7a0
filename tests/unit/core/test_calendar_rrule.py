"""Recurrence rules against dateutil, and what only a table can say: errors, cost, the forms on which dateutil departs."""

from __future__ import annotations

import datetime as dt
import itertools
import random
import time
from zoneinfo import ZoneInfo

import dateutil.rrule
import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_rrule import MAX_STEPS, Series, TooCostlyError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_rrule_text import parse_recurrence
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_wall import wall_seconds, wall_time

from tests.support.rrules import FREQUENCIES, REACH, random_rule

UTC = dt.UTC


def series(text: str, start: str, zone: dt.tzinfo = UTC) -> Series:
    return Series(parse_recurrence(text, zone), wall_seconds(dt.datetime.fromisoformat(start)))


def found(text: str, start: str, first: str, last: str) -> list[str]:
    between = (wall_seconds(dt.datetime.fromisoformat(at)) for at in (first, last))
    return [wall_time(at).isoformat(timespec="minutes") for at in series(text, start).between(*between)]


@pytest.mark.parametrize(("freq", "cases"), list(zip(FREQUENCIES, (300, 300, 300, 300, 150, 60, 20), strict=True)))
def test_no_disagreement_with_dateutil(freq: str, cases: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # dateutil looks for the next occurrence of a rule that has none up to this year
    monkeypatch.setattr(dateutil.rrule.datetime, "MAXYEAR", 2040)
    rng = random.Random(freq)
    yielded = 0
    for number in range(cases):
        start = dt.datetime.fromisoformat("2019-01-01") + dt.timedelta(seconds=rng.randrange(4 * 365 * 86400))
        text = random_rule(rng, start, freq)
        first = start + dt.timedelta(seconds=rng.randint(-86400, REACH[freq] * 60000))
        last = first + dt.timedelta(seconds=rng.randint(0, REACH[freq] * 30000))
        theirs = list(dateutil.rrule.rrulestr(text, dtstart=start).between(first, last, inc=True))
        ours = [wall_time(at) for at in series(text, start.isoformat()).between(wall_seconds(first), wall_seconds(last))]
        assert ours == theirs, (number, text, start, first, last)
        yielded += bool(ours)
    assert yielded > cases / 10


@pytest.mark.parametrize(
    ("text", "start", "wanted"),
    [
        pytest.param(
            "FREQ=MONTHLY;BYDAY=MO,2TU", "2026-06-01T06:00", ["01", "08", "09", "15", "22", "29"], id="ordinals-and-plain-days-add-up"
        ),
        pytest.param(
            "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1", "2026-06-03T06:00", ["08", "15", "22", "29"], id="positions-in-the-first-week"
        ),
        pytest.param("FREQ=MONTHLY;BYMONTHDAY=15", "2026-06-10T06:00", ["15"], id="the-start-itself-only-if-the-rule-says-so"),
        pytest.param("FREQ=DAILY;COUNT=3", "2026-06-28T06:00", ["28", "29", "30"], id="count"),
        pytest.param("FREQ=DAILY;UNTIL=20260603T060000", "2026-06-01T06:00", ["01", "02", "03"], id="until-is-included"),
        pytest.param("FREQ=DAILY;UNTIL=20260603T055959", "2026-06-01T06:00", ["01", "02"], id="until-a-second-less"),
        pytest.param("RRULE:FREQ=DAILY;INTERVAL=10;", "2026-06-01T06:00", ["01", "11", "21"], id="as-files-write-it"),
        pytest.param("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2020-01-01T06:00", [], id="never"),
        pytest.param("FREQ=MINUTELY;INTERVAL=1000000;BYMONTH=7", "2020-01-01T06:00", [], id="seldom"),
    ],
)
def test_rules(text: str, start: str, wanted: list[str]) -> None:
    assert [at[8:10] for at in found(text, start, "2026-06-01T00:00", "2026-06-30T23:59")] == wanted


def test_the_days_around_new_year_belong_to_week_one_counted_from_both_ends() -> None:
    for week in ("1", "-53"):  # 2026 has 53 weeks, 2024-12-30 begins week 1 of 2025, which has 52
        text = f"FREQ=YEARLY;BYWEEKNO={week};BYDAY=MO"
        assert ("2025-12-29T06:00" in found(text, "2020-01-01T06:00", "2025-12-01T00:00", "2026-01-31T00:00")) is True


def test_until_in_utc_is_turned_into_the_zones_wall_clock() -> None:
    rule = parse_recurrence("FREQ=DAILY;UNTIL=20261205T190000Z", ZoneInfo("Europe/Brussels"))
    assert rule.until == wall_seconds(dt.datetime.fromisoformat("2026-12-05T20:00"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "part '' is unknown"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=FORTNIGHTLY", "FREQ is FORTNIGHTLY"),
        ("FREQ=DAILY;BYEASTER=1", "part 'BYEASTER=1' is unknown"),
        ("FREQ=DAILY;RSCALE=CHINESE", "is unknown"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is there twice"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL has '0'"),
        ("FREQ=DAILY;COUNT=-1", "COUNT has '-1'"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101T000000", "UNTIL and COUNT"),
        ("FREQ=DAILY;UNTIL=20270101", "a time too, such as 20270101T235959"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is 'TOMORROW'"),
        ("FREQ=DAILY;UNTIL=20271301T000000", "is no time"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR has '24'. Write 0 to 23"),
        ("FREQ=DAILY;BYSECOND=60", "Write 0 to 59"),
        ("FREQ=DAILY;BYHOUR=", "BYHOUR has ''"),
        ("FREQ=DAILY;BYMONTH=-1", "BYMONTH has '-1'. Write 1 to 12"),
        ("FREQ=YEARLY;BYYEARDAY=367", "or -366 to -1"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY has '0'"),
        ("FREQ=MONTHLY;BYDAY=XX", "BYDAY has 'XX'"),
        ("FREQ=WEEKLY;BYDAY=2MO", "BYDAY has a number"),
        ("FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "BYDAY has a number"),
        ("FREQ=MONTHLY;BYSETPOS=0;BYDAY=MO", "BYSETPOS has '0'"),
        ("FREQ=DAILY;WKST=X", "WKST is 'X'"),
        ("FREQ=DAILY\nDTSTART:20260101T000000", "Write"),
    ],
)
def test_what_is_not_understood_is_an_error(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"Write|Keep") as told:
        parse_recurrence(text, UTC)
    assert says in str(told.value)


YEAR = 365 * 86400


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;BYSECOND=0,15,30,45",
        "FREQ=SECONDLY;COUNT=1000000",
        f"FREQ=DAILY;BYHOUR={','.join(map(str, range(24)))};BYMINUTE={','.join(map(str, range(60)))}",
    ],
)
def test_cost_has_a_bound(text: str) -> None:
    began = time.process_time()
    with pytest.raises(TooCostlyError, match=str(MAX_STEPS)):
        list(series(text, "2026-01-01T00:00").between(0, 100 * YEAR))
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text", ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;INTERVAL=999999"]
)
def test_an_old_rule_costs_what_a_new_one_does(text: str) -> None:
    began = time.process_time()
    first = wall_seconds(dt.datetime.fromisoformat("2026-01-01"))
    list(itertools.islice(series(text, "1971-01-01T00:00").between(first, first + YEAR), 10**6))
    assert time.process_time() - began < 1
