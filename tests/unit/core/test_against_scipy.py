"""Our figures against those of scipy, which the product itself does not need."""

from __future__ import annotations

import math
import random

import numpy
import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import (
    betting,
    canary_record,
    judge_errors,
    judge_latency,
    student,
)
from scipy import stats

from tests.bench import kayenta


def lognormal(n: int, seed: int, factor: float = 1.0) -> list[float]:
    draw = random.Random(seed)
    return [factor * math.exp(draw.gauss(0, 0.3)) for _dummy in range(n)]


# -- ours
@pytest.mark.parametrize("q", [0.5, 0.95])
@pytest.mark.parametrize("alpha", [0.005, 0.05])
@pytest.mark.parametrize("n", [1, 10, 104, 200, 1440, 20160])
def test_bounds_of_a_quantile(n: int, q: float, alpha: float) -> None:
    """The order statistic with index k lies above the quantile with the chance that at most k of n samples lie below it."""
    low, high = judge_latency.ranks(n, q, alpha)
    chance = stats.binom(n, q)
    if low is None:
        assert chance.cdf(0) > alpha
    else:
        assert chance.cdf(low) <= alpha < chance.cdf(low + 1)
    if high is None:
        assert chance.sf(n - 1) > alpha
    else:
        assert chance.sf(high) <= alpha < chance.sf(high - 1)


@pytest.mark.parametrize("n", [60, 104, 300])
def test_bounds_of_a_quantile_against_the_exact_test(n: int) -> None:
    """What lies below the lower bound is rejected as quantile by scipy's test, and two samples further up nothing is."""
    values = sorted(lognormal(n, 1))
    low, _high = judge_latency.ranks(n, 0.95, 0.005)
    assert low is not None

    def p(k: int) -> float:
        return float(stats.quantile_test(values, q=values[k] - 1e-9, p=0.95, alternative="greater").pvalue)

    assert p(low) <= 0.005 < p(low + 2)


@pytest.mark.parametrize("n", [8, 20, 60, 300])
def test_the_bound_of_an_error_rate(n: int) -> None:
    """Clopper and Pearson, one-sided."""
    found = judge_errors.judge_errors([(False, False)] * n, alpha_fail=0.001, min_rounds=8)
    interval = stats.binomtest(0, n, alternative="less").proportion_ci(0.99, method="exact")
    assert found.rate_below == pytest.approx(interval.high)
    assert found.rate_below == pytest.approx(stats.beta.ppf(0.99, 1, n))


def test_the_error_test_never_claims_more_than_the_exact_one() -> None:
    """An e-value of 1/p, at its best over all looks, proves no more than the exact test that looks once, at the end."""
    draw = random.Random(1)
    for k in range(200):
        failed = [draw.random() < (0.02, 0.1, 0.5)[k % 3] for _dummy in range(60)]
        if sum(failed):
            last = max(n for n, bad in enumerate(failed) if bad) + 1
            exact = min(
                stats.binomtest(sum(failed[:n]), n, judge_errors.BACKGROUND, alternative="greater").pvalue for n in range(1, last + 1)
            )
            assert judge_errors.against_background(failed) <= 1 / exact


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 9, 11, 40])
def test_students_distribution(df: int) -> None:
    for t in (-3.0, -0.4, 0.0, 0.1, 1.0, 2.7, 40.0):
        assert student.cdf(t, df) == pytest.approx(stats.t.cdf(t, df), abs=1e-12)
    for p in (0.5, 0.8, 0.99, 0.9999):
        assert student.quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-8, abs=1e-8)


def test_the_middle_of_a_run_is_the_trimmed_mean() -> None:
    for n in (8, 9, 14, 60, 121):
        values = lognormal(n, n)
        assert canary_record.middle(values) == pytest.approx(stats.trim_mean(numpy.log(values), 0.2))


def test_the_normal_distribution_and_the_median() -> None:
    for z in (-4.0, -1.0, 0.0, 0.3, 2.5):
        assert betting.normal_cdf(z) == pytest.approx(stats.norm.cdf(z))
    for n in (1, 2, 7, 100):
        assert betting.middle_of(lognormal(n, n)) == numpy.median(lognormal(n, n))


# -- the peer: what is shown beside ours is what scipy finds
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("ties", [False, True])
def test_the_rank_sum_of_the_peer(seed: int, ties: bool) -> None:
    old, new = lognormal(30, seed), lognormal(25, seed + 100, 1.15)
    if ties:
        old, new = ([round(v, 1) for v in side] for side in (old, new))
    found = kayenta.excess(numpy.sort(old), numpy.asarray(new), 0.0)
    exact = stats.mannwhitneyu(new, old, method="asymptotic", use_continuity=True)
    assert 2 * stats.norm.sf(abs(found)) == pytest.approx(exact.pvalue, rel=1e-6) or exact.pvalue == 1.0
    assert (found > 0) == (exact.statistic > 30 * 25 / 2 + 0.5)


@pytest.mark.parametrize("seed", range(6))
def test_the_interval_of_the_peer(seed: int) -> None:
    """By roots as among all differences, and it ends where scipy's test begins to reject."""
    old, new = lognormal(60, seed), lognormal(60, seed + 100, 1.3)
    slow, quick = kayenta.hodges_lehmann(old, new), kayenta.by_ranks(old, new)
    assert quick == pytest.approx(slow, abs=0.01)
    for shift, rejected in ((quick[1] - 0.01, True), (quick[1] + 0.01, False)):
        p = stats.mannwhitneyu([v - shift for v in new], old, method="asymptotic").pvalue
        assert (p < 1 - kayenta.CONFIDENCE) == rejected


@pytest.mark.parametrize("name", kayenta.DURATIONS)
def test_the_quick_verdict_of_the_peer_is_the_slow_one(name: str) -> None:
    old, new, _right = kayenta.DURATIONS[name]
    assert kayenta.is_high(numpy.asarray(old), numpy.asarray(new)) == (kayenta.mann_whitney(old, new) == "high")


@pytest.mark.parametrize("factor", [1.0, 1.1, 1.4])
def test_the_quick_verdict_of_the_peer_is_that_of_its_interval(factor: float) -> None:
    for seed in range(10):
        old, new = lognormal(80, seed), lognormal(80, seed + 50, factor)
        shift, low, _high = kayenta.by_ranks(old, new)
        if abs(low - kayenta.TOLERANCE * abs(shift)) > 0.002:
            assert kayenta.is_high(numpy.asarray(old), numpy.asarray(new)) == (low > kayenta.TOLERANCE * abs(shift))
