"""Which cluster is drilled when: by table, and over a simulated year."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import drill_due
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Proof
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.drill_due import Cluster

NOW = dt.datetime(2026, 12, 2, 3, 0, tzinfo=dt.timezone.utc)
DAY, HOUR = 86400, 3600


def cluster(stanza: str, days_ago: float | None, *, max_days: int = 30, rto_s: int | None = None, verdict: str = "pass") -> Cluster:
    last = None if days_ago is None else Proof(NOW - dt.timedelta(days=days_ago), verdict)
    return Cluster(stanza, (f"{stanza}-1",), max_days * DAY, rto_s, last)


@pytest.mark.parametrize(
    ("clusters", "within_s", "at_most", "wanted"),
    [
        pytest.param([cluster("a", 1), cluster("b", 2)], None, None, ["b+", "a+"], id="all-when-nothing-is-said"),
        pytest.param([cluster("a", 1), cluster("b", None)], None, None, ["b+", "a+"], id="never-drilled-first"),
        pytest.param([cluster("a", 1), cluster("b", 1, verdict="fail")], 7 * DAY, None, ["b+", "a-"], id="failed-is-not-proved"),
        pytest.param([cluster("a", 1), cluster("b", -1)], 7 * DAY, None, ["b+", "a-"], id="from-the-future"),
        pytest.param([cluster("a", 22.9), cluster("b", 23.1)], 7 * DAY, None, ["b+", "a-"], id="stale-before-the-next-run"),
        pytest.param([cluster("a", 23)], 7 * DAY, None, ["a+"], id="stale-as-the-next-run-begins"),
        pytest.param([cluster("a", 30)], 7 * DAY, None, ["a+"], id="just-stale"),
        pytest.param(
            [cluster("a", 40, rto_s=4 * HOUR), cluster("b", 31, rto_s=HOUR), cluster("c", None)],
            None, None, ["b+", "a+", "c+"], id="of-the-stale-the-most-critical",
        ),
        pytest.param([cluster("a", 31, rto_s=HOUR), cluster("b", 40, rto_s=HOUR)], None, None, ["b+", "a+"], id="then-the-longest-stale"),
        pytest.param(
            [cluster("a", 20, rto_s=HOUR), cluster("b", 10, max_days=14, rto_s=4 * HOUR)],
            None, None, ["b+", "a+"], id="of-the-fresh-the-earliest-deadline",
        ),
        pytest.param([cluster("a", 31), cluster("b", 28), cluster("c", 40)], 7 * DAY, 2, ["c+", "a+", "b-"], id="as-many-as-are-allowed"),
        pytest.param([], 7 * DAY, 2, [], id="nothing"),
    ],
)  # fmt: skip
def test_who_is_drilled(clusters: list[Cluster], within_s: int | None, at_most: int | None, wanted: list[str]) -> None:
    found = drill_due.choose(clusters, now=NOW, within_s=within_s, at_most=at_most)
    assert [f"{choice.cluster.stanza}{'+' if choice.taken else '-'}" for choice in found] == wanted


@pytest.mark.parametrize(
    ("clusters", "ok", "named"),
    [
        pytest.param([cluster("a", 31), cluster("b", 29)], True, [], id="what-is-left-is-not-stale"),
        pytest.param([cluster("a", 40), cluster("b", None, rto_s=60), cluster("c", 31)], False, ["a: ", "c: "], id="two-are-left"),
    ],
)
def test_a_stale_one_that_is_left_out_is_named(clusters: list[Cluster], ok: bool, named: list[str]) -> None:
    check = drill_due.judge_left_out(drill_due.choose(clusters, now=NOW, within_s=7 * DAY, at_most=1))
    assert check.ok is ok
    assert [name for name in ("a: ", "b: ", "c: ") if name in str(check.observed)] == named
    assert bool(check.hint) is not ok


@pytest.mark.parametrize(
    ("at_most", "days_ago", "keeps_up"),
    [
        pytest.param(3, [0, 4, 8, 12, 3, 6], True, id="just-enough"),
        pytest.param(3, [0] * 6, True, id="all-on-one-day"),
        pytest.param(2, [0, 4, 8, 12, 3, 6], False, id="too-few"),
    ],
)
def test_a_year_of_weekly_runs(at_most: int, days_ago: list[int], keeps_up: bool) -> None:
    """Four clusters of 30 days need one drill a week, two of 14 days two: at 15 days they would be stale. Three a week keep all fresh."""
    ages = [30, 30, 30, 30, 14, 14]
    estate = {f"c{k}": cluster(f"c{k}", days, max_days=ages[k]) for k, days in enumerate(days_ago)}
    assert bool(drill_due.overload(list(estate.values()), within_s=7 * DAY, at_most=at_most)) is not keeps_up
    stale = 0
    for week in range(52):
        now = NOW + dt.timedelta(weeks=week)
        found = drill_due.choose(list(estate.values()), now=now, within_s=7 * DAY, at_most=at_most)
        assert sum(choice.taken for choice in found) <= at_most
        stale += sum(choice.state == "stale" for choice in found)
        for choice in found:
            if choice.taken:
                estate[choice.cluster.stanza] = replace(choice.cluster, last=Proof(now, "pass"))
    assert (stale == 0) is keeps_up


def test_ten_that_were_drilled_on_one_day_are_taken_ahead_of_their_time() -> None:
    """Three a night: the first night that cannot wait is the one when four nights are left for ten, and each night has its three."""
    estate = [cluster(f"c{k}", 25.5) for k in range(10)]
    for nights, taken in ((0, 0), (1, 1), (2, 3), (3, 3), (4, 3)):
        now = NOW + dt.timedelta(days=nights)
        found = drill_due.choose(estate, now=now, within_s=DAY, at_most=3)
        assert sum(choice.taken for choice in found) == taken
        assert all("too many are due together later" in choice.why for choice in found if choice.taken and choice.state == "fresh")
        done = {choice.cluster.stanza for choice in found if choice.taken}
        estate = [replace(one, last=Proof(now, "pass")) if one.stanza in done else one for one in estate]
    assert not any(one.left_s(NOW + dt.timedelta(days=4.5)) <= 0 for one in estate)


def test_the_load_of_a_schedule() -> None:
    clusters = [cluster("a", None, max_days=28), cluster("b", None, max_days=14), cluster("c", None, max_days=1)]
    assert drill_due.load(clusters, 7 * DAY) == pytest.approx(1 / 3 + 1 + 1)
    assert drill_due.overload(clusters, within_s=7 * DAY, at_most=3) == ""
    assert "3 clusters need 2.3 drills every 7.0 days, and at_most is 1" in drill_due.overload(clusters, within_s=7 * DAY, at_most=1)
    assert drill_due.overload(clusters, within_s=None, at_most=1) == drill_due.overload(clusters, within_s=1, at_most=None) == ""
