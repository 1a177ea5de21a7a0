from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_spans import complement, first_fit, merged, overlapping
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_wall import place, wall_seconds

BRUSSELS, NEW_YORK, APIA = ZoneInfo("Europe/Brussels"), ZoneInfo("America/New_York"), ZoneInfo("Pacific/Apia")


def test_union_joins_what_touches_and_drops_what_is_empty() -> None:
    assert merged([(5, 7), (1, 3), (3, 5), (9, 9), (10, 12), (11, 11)]) == [(1, 7), (10, 12)]


@pytest.mark.parametrize(
    ("spans", "wanted"),
    [
        pytest.param([], [(0, 10)], id="nothing-covered"),
        pytest.param([(0, 10)], [], id="all-covered"),
        pytest.param([(-5, 2), (4, 6), (9, 20)], [(2, 4), (6, 9)], id="holes"),
        pytest.param([(20, 30)], [(0, 10)], id="outside"),
        pytest.param([(3, 4)], [(0, 3), (4, 10)], id="inside"),
    ],
)
def test_complement(spans: list[tuple[int, int]], wanted: list[tuple[int, int]]) -> None:
    assert complement(spans, (0, 10)) == wanted


def test_half_open_spans_that_touch_do_not_overlap() -> None:
    assert overlapping([(0, 5), (5, 6), (10, 12)], (5, 10)) == [(5, 6)]


@pytest.mark.parametrize(
    ("length", "wanted"),
    [
        pytest.param(1, 0, id="at-once"),
        pytest.param(2, 0, id="up-to-the-border"),
        pytest.param(3, 4, id="hole-too-short"),
        pytest.param(5, 4, id="hole-exactly-filled"),
        pytest.param(6, 12, id="after-all"),
        pytest.param(9999, 12, id="end-lies-beyond-the-latest-start"),
    ],
)
def test_first_fit(length: int, wanted: int) -> None:
    assert first_fit([(9, 12), (2, 4)], 0, 12, length) == wanted


def test_nothing_fits_up_to_the_latest_start() -> None:
    assert first_fit([(0, 12)], 0, 11, 1) is None
    assert first_fit([(0, 12)], 0, 12, 1) == 12


@pytest.mark.parametrize(
    ("zone", "wall", "earlier", "later"),
    [
        pytest.param(BRUSSELS, "2026-07-01T12:00:00", "2026-07-01T10:00:00", "2026-07-01T10:00:00", id="plain"),
        pytest.param(BRUSSELS, "2026-10-25T02:30:00", "2026-10-25T00:30:00", "2026-10-25T01:30:00", id="fold"),
        pytest.param(BRUSSELS, "2026-10-25T02:00:00", "2026-10-25T00:00:00", "2026-10-25T01:00:00", id="fold-first-second"),
        pytest.param(BRUSSELS, "2026-10-25T03:00:00", "2026-10-25T02:00:00", "2026-10-25T02:00:00", id="fold-over"),
        pytest.param(BRUSSELS, "2026-03-29T02:30:00", "2026-03-29T01:00:00", "2026-03-29T01:00:00", id="gap"),
        pytest.param(BRUSSELS, "2026-03-29T02:00:00", "2026-03-29T01:00:00", "2026-03-29T01:00:00", id="gap-first-second"),
        pytest.param(BRUSSELS, "2026-03-29T01:59:59", "2026-03-29T00:59:59", "2026-03-29T00:59:59", id="before-the-gap"),
        pytest.param(NEW_YORK, "2026-11-01T01:30:00", "2026-11-01T05:30:00", "2026-11-01T06:30:00", id="fold-new-york"),
        pytest.param(NEW_YORK, "2026-03-08T02:59:59", "2026-03-08T07:00:00", "2026-03-08T07:00:00", id="gap-new-york"),
        pytest.param(APIA, "2011-12-30T12:00:00", "2011-12-30T10:00:00", "2011-12-30T10:00:00", id="a-day-that-never-was"),
    ],
)
def test_wall_clock_times_are_placed(zone: ZoneInfo, wall: str, earlier: str, later: str) -> None:
    found = [place(wall_seconds(dt.datetime.fromisoformat(wall)), zone, later=side) for side in (False, True)]
    assert [dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S") for at in found] == [earlier, later]
