"""The record of a tenant as baseline: what is kept, what is believed, and how much chance is allowed for."""

from __future__ import annotations

import datetime as dt
import json
import math
import random
import statistics

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import canary_record as cr
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge

BEGAN = dt.datetime(2026, 11, 1, 12, tzinfo=dt.timezone.utc)


def run(number: int, *, day: float = 0.0, hours: float = 24.0, n: int = 60, change: str = "", step: str = "post") -> cr.Run:
    draw = random.Random(f"{number} {step}")
    at = (BEGAN + dt.timedelta(hours=hours * number)).isoformat().replace("+00:00", "Z")
    samples = [0.1 * math.exp(day + draw.gauss(0, 0.05)) for _dummy in range(n)]
    return cr.Run(change or f"CHG-2026-{number:04d}", f"r{number}", at, {step: samples})


def record(*runs: cr.Run) -> cr.Record:
    return cr.Record("acme", runs)


QUIET = record(*(run(k) for k in range(6)))


def baseline(given: cr.Record, *steps: str, change: str = "CHG-2026-0142", tolerance: float = 1.2) -> tuple[cr.Baseline, list[cr.Check]]:
    return cr.baseline(given, steps or ("post",), change=change, tolerance=tolerance, alpha=0.01)


# -- the baseline
def test_a_baseline_says_what_it_is() -> None:
    found, wrong = baseline(QUIET)
    assert wrong == []
    about = {"kind": "record", "release": "r0, r1, r2, r3, r4, r5", "measured_at": "2026-11-06T12:00:00Z", "samples": 360, "runs": 6}
    assert found.about == about
    assert len(found.samples["post"]) == 360
    assert 0 < found.allowances["post"] < 0.05
    assert baseline(QUIET)[0].samples == found.samples, "the same change draws the same order"
    assert baseline(QUIET, change="CHG-2026-0143")[0].samples != found.samples


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(record(), "no earlier run is recorded", id="none"),
        pytest.param(record(run(0), run(1)), "2 earlier runs of other days", id="two"),
        pytest.param(record(*(run(k, n=7) for k in range(6))), "no earlier run", id="too-few-samples-each"),
        pytest.param(record(*(run(k, step="login") for k in range(6))), "no earlier run", id="of-another-step"),
        pytest.param(record(*(run(k, hours=2) for k in range(6))), "1 earlier runs", id="all-of-one-half-day"),
        pytest.param(record(*(run(k, change="CHG-2026-0142") for k in range(6))), "no earlier run", id="of-this-very-change"),
    ],
)
def test_without_three_runs_of_other_days_there_is_no_baseline(given: cr.Record, words: str) -> None:
    found, (check,) = baseline(given)
    assert (check.id, check.ok, check.code) == ("latency:post", None, "NO_RECORD")
    assert words in check.observed and "record" in check.hint
    assert found.samples == {}


def test_runs_of_the_same_half_day_count_once_and_the_newest_is_it() -> None:
    assert [r.change for r, _s in cr.usable(record(*(run(k, hours=5) for k in range(7))), "post", "x")] == [
        "CHG-2026-0000", "CHG-2026-0003", "CHG-2026-0006"
    ]  # fmt: skip


def test_days_that_differ_too_much_ask_for_a_wider_tolerance() -> None:
    wild = record(*(run(k, day=day) for k, day in enumerate((0.0, 0.1, -0.08, 0.05, -0.1, 0.12))))
    _found, (check,) = baseline(wild)
    assert (check.ok, check.code) == (None, "RECORD_SCATTERS")
    wanted = float(check.hint.removeprefix("Give a tolerance of ").split()[0])
    assert baseline(wild, tolerance=wanted)[1] == []
    assert baseline(wild, tolerance=wanted - 0.06)[1] != []


def test_one_step_without_a_record_does_not_hide_the_others() -> None:
    _found, wrong = baseline(QUIET, "post", "login")
    assert [check.id for check in wrong] == ["latency:login"]


def test_the_next_day_lies_within_the_allowance_as_often_as_said() -> None:
    """Of 2,000 times six days and one more, one in a hundred may lie above the limit; a normal quantile would let three through."""
    draw, above = random.Random(9), 0
    for _dummy in range(2000):
        *days, one_more = [draw.gauss(0, 0.05) for _day in range(7)]
        above += one_more > sum(days) / 6 + cr.allowance(days, 0.01)
    assert 8 <= above <= 34


def test_drawing_shifts_each_run_to_the_centre_and_keeps_its_noise() -> None:
    slow, fast = [0.2 * math.exp(k / 100) for k in range(-10, 11)], [0.1 * math.exp(k / 100) for k in range(-10, 11)]
    found = cr.drawn([slow, fast], "seed")
    assert statistics.median(found) == pytest.approx(math.sqrt(0.2 * 0.1))
    assert max(found) / min(found) == pytest.approx(math.exp(0.2))
    assert found != sorted(found)


