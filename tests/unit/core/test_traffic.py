"""Signals of real traffic: what came, what may be concluded from it, and how earlier times are put together."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import signals, traffic
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import FAIL, PASS, UNKNOWN, verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signals import Period, Query
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.traffic_data import Answer, Finding, Side, Trouble
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_signals

PERIOD = Period(6000, 9600, 60)
ENTRIES = read_signals()["queries"]
SHIPPED = signals.queries_of({"queries": ENTRIES})
Points = list[tuple[float, float]]


def line(value: Callable[[int], float], period: Period = PERIOD) -> Points:
    return [(float(period.start + period.step * n), value(n)) for n in range(1, period.points + 1)]


def noisy(mean: float, seed: int, spread: float = 0.1) -> Callable[[int], float]:
    chance = random.Random(seed)
    return lambda _n: mean * math.exp(chance.gauss(0, spread))


def answer(*series: Points) -> Answer:
    return Answer(tuple(tuple(points) for points in series))


def number(value: float) -> Answer:
    return answer([(float(PERIOD.end), value)])


ALIVE = answer(line(lambda _n: 4.0))


def side(name: str, **answers: Mapping[str, Answer]) -> Side:
    return Side(name, PERIOD, answers)


def query(name: str, **other: Any) -> Query:
    return signals.query_of(name, {**ENTRIES[name], **other})


def judged(
    one: Query, new: Mapping[str, Answer], *old: Mapping[str, Answer], together: bool = False, alpha: float = 0.01
) -> traffic.Judged:
    names = ["the time before", "the week before"]
    references = [side(name, **{one.name: parts}) for name, parts in zip(names, old, strict=False)]
    settings = traffic.Settings(alpha=alpha, together=together)
    return traffic.judge({one.name: one}, side("now", **{one.name: new}), references, settings, unasked={})


def told(found: traffic.Judged) -> tuple[str, str]:
    """Verdict and code; of what is only told the code alone."""
    if found.told:
        assert not found.checks
        return "told", found.told[0]["code"]
    (check,) = found.checks
    assert bool(check.hint) == (check.ok is not True), check
    return verdict([check]), check.code


# -- durations -----------------------------------------------------------------------------------------------------------
def durations(mean: float, seed: int, spread: float = 0.1) -> dict[str, Answer]:
    return {"values": answer(line(noisy(mean, seed, spread)))}


def test_as_fast_as_before_passes_and_slower_fails() -> None:
    one = query("latency_mean")
    assert told(judged(one, durations(0.2, 1), durations(0.2, 2))) == (PASS, "")
    found = judged(one, durations(0.28, 1), durations(0.2, 2))
    assert told(found) == (FAIL, "SLOWER")
    assert found.figures["latency_mean"]["the time before"]["ratio"] == pytest.approx(1.4, abs=0.1)
    assert "against the time before" in str(found.checks[0].observed)


HOLES: list[Any] = [
    pytest.param(lambda points: [], "NO_DATA", id="missing"),
    pytest.param(lambda points: [(at, math.nan) for at, _value in points], "NOT_A_NUMBER", id="nan"),
    pytest.param(lambda points: [(at, math.nan if n % 5 == 0 else v) for n, (at, v) in enumerate(points)], "NOT_A_NUMBER", id="some-nan"),
    pytest.param(lambda points: points[10:], "LATE", id="late"),
    pytest.param(lambda points: points[:-10], "STALE", id="stale"),
    pytest.param(lambda points: points[:20] + points[30:], "GAPS", id="gaps"),
    pytest.param(lambda points: points + points[:3], "DUPLICATE_SERIES", id="twice-in-one"),
    pytest.param(lambda points: [(at, 0.25) for at, _value in points], "CONSTANT", id="constant"),
    pytest.param(lambda points: [(at, -value) for at, value in points], "MISSING", id="negative"),
]


@pytest.mark.parametrize(("spoil", "code"), HOLES)
@pytest.mark.parametrize("which", ["new", "old"])
def test_what_cannot_be_concluded_from(spoil: Callable[[Points], Points], code: str, which: str) -> None:
    sides = {"new": line(noisy(0.2, 1)), "old": line(noisy(0.2, 2))}
    sides[which] = spoil(sides[which])
    new, old = ({"values": answer(sides[name])} for name in ("new", "old"))
    assert told(judged(query("latency_mean"), new, old)) == (UNKNOWN, code)
    optional = told(judged(query("latency_mean", required=False), new, old))
    assert optional == (("told", code) if code == "NO_DATA" else (UNKNOWN, code))


def test_two_series_and_a_refusal() -> None:
    points = line(noisy(0.2, 1))
    assert told(judged(query("latency_mean"), {"values": answer(points, points)}, durations(0.2, 2))) == (UNKNOWN, "DUPLICATE_SERIES")
    refused = {"values": Answer(problem="http://p refused the query (400): parse error. Correct it.")}
    assert told(judged(query("latency_p95"), refused, durations(0.2, 2))) == (UNKNOWN, "NOT_ASKED")


def test_a_tenth_may_be_lost() -> None:
    new = {"values": answer(line(noisy(0.2, 1))[6:])}
    assert told(judged(query("latency_mean"), new, durations(0.2, 2))) == (PASS, "")


def test_quantiles_of_coarse_buckets_are_told_and_not_judged() -> None:
    flat = {"values": answer(line(lambda _n: 0.05))}
    assert told(judged(query("latency_p50"), flat, flat)) == ("told", "COARSE")
    assert told(judged(query("latency_p50", required=True), flat, flat)) == (UNKNOWN, "COARSE")


def test_side_by_side_what_lies_before_the_first_request_of_either_side_does_not_count() -> None:
    late = [line(noisy(0.2, seed))[12:] for seed in (1, 2)]
    new, old = ({"values": answer(points)} for points in late)
    assert told(judged(query("latency_mean"), new, old, together=True)) == (PASS, "")
    assert told(judged(query("latency_mean"), new, durations(0.2, 2), together=True)) == (UNKNOWN, "LATE")
    assert told(judged(query("latency_mean"), new, old)) == (UNKNOWN, "LATE")


# -- shares and counts ---------------------------------------------------------------------------------------------------
def share(bad: int | None, total: int, alive: Answer = ALIVE) -> dict[str, Answer]:
    return {"bad": answer() if bad is None else number(bad), "total": number(total), "alive": alive}


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        pytest.param((None, 3000), (None, 3000), (PASS, ""), id="none"),
        pytest.param((0, 3000), (2, 3000), (PASS, ""), id="two-of-many"),
        pytest.param((0, 3000), (30, 3000), (FAIL, "ERROR_SHARE"), id="one-percent"),
        pytest.param((30, 3000), (30, 3000), (PASS, ""), id="as-sick-as-before"),
        pytest.param((30, 3000), (300, 3000), (FAIL, "ERROR_SHARE"), id="ten-times"),
        pytest.param((0, 100), (0, 100), (UNKNOWN, "TOO_FEW"), id="few"),
        pytest.param((0, 3000), (0, 151), (UNKNOWN, "TOO_FEW"), id="one-too-few"),
        pytest.param((0, 3000), (0, 152), (PASS, ""), id="just-enough"),
        pytest.param((0, 200), (2, 200), (UNKNOWN, "TOO_FEW"), id="two-of-few"),
        pytest.param((1000, 1_000_000), (1300, 1_000_000), (PASS, ""), id="significant-and-small"),
        pytest.param((0, 0), (0, 3000), (UNKNOWN, "NO_TRAFFIC"), id="no-traffic-before"),
        pytest.param((0, 3000), (0, 0), (UNKNOWN, "NO_TRAFFIC"), id="no-traffic-now"),
    ],
)
def test_shares(old: tuple[Any, int], new: tuple[Any, int], wanted: tuple[str, str]) -> None:
    assert told(judged(query("error_ratio"), share(*new), share(*old))) == wanted


@pytest.mark.parametrize("which", [0, 1])
def test_counters_that_were_not_watched_all_the_time_prove_nothing(which: int) -> None:
    sides = [share(0, 3000), share(0, 3000)]
    sides[which] = share(0, 3000, answer(line(lambda _n: 4.0)[:30]))
    assert told(judged(query("error_ratio"), *sides)) == (UNKNOWN, "STALE")
    sides[which] = share(0, 3000, answer())
    assert told(judged(query("error_ratio"), *sides)) == (UNKNOWN, "NO_DATA")


def test_a_share_without_any_requests_has_no_data() -> None:
    nothing = {"bad": answer(), "total": answer(), "alive": ALIVE}
    assert told(judged(query("error_ratio"), nothing, share(0, 3000))) == (UNKNOWN, "NO_DATA")
    assert told(judged(query("error_ratio", required=False), nothing, share(0, 3000))) == ("told", "NO_DATA")


def test_false_alarms_of_shares_are_as_rare_as_told() -> None:
    """Equal shares of errors, at an alpha of 5 % so that there is something to count: half of it is for shares."""
    chance = random.Random(7)
    failed = 0
    for _run in range(1000):
        bad = [sum(chance.random() < 0.02 for _request in range(400)) for _side in range(2)]
        failed += told(judged(query("error_ratio"), share(bad[0], 400), share(bad[1], 400), alpha=0.05))[0] == FAIL
    assert failed <= 0.025 * 1000


def events(value: float | None) -> dict[str, Answer]:
    return {"count": answer() if value is None else number(value), "alive": ALIVE}


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        pytest.param(0, 0, (PASS, ""), id="none"),
        pytest.param(0, 1, ("told", "TOO_FEW"), id="one"),
        pytest.param(0, 12, (FAIL, "MORE"), id="many"),
        pytest.param(200, 210, (PASS, ""), id="as-often"),
        pytest.param(200, 500, (FAIL, "MORE"), id="more-often"),
        pytest.param(5, 0, (PASS, ""), id="fewer"),
        pytest.param(0, None, ("told", "NO_DATA"), id="no-data"),
        pytest.param(0, math.nan, (UNKNOWN, "NOT_A_NUMBER"), id="nan"),
        pytest.param(0, -3, (UNKNOWN, "NOT_A_NUMBER"), id="negative"),
    ],
)
def test_counts(old: float, new: float | None, wanted: tuple[str, str]) -> None:
    assert told(judged(query("pod_restarts"), events(new), events(old))) == wanted


# -- levels --------------------------------------------------------------------------------------------------------------
def height(value: Callable[[int], float]) -> dict[str, Answer]:
    return {"values": answer(line(value))}


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        pytest.param(lambda n: 0.0, lambda n: 0.0, (PASS, ""), id="constant-is-fine"),
        pytest.param(lambda n: 0.0, lambda n: 200.0, (PASS, ""), id="at-the-limit"),
        pytest.param(lambda n: 0.0, lambda n: 201.0, (FAIL, "OVER_LIMIT"), id="above"),
        pytest.param(lambda n: 300.0, lambda n: 301.0, (UNKNOWN, "WAS_SO_BEFORE"), id="was-so"),
        pytest.param(lambda n: 0.0, lambda n: 900.0 if n < 3 else 0.0, (PASS, ""), id="a-peak-of-two-steps"),
        pytest.param(lambda n: 0.0, lambda n: 900.0 if n < 6 else 0.0, (FAIL, "OVER_LIMIT"), id="a-peak-of-five"),
    ],
)
def test_levels(old: Callable[[int], float], new: Callable[[int], float], wanted: tuple[str, str]) -> None:
    assert told(judged(query("queue_depth"), height(new), height(old))) == wanted


def test_a_level_needs_no_earlier_time_to_pass_or_fail() -> None:
    nothing = {"values": answer()}
    assert told(judged(query("queue_depth"), height(lambda n: 1.0), nothing)) == (PASS, "")
    assert told(judged(query("queue_depth"), height(lambda n: 900.0), nothing)) == (FAIL, "OVER_LIMIT")
    assert told(judged(query("queue_depth"), height(lambda n: 900.0), nothing, height(lambda n: 901.0))) == (UNKNOWN, "WAS_SO_BEFORE")
    assert told(judged(query("queue_depth"), nothing, height(lambda n: 1.0))) == ("told", "NO_DATA")


def test_the_highest_value_counts_where_the_catalogue_says_so() -> None:
    peak = height(lambda n: 1.0 if n == 30 else 0.0)
    assert told(judged(query("scheduled_jobs_failing"), peak, height(lambda n: 0.0))) == (FAIL, "OVER_LIMIT")


# -- two earlier times ---------------------------------------------------------------------------------------------------
GOOD, BAD, OPEN = Finding(PASS), Finding(FAIL, "SLOWER", "1.4"), Finding(UNKNOWN, "TOO_FEW", "few")
GONE = Finding(UNKNOWN, "NO_DATA", "nothing", usable=False)


@pytest.mark.parametrize(
    ("each", "wanted"),
    [
        ([GOOD, GOOD], (PASS, "")),
        ([BAD, BAD], (FAIL, "SLOWER")),
        ([BAD, GOOD], (UNKNOWN, "MIXED")),
        ([GOOD, BAD], (UNKNOWN, "MIXED")),
        ([BAD, OPEN], (UNKNOWN, "MIXED")),
        ([OPEN, GOOD], (PASS, "")),
        ([OPEN, OPEN], (UNKNOWN, "TOO_FEW")),
        ([BAD, GONE], (FAIL, "SLOWER")),
        ([GONE, GOOD], (PASS, "")),
        ([GONE, OPEN], (UNKNOWN, "TOO_FEW")),
        ([GONE, GONE], (UNKNOWN, "NO_DATA")),
    ],
)
def test_two_earlier_times(each: Sequence[Finding], wanted: tuple[str, str]) -> None:
    found = traffic.together(dict(zip(("before", "week"), each, strict=True)))
    assert (found.decision, found.code) == wanted


def test_a_week_that_is_not_kept_is_left_out() -> None:
    assert told(judged(query("latency_mean"), durations(0.2, 1), durations(0.2, 2), {"values": answer()})) == (PASS, "")
    assert told(judged(query("latency_mean"), durations(0.3, 1), durations(0.2, 2), {"values": answer()})) == (FAIL, "SLOWER")
    assert told(judged(query("latency_mean"), durations(0.3, 1), durations(0.2, 2), durations(0.3, 3))) == (UNKNOWN, "MIXED")


# -- what is asked -------------------------------------------------------------------------------------------------------
def test_what_cannot_be_asked() -> None:
    two = {name: query(name) for name in ("latency_mean", "pod_restarts")}
    found = traffic.unasked(two, {"service": "a"}, {"service": "b"}, PERIOD, together=True)
    assert {name: trouble.code for name, trouble in found.items()} == {"pod_restarts": "NO_SELECTOR"}
    assert "namespace, pods" in found["pod_restarts"].why
    found = traffic.unasked(
        two, {"service": "a", "namespace": "n", "pods": "p"}, {"service": "b", "namespace": "n", "pods": "p"}, PERIOD, together=True
    )
    assert {name: trouble.code for name, trouble in found.items()} == {"pod_restarts": "SAME_SERIES"}
    required = query("latency_mean")
    nothing = Trouble("NO_SELECTOR", "the selector service is not given")
    judgement = traffic.judge(
        {"latency_mean": required}, side("now"), [side("before")], traffic.Settings(), unasked={"latency_mean": nothing}
    )
    assert told(judgement) == (UNKNOWN, "NO_SELECTOR")


def test_reachable() -> None:
    three = {name: query(name) for name in ("latency_mean", "error_ratio", "queue_depth")}
    present = [*three["latency_mean"].metrics, *three["error_ratio"].metrics]
    found = traffic.judge_reachable(three, {"latency_mean": "", "error_ratio": "NO_DATA"}, present, unasked={})
    assert {c.id: (c.ok, c.code) for c in found.checks} == {
        "reachable_latency_mean": (True, ""),
        "reachable_error_ratio": (False, "NO_MATCH"),
    }
    assert [(one["query"], one["code"]) for one in found.told] == [("queue_depth", "NO_EXPORTER")]
    assert "sql_exporter" in found.told[0]["why"]
    found = traffic.judge_reachable({"error_ratio": three["error_ratio"]}, {"error_ratio": "no answer"}, present, unasked={})
    assert (found.checks[0].ok, found.checks[0].code) == (None, "NOT_ASKED")


def test_a_period_has_few_points_and_whole_steps() -> None:
    assert signals.period(1000.7, 1190.2, 60) == Period(1010, 1190, 60)
    week = signals.period(0, 7 * 86400, 60)
    assert (week.points, week.step) == (360, 1680)
    assert signals.period(100, 50, 60).points == 0


@pytest.mark.parametrize("value", ['a"b', "a\\.b", "", 5, "a\nb", None])
def test_a_selector_that_would_end_its_quotes_is_refused(value: Any) -> None:
    assert signals.selector_errors({"service": value})
    assert not signals.selector_errors({"service": "odoo-acme-web-[0-9a-f]+@kubernetescrd"})


def test_names_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="no query named latency_p90"):
        signals.chosen(SHIPPED, "before_after", ["latency_p90"])
    with pytest.raises(ValueError, match="node_cpu cannot be compared side_by_side"):
        signals.chosen(SHIPPED, "side_by_side", ["node_cpu"])


def test_the_shipped_catalogue_has_what_a_release_is_watched_by() -> None:
    assert [name for name, one in SHIPPED.items() if one.required] == ["latency_mean", "error_ratio"]
    assert {name for name, one in SHIPPED.items() if "side_by_side" in one.compare} == {
        "latency_mean", "latency_p50", "latency_p95", "latency_p99", "error_ratio", "pod_restarts", "memory_of_pods",
    }  # fmt: skip
    assert all(set(one.metrics) and one.exporter and one.unit for one in SHIPPED.values())


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"limit": None}, "signals.queries.queue_depth.limit is missing: a level needs it"),
        ({"allowed": 1}, "signals.queries.queue_depth.allowed is nothing that a level has"),
    ],
)
def test_a_catalogue_that_makes_no_sense(change: dict[str, Any], wanted: str) -> None:
    entry = {**ENTRIES["queue_depth"], **change}
    document = {"queries": {"queue_depth": {key: value for key, value in entry.items() if value is not None}}}
    (told_,) = signals.judge_signals(document)
    assert wanted in told_
