from __future__ import annotations

import json
import math
import random
from dataclasses import asdict

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge as j
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge_errors as e
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge_latency as jl

NAN, INF = float("nan"), float("inf")
RULES = j.Rules()


def pairs(ratio: float, n: int, *, sigma: float = 0.1, seed: int = 1) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    return [(0.1 * math.exp(draw.gauss(0, sigma)), 0.1 * ratio * math.exp(draw.gauss(0, sigma))) for _dummy in range(n)]


def latency(given: list[tuple[float, float]], *, min_pairs: int = 8) -> jl.Latency:
    return jl.judge_latency(given, tolerance=1.2, levels=jl.Levels(min_pairs=min_pairs))


@pytest.mark.parametrize(
    ("given", "decision", "code"),
    [
        pytest.param([], "unknown", "MISSING", id="nothing"),
        pytest.param([(0.1, 0.1001)], "unknown", "TOO_FEW", id="one-pair"),
        pytest.param(pairs(1.0, 60), "pass", "", id="the-same"),
        pytest.param(pairs(0.5, 60), "pass", "", id="faster"),
        pytest.param(pairs(1.4, 60), "fail", "SLOWER", id="forty-percent"),
        pytest.param(pairs(100.0, 20), "fail", "SLOWER", id="hundred-times"),
        pytest.param(pairs(1.2, 60), "unknown", "TOO_FEW", id="exactly-at-the-tolerance"),
        pytest.param(pairs(1.4, 4), "unknown", "TOO_FEW", id="slow-but-too-few"),
        pytest.param([*pairs(1.0, 60), (0.1, NAN)], "unknown", "MISSING", id="nan"),
        pytest.param([*pairs(1.0, 60), (INF, 0.1)], "unknown", "MISSING", id="infinite"),
        pytest.param([*pairs(1.0, 60), (0.1, 0.0)], "unknown", "MISSING", id="zero"),
        pytest.param([*pairs(1.0, 60), (-0.1, 0.1)], "unknown", "MISSING", id="negative"),
        pytest.param([(0.1, 0.1)] * 60, "unknown", "CONSTANT", id="constant"),
        pytest.param([(b, 0.1) for b, _dummy in pairs(1.0, 60)], "unknown", "CONSTANT", id="one-side-constant"),
        pytest.param([p for p in pairs(1.0, 20) for _dummy in range(3)], "unknown", "DUPLICATE", id="each-delivered-three-times"),
        pytest.param([p for p in pairs(1.0, 3) for _dummy in range(2)], "unknown", "TOO_FEW", id="six-pairs-are-no-proof-of-anything"),
        pytest.param([(b, b) for b, _dummy in pairs(1.0, 60)], "pass", "", id="equal-pairs"),
    ],
)
def test_latency(given: list[tuple[float, float]], decision: str, code: str) -> None:
    found = latency(given)
    assert (found.decision, found.code) == (decision, code)
    assert found.n == len(given)
    assert bool(found.reason) == (decision != "pass")


@pytest.mark.parametrize("tolerance", [1.1, 1.5, 1.8, 2.0, 4.0, 10.0])
def test_any_tolerance_lets_the_same_pass_and_nothing_that_is_blown_up(tolerance: float) -> None:
    assert jl.judge_latency(pairs(1.0, 120), tolerance=tolerance).decision == "pass"
    erratic = [(b, 0.1 * (c / 0.1) ** 6) for b, c in pairs(1.0, 120)]
    assert jl.judge_latency(erratic, tolerance=tolerance).decision == "fail"


def mixed(share: float, factor: float, n: int, seed: int = 5) -> list[tuple[float, float]]:
    """A share of the canary's samples takes ``factor`` times as long."""
    draw = random.Random(seed)
    return [(b, c * (factor if draw.random() < share else 1)) for b, c in pairs(1.0, n, seed=seed)]


@pytest.mark.parametrize(
    ("given", "decision", "code"),
    [
        pytest.param(mixed(0.7, 100, 120), "fail", "SLOWER", id="seven-of-ten-at-100-times"),
        pytest.param(mixed(0.3, 100, 120), "fail", "SPREAD", id="three-of-ten-at-100-times"),
        pytest.param([(b, 0.1 * (c / 0.1) ** 6) for b, c in pairs(1.0, 120)], "fail", "SPREAD", id="six-times-the-spread"),
        pytest.param([(b, 0.1 * (c / 0.1) ** 0.2) for b, c in pairs(1.0, 120)], "pass", "", id="a-fifth-of-the-spread"),
        pytest.param(mixed(0.3, 100, 24), "unknown", "", id="too-few-to-tell-but-no-pass"),
    ],
)
def test_spread(given: list[tuple[float, float]], decision: str, code: str) -> None:
    found = latency(given)
    assert found.decision == decision
    assert not code or found.code == code
    assert (found.spread_ratio or 0) > 0