def test_one_outlier_does_not_move_the_middle_of_a_run() -> None:
    samples = list(run(0).steps["post"])
    assert abs(cr.middle([*samples, 1000.0]) - cr.middle(samples)) < 0.003


# -- what a canary leaves
def pairs(n: int) -> list[judge.Pair]:
    return [judge.Pair(canary=judge.Outcome(0.2 + k / 1e5), baseline=judge.Outcome(0.1 + k / 1e5)) for k in range(n)]


@pytest.mark.parametrize(("canary", "first"), [(True, 0.2), (False, 0.1)])
def test_of_a_canary_one_side_is_kept(canary: bool, first: float) -> None:
    failed = judge.Pair(canary=judge.Outcome(error="down"), baseline=judge.Outcome(error="down"))
    made = cr.measured(
        {"post": [*pairs(500), failed], "never": [judge.Pair(canary=judge.Outcome())]}, canary=canary, change="C", release="r", at="t"
    )
    assert list(made.steps) == ["post"]
    assert len(made.steps["post"]) == cr.SAMPLES
    assert made.steps["post"][0] == pytest.approx(first)
    assert made.steps["post"][-1] > made.steps["post"][0] + 0.004, "thinned evenly, not cut off"


def test_a_record_is_bounded_and_an_attempt_replaces_the_one_before() -> None:
    given = record()
    for k in range(20):
        given = cr.added(given, run(k))
    assert [r.release for r in given.runs] == [f"r{k}" for k in range(8, 20)]
    again = cr.Run("CHG-2026-0019", "r19", "2026-12-01T00:00:00Z", {"post": [0.5]})
    assert cr.added(given, again).runs[-1] == again
    assert len(cr.added(given, again).runs) == cr.RUNS
    assert cr.added(given, cr.Run("C", "r", "2026-12-01T00:00:00Z", {})) == given
    most = cr.Record(
        "acme", tuple(cr.Run("C", "r", "t", {f"step{s}": [0.12345] * cr.SAMPLES for s in range(20)}) for _dummy in range(cr.RUNS))
    )
    assert len(cr.encode(most)) < 300_000


def test_what_is_kept_is_read_again() -> None:
    assert cr.decode(cr.encode(QUIET), "acme") == QUIET


def damaged(**changes: object) -> bytes:
    document = json.loads(cr.encode(QUIET))
    return json.dumps({**document, **changes}).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "not what a canary writes", id="empty"),
        pytest.param(b"\xff\xfe", "not what a canary writes", id="not-text"),
        pytest.param(b"[]", "not what a canary writes", id="a-list"),
        pytest.param(cr.encode(QUIET)[:-40], "not what a canary writes", id="cut-off"),
        pytest.param(damaged(tenant="bravo"), "of 'bravo', wanted 1 and 'acme'", id="of-another-tenant"),
        pytest.param(damaged(schema=2), "of schema 2", id="of-another-schema"),
        pytest.param(damaged(runs=[{"change": "C"}]), "not what a canary writes", id="half-a-run"),
        pytest.param(damaged(runs=[{"change": "C", "release": "", "measured_at": "yesterday", "steps": {}}]), "yesterday", id="no-time"),
        pytest.param(
            damaged(runs=[{"change": "C", "release": "", "measured_at": "2026-12-01T00:00:00Z", "steps": {"a": [0.1, 0]}}]),
            "not positive finite",
            id="zero",
        ),
        pytest.param(
            damaged(runs=[{"change": "C", "release": "", "measured_at": "2026-12-01T00:00:00Z", "steps": {"a": [math.nan]}}]),
            "not positive finite",
            id="nan",
        ),
    ],
)
def test_a_damaged_record_is_not_believed(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        cr.decode(data, "acme")
    assert words in str(caught.value)


# -- the allowance in the judge
def test_a_pass_and_a_fail_must_each_be_further_off_by_the_allowance() -> None:
    draw = random.Random(4)

    def took(factor: float) -> float:
        return 0.1 * factor * math.exp(draw.gauss(0, 0.03))

    given = {ratio: [(took(1.0), took(ratio)) for _dummy in range(120)] for ratio in (1.15, 1.27)}
    for ratio, plain in ((1.15, "pass"), (1.27, "fail")):
        decided = [
            judge.judge_speeds({"a": given[ratio]}, judge.Rules(allowances=allowances))["a"].decision for allowances in ({}, {"a": 0.08})
        ]
        assert decided == [plain, "unknown"]
    with pytest.raises(ValueError, match="allowance"):
        judge.judge_speeds({"a": given[1.15]}, judge.Rules(allowances={"a": 0.2}))
