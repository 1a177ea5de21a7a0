from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import workload
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.workload import STEP_S, Sample, Window
from hypothesis import given
from hypothesis import strategies as st

UTC = dt.timezone.utc
NOW = dt.datetime(2026, 12, 2, 9, 0, tzinfo=UTC)  # a Wednesday
NIGHT = dt.datetime(2026, 12, 5, 22, 0, tzinfo=UTC)
NOON = dt.datetime(2026, 12, 7, 11, 0, tzinfo=UTC)
HOUR = 3600.0


def office(at: dt.datetime) -> float:
    """10 requests a second from 8 to 18 on working days, 1 otherwise."""
    return 10.0 if at.weekday() < 5 and 8 <= at.hour < 18 else 1.0


def history(load: Callable[[dt.datetime], float] = office, *, weeks: int = 6) -> list[Sample]:
    first = int((NOW - dt.timedelta(weeks=weeks)).timestamp()) // STEP_S * STEP_S
    return [(float(at), load(dt.datetime.fromtimestamp(at, UTC))) for at in range(first, int(NOW.timestamp()), STEP_S)]


def judged(samples: list[Sample], at: dt.datetime = NIGHT, **given: Any) -> tuple[bool | None, str]:
    window = Window(at, **{"duration_s": HOUR, "zone": UTC, **given})
    check = workload.judge_load("acme", samples, window, threshold=0.5, now=NOW)
    assert check.id == "workload_acme"
    assert bool(check.hint) == (check.ok is not True)
    return check.ok, check.code


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        pytest.param(NIGHT, (True, ""), id="a-quiet-night"),
        pytest.param(NOON, (False, "BUSY"), id="noon-of-a-monday"),
        pytest.param(dt.datetime(2026, 12, 7, 7, 30, tzinfo=UTC), (False, "BUSY"), id="an-hour-that-ends-in-the-busy-time"),
        pytest.param(dt.datetime(2026, 12, 7, 18, 0, tzinfo=UTC), (True, ""), id="begins-as-it-gets-quiet"),
        pytest.param(dt.datetime(2027, 2, 6, 22, 0, tzinfo=UTC), (True, ""), id="a-night-in-two-months"),
    ],
)
def test_the_same_hours_of_the_weeks_before(at: dt.datetime, wanted: tuple[bool, str]) -> None:
    assert judged(history(), at) == wanted


@pytest.mark.parametrize(("load", "wanted"), [(4.9, True), (5.0, True), (5.1, False)])
def test_exactly_at_the_threshold(load: float, wanted: bool) -> None:
    assert judged(history(lambda at: 10.0 if at.weekday() < 5 and 8 <= at.hour < 18 else load))[0] is wanted


def lost(weeks: int, value: float | None) -> list[Sample]:
    """The history with the window of so many weeks lost, or measured as something that is no number."""
    windows = Window(NIGHT, HOUR, UTC).weeks_before(NOW)[:weeks]
    found = []
    for at, load in history():
        inside = any(start <= at < end for start, end in windows)
        if not inside or value is not None:
            found.append((at, value if inside and value is not None else load))
    return found


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -1.0], ids=["missing", "nan", "infinite", "negative"])
@pytest.mark.parametrize(("weeks", "wanted"), [(0, (True, "")), (1, (True, "")), (2, (None, "NO_HISTORY")), (4, (None, "NO_HISTORY"))])
def test_what_was_not_measured_does_not_count(weeks: int, value: float | None, wanted: tuple[bool | None, str]) -> None:
    assert judged(lost(weeks, value)) == wanted


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        pytest.param([], (None, "NO_HISTORY"), id="nothing"),
        pytest.param(history(weeks=2), (None, "NO_HISTORY"), id="two-weeks"),
        pytest.param(history(lambda _at: 0.0), (True, ""), id="a-tenant-at-rest"),
        pytest.param(
            history(lambda at: 1.0 if at.weekday() == 5 and at.hour == 22 else 0.0), (False, "BUSY"), id="works-in-this-hour-only"
        ),
        pytest.param(history(lambda at: 900.0 if (at.day, at.hour, at.minute) == (24, 3, 0) else office(at)), (True, ""), id="one-spike"),
        pytest.param(
            history(lambda at: 9.0 if (at.month, at.day, at.hour) == (11, 14, 22) else office(at)), (False, "BUSY"), id="busy-in-one-week"
        ),
    ],
)
def test_odd_histories(samples: list[Sample], wanted: tuple[bool | None, str]) -> None:
    assert judged(samples) == wanted


@pytest.mark.parametrize(("kept", "wanted"), [(9, (None, "NO_HISTORY")), (10, (True, ""))], ids=["three-quarters", "five-sixths"])
def test_a_week_counts_when_four_fifths_of_its_window_are_measured(kept: int, wanted: tuple[bool | None, str]) -> None:
    gone = {start + n * STEP_S for start, _end in Window(NIGHT, HOUR, UTC).weeks_before(NOW)[:2] for n in range(kept, 12)}
    assert judged([sample for sample in history() if sample[0] not in gone]) == wanted