def test_one_outlier_cannot_decide() -> None:
    calm = pairs(1.0, 7)
    assert latency([*calm, (0.001, 1000.0)]).decision == latency(calm).decision == "unknown"
    assert latency([*pairs(1.0, 60), (0.001, 1000.0)]).decision == "pass"
    assert latency([(0.001, 1000.0), *pairs(1.0, 60)]).decision == "pass"


def test_failing_after_passing_is_failing() -> None:
    given = pairs(1.0, 30)
    assert latency(given).decision == "pass"
    assert latency(given + pairs(2.0, 150)).decision == "fail"


def test_passing_needs_the_least_number_of_pairs() -> None:
    given = pairs(0.3, 40)
    assert latency(given[:39], min_pairs=8).decision == "pass"
    assert [latency(given[:n], min_pairs=40).decision for n in (39, 40)] == ["unknown", "pass"]


def test_too_few_says_how_many_more() -> None:
    found = latency(pairs(1.0, 5))
    assert found.more > 0
    assert f"about {found.more} more" in found.reason
    assert latency([]).more > 10


def test_a_tolerance_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than 1"):
        jl.judge_latency([], tolerance=1.0)


# -- sizes
def test_bounds_of_the_factor_hold_the_truth_and_the_estimate() -> None:
    found = latency(pairs(1.4, 80, sigma=0.2))
    assert found.ratio_low is not None and found.ratio_high is not None and found.ratio is not None
    assert 1.2 < found.ratio_low < 1.4 < found.ratio_high < 1.7
    assert found.ratio_low < found.ratio < found.ratio_high
    assert latency(pairs(1.4, 5)).ratio_low is None


def test_bounds_hold_at_all_looks_at_once() -> None:
    """Of 60 runs that are looked at time and again, not many more than one in a hundred may ever exclude the truth on one side."""
    wrong = 0
    for k in range(60):
        given = pairs(1.0, 40, sigma=0.25, seed=900 + k)
        lows = [latency(given[:n]).ratio_low for n in range(8, 41, 8)]
        wrong += any(low is not None and low > 1.0 for low in lows)
    assert wrong <= 3


@pytest.mark.parametrize("n", [20, 90, 91, 200, 1440])
def test_ranks_bound_the_95th_percentile_exactly(n: int) -> None:
    """Against the binomial distribution added up by hand; an index further in would be too far in."""
    chance = [math.comb(n, k) * 0.05**k * 0.95 ** (n - k) for k in range(min(n, 160) + 1)]  # that k of n lie above it
    low, high = jl.ranks(n, 0.95, 0.005)
    if high is None:
        assert chance[0] > 0.005
    else:
        assert sum(chance[: n - high]) <= 0.005 < sum(chance[: n - high + 1])
    assert low is not None
    assert 1 - sum(chance[: n - low]) <= 0.005 < 1 - sum(chance[: n - low - 1])


def test_p95_has_bounds_only_where_there_are_enough_samples() -> None:
    few, many = latency(pairs(1.0, 60)), latency(pairs(1.0, 300))
    assert few.p95_ratio is not None and few.p95_high is None
    assert many.p95_ratio is not None and many.p95_low is not None and many.p95_high is not None
    assert many.p95_low < many.p95_ratio < many.p95_high


def test_power_grows_with_the_pairs_and_falls_with_the_noise() -> None:
    assert latency(pairs(1.0, 20)).power < latency(pairs(1.0, 60)).power <= 1
    assert latency(pairs(1.0, 30, sigma=0.4)).power < latency(pairs(1.0, 30, sigma=0.1)).power


def test_a_long_series_is_judged_by_its_stretches() -> None:
    for ratio, decision in ((1.0, "pass"), (1.4, "fail")):
        found = jl.judge_latency(pairs(ratio, 1440, sigma=0.4), tolerance=1.2, one_look=True)
        assert (found.decision, found.n, found.ratio_low) == (decision, 1440, None)
    wide = [(b, 0.1 * (c / 0.1) ** 4) for b, c in pairs(1.0, 1440)]
    assert jl.judge_latency(wide, tolerance=1.2, one_look=True).code == "SPREAD"


# -- errors
@pytest.mark.parametrize(
    ("rounds", "decision", "code"),
    [
        pytest.param([], "unknown", "MISSING", id="never-reached"),
        pytest.param([(False, False)] * 7, "unknown", "TOO_FEW", id="one-round-missing"),
        pytest.param([(False, False)] * 8, "pass", "", id="just-enough"),
        pytest.param([(False, True)] * 2, "unknown", "TOO_FEW", id="two-errors"),
        pytest.param([(False, True)] * 3, "fail", "ERRORS", id="three-of-three"),
        pytest.param([(None, True)] * 3, "fail", "ERRORS", id="three-of-three-without-baseline"),
        pytest.param([(False, False)] * 30 + [(False, True)], "unknown", "TOO_FEW", id="one-in-thirty-one-is-not-explained"),
        pytest.param([(False, False)] * 20 + [(False, True)] * 6, "fail", "ERRORS", id="breaks-later"),
        pytest.param([(False, k % 5 == 0) for k in range(40)], "fail", "ERRORS", id="one-in-five"),
        pytest.param([(True, True)] * 5, "unknown", "BASELINE_SICK", id="both-fail"),
        pytest.param([(True, False)] * 5, "unknown", "BASELINE_SICK", id="only-the-baseline-fails"),
        pytest.param([(False, False)] * 20 + [(True, False)], "unknown", "BASELINE_SICK", id="baseline-failed-once"),
        pytest.param([(True, True)] + [(False, True)] * 20, "fail", "ERRORS", id="sick-baseline-does-not-hide-a-broken-canary"),
    ],
)
def test_errors(rounds: list[tuple[bool | None, bool]], decision: str, code: str) -> None:
    found = e.judge_errors(rounds, alpha_fail=0.001 / 5, min_rounds=8)
    assert (found.decision, found.code) == (decision, code)


def test_errors_against_scipys_idea_of_the_bound() -> None:
    """No error in n excludes every rate at which that has a chance below 1 %."""
    found = e.judge_errors([(False, False)] * 20, alpha_fail=0.001, min_rounds=8)
    assert found.rate_below is not None
    assert (1 - found.rate_below) ** 20 == pytest.approx(0.01)


def test_known_sequence_of_errors() -> None:
    assert e.against_background([True]) == pytest.approx((5 + 20 + 90) / 3)
    assert e.against_background([False, False]) == 1.0
    assert e.against_baseline([(False, True), (True, True), (False, True)]) == pytest.approx(1.8**2)


@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_the_bet_against_the_background_is_fair(rate: float) -> None:
    """Exactly: its expectation after n rounds is at most 1 for every rate up to the background's (all 2^n sequences)."""
    n, total = 8, 0.0
    for bits in range(2**n):
        bad = [bool(bits >> k & 1) for k in range(n)]
        capital = sum(math.prod(r / e.BACKGROUND if b else (1 - r) / (1 - e.BACKGROUND) for b in bad) for r in e.ERROR_RATES) / 3
        total += capital * math.prod(rate if b else 1 - rate for b in bad)
    assert total <= 1 + 1e-9


# -- the family
def side(given: list[tuple[float, float]]) -> list[j.Pair]:
    return [j.Pair(canary=j.Outcome(c), baseline=j.Outcome(b)) for b, c in given]


GOOD = side(pairs(1.0, 60))
SLOW = side(pairs(1.6, 60, seed=2))
RAISES = [j.Pair(canary=j.Outcome(error="cannot post"), baseline=j.Outcome(0.1 + k / 1000)) for k in range(3)]
SICK = [j.Pair(canary=j.Outcome(error="down"), baseline=j.Outcome(error="down"))] * 5
UNREACHED = [j.Pair(canary=j.Outcome(), baseline=j.Outcome(0.1))] * 3


@pytest.mark.parametrize(
    ("records", "verdict", "codes", "words"),
    [
        pytest.param({}, "unknown", set(), "Nothing was measured", id="no-metric"),
        pytest.param({"a": GOOD, "b": GOOD}, "pass", {""}, "All 2 steps work", id="all-good"),
        pytest.param({"a": GOOD, "b": []}, "unknown", {"", "MISSING"}, "could not be told whether b", id="one-missing"),
        pytest.param({"a": GOOD, "b": GOOD[:3]}, "unknown", {"", "TOO_FEW"}, "could not be told whether b", id="one-too-few"),
        pytest.param({"a": GOOD, "b": SLOW}, "fail", {"", "SLOWER"}, "b takes 1.57 times", id="one-slow"),
        pytest.param({"a": GOOD, "b": RAISES, "c": UNREACHED}, "fail", {"", "ERRORS", "MISSING"}, "cannot post", id="one-raises"),
        pytest.param({"a": GOOD, "b": SICK}, "unknown", {"", "BASELINE_SICK", "MISSING"}, "baseline", id="baseline-sick"),
        pytest.param({"a": SLOW, "b": SICK}, "fail", {"", "SLOWER", "BASELINE_SICK", "MISSING"}, "a takes", id="fail-beats-unknown"),
    ],
)
def test_judge(records: dict[str, list[j.Pair]], verdict: str, codes: set[str], words: str) -> None:
    found = j.judge(records, RULES)
    assert found.verdict == verdict
    assert {c.code for c in found.checks} == codes
    assert words in found.sentence
    assert {c.id for c in found.checks} == {f"{kind}:{m}" for m in records for kind in ("latency", "errors")}
    json.dumps([[asdict(c) for c in found.checks], found.figures], allow_nan=False)