@pytest.mark.parametrize(("days", "wanted"), [(2, (None, "NO_HISTORY")), (1, (True, ""))])
def test_a_week_counts_when_four_fifths_of_it_are_measured(days: int, wanted: tuple[bool | None, str]) -> None:
    newest = Window(NIGHT, HOUR, UTC).weeks_before(NOW)[0][0]
    gone = [(newest - (2 + 7 * week + days) * 86400, newest - (2 + 7 * week) * 86400) for week in range(2)]
    assert judged([(at, value) for at, value in history() if not any(since <= at < until for since, until in gone)]) == wanted


def test_one_spike_does_not_make_noon_quiet() -> None:
    assert judged(history(lambda at: 900.0 if (at.day, at.hour, at.minute) == (24, 3, 0) else office(at)), NOON) == (False, "BUSY")


def test_least_weeks_may_be_fewer() -> None:
    assert judged(history(weeks=2), least_weeks=1) == (True, "")


def test_the_clock_on_the_wall_counts() -> None:
    """The clocks of Brussels went back on 25 October: 7:30 on the wall was an hour earlier before."""
    brussels, at = ZoneInfo("Europe/Brussels"), dt.datetime(2026, 11, 2, 7, 30, tzinfo=ZoneInfo("Europe/Brussels"))
    found = Window(at, HOUR, brussels).weeks_before(dt.datetime(2026, 11, 1, tzinfo=UTC))
    hours = [dt.datetime.fromtimestamp(start, UTC).strftime("%d %H:%M") for start, _end in found]
    assert hours == ["26 06:30", "19 05:30", "12 05:30", "05 05:30"]


def test_a_busy_window_names_a_quieter_start() -> None:
    check = workload.judge_load("acme", history(), Window(NOON, HOUR, UTC), threshold=0.5, now=NOW)
    assert check.hint == "The quietest start of the seven days after it is 2026-12-07T18:00:00Z, at 0.10 of the peak."


def test_what_is_asked_for_covers_the_oldest_week() -> None:
    start, end = workload.needed(Window(NIGHT, HOUR, UTC), NOW)
    assert dt.datetime.fromtimestamp(start, UTC) == dt.datetime(2026, 10, 31, 23, 0, tzinfo=UTC)
    assert dt.datetime.fromtimestamp(end, UTC) == NOW
    assert (end - start) / STEP_S < 11000, "Prometheus gives no more points than this"


@given(st.integers(0, 59 * 86400), st.integers(0, 86400 * 3))
def test_the_weeks_before_are_over_and_in_reach(seconds: int, duration: int) -> None:
    window = Window(NOW + dt.timedelta(seconds=seconds), float(duration), UTC)
    start, end = workload.needed(window, NOW)
    assert all(begun >= start and ended <= NOW.timestamp() for begun, ended in window.weeks_before(NOW))
    assert (end - start) / STEP_S < 11000


# -- declared peaks ------------------------------------------------------------------------------------------------------------
def peak(since: str, until: str) -> dict[str, str]:
    return {"name": "payroll", "from": since, "until": until}


@pytest.mark.parametrize(
    ("peaks", "wanted"),
    [
        pytest.param([], (True, ""), id="none"),
        pytest.param([peak("2026-12-05T20:00:00Z", "2026-12-05T22:00:00Z")], (True, ""), id="ends-as-it-begins"),
        pytest.param([peak("2026-12-05T20:00:00Z", "2026-12-05T22:00:01Z")], (False, "DECLARED_PEAK"), id="a-second-too-long"),
        pytest.param([peak("2026-12-05T23:00:00Z", "2026-12-06T01:00:00Z")], (True, ""), id="begins-as-it-ends"),
        pytest.param([peak("2026-12-05T23:30:00+01:00", "2026-12-05T23:40:00+01:00")], (False, "DECLARED_PEAK"), id="inside"),
        pytest.param([peak("2026-12-05T20:00:00", "2026-12-05T22:00:01Z")], (None, "BAD_PEAK"), id="no-offset"),
        pytest.param([peak("2026-12-05T23:00:00Z", "2026-12-05T21:00:00Z")], (None, "BAD_PEAK"), id="ends-before-it-begins"),
        pytest.param([{"name": "x"}], (None, "BAD_PEAK"), id="no-times"),
        pytest.param("soon", (None, "BAD_PEAK"), id="no-list"),
        pytest.param(None, (None, "BAD_PEAK"), id="nothing-at-all"),
    ],
)
def test_declared_peaks(peaks: Any, wanted: tuple[bool | None, str]) -> None:
    check = workload.judge_peaks("acme", peaks, Window(NIGHT, HOUR, UTC))
    assert (check.ok, check.code) == wanted


@pytest.mark.parametrize(("values", "share", "wanted"), [([1.0], 0.95, 1.0), ([1.0, 2.0], 0.5, 1.5), ([3.0, 1.0, 2.0], 1.0, 3.0)])
def test_quantiles(values: list[float], share: float, wanted: float) -> None:
    assert workload.quantile(values, share) == wanted


@pytest.mark.parametrize("given", [0, -0.1, 1.01, math.nan, "much", None])
def test_a_threshold_is_a_share(given: Any) -> None:
    with pytest.raises(ValueError, match="Write a share of the weekly peak"):
        workload.share_of_peak(given)
    assert workload.share_of_peak("0.5") == 0.5