def test_a_sick_baseline_is_hopeless_and_too_few_is_not() -> None:
    assert j.judge({"a": SICK}, RULES).hopeless
    assert not j.judge({"a": GOOD[:3]}, RULES).hopeless


def test_settled_metrics_are_those_with_all_checks_ok() -> None:
    found = j.judge({"a": GOOD, "b": GOOD[:3], "c": SLOW}, RULES)
    assert [j.settled(m, found) for m in "abc"] == [True, False, False]


def test_the_family_shares_alpha() -> None:
    """What would just fail alone does not fail among twenty."""
    alone = next(n for n in range(1, 60) if j.judge({"a": side(pairs(1.4, 60))[:n]}, RULES).verdict == "fail")
    records = {"a": side(pairs(1.4, 60))[:alone], **{f"m{k}": GOOD for k in range(19)}}
    assert j.judge(records, RULES).verdict == "unknown"


def test_smoke_judges_errors_only() -> None:
    rules = j.Rules(min_pairs=3, smoke=True)
    ok, bad = j.Pair(canary=j.Outcome(0.1)), j.Pair(canary=j.Outcome(error="down"))
    assert j.judge({"a": [ok] * 3}, rules).verdict == "pass"
    assert j.judge({"a": [ok] * 2}, rules).verdict == "unknown"
    assert j.judge({"a": [ok, ok, bad]}, rules).verdict == "unknown"
    assert j.judge({"a": [bad] * 3}, rules).verdict == "fail"
    assert [c.id for c in j.judge({"a": [ok] * 3}, rules).checks] == ["errors:a"]


@pytest.mark.parametrize(
    ("repeats", "wanted"),
    [
        pytest.param([j.Outcome(0.3), j.Outcome(0.1), j.Outcome(0.2)], j.Outcome(0.2), id="the-median"),
        pytest.param([j.Outcome(0.3), j.Outcome(error="x"), j.Outcome(0.2)], j.Outcome(error="x"), id="one-error-is-an-error"),
        pytest.param([j.Outcome(), j.Outcome()], j.Outcome(), id="not-reached"),
    ],
)
def test_repeats_make_one_outcome(repeats: list[j.Outcome], wanted: j.Outcome) -> None:
    assert j.merged(repeats) == wanted


def test_e_values_stay_finite() -> None:
    given = pairs(5.0, 1500)
    assert math.isfinite(latency(given).e_fail)
    assert math.isfinite(e.against_background([True] * 2000))


def test_false_alarms_and_power_in_small() -> None:
    """A bounded version of tests/bench/judge_rates.py: looked at after every pair."""
    wrong = found = 0
    for k in range(60):
        same, slow = pairs(1.0, 80, sigma=0.2, seed=100 + k), pairs(1.4, 200, sigma=0.2, seed=500 + k)
        wrong += latency(same).decision == "fail"
        found += latency(slow).decision == "fail"
    assert wrong <= 2
    assert found >= 58


def test_several_slow_metrics_need_less_each() -> None:
    """e-BH: what is not enough for one of ten is enough when five of ten are as slow."""
    slow = {f"s{k}": pairs(1.4, 60, sigma=0.15, seed=40 + k) for k in range(5)}
    rest = {f"m{k}": pairs(1.0, 60, seed=70 + k) for k in range(5)}

    def accused(n: int) -> int:
        return sum(v.decision == "fail" for v in j.judge_speeds({m: p[:n] for m, p in (slow | rest).items()}, RULES).values())

    n = next(n for n in range(8, 60) if accused(n) == 5)
    alone = [
        j.judge_speeds({m: p[:n], **rest, **{f"r{k}": pairs(1.0, n, seed=90 + k) for k in range(4)}}, RULES)[m].decision
        for m, p in slow.items()
    ]
    assert alone.count("fail") < 5


def test_steadiness_has_its_sentence() -> None:
    given = [(b, 0.1 * (c / 0.1) ** 6) for b, c in pairs(1.0, 120)]
    found = j.judge({"a": side(given)}, RULES)
    assert found.verdict == "fail"
    assert "less steady" in found.sentence
    assert found.checks[0].hint
