"""The exact tests against sums of whole numbers, which round nothing."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import exact
from hypothesis import given
from hypothesis import strategies as st

counts = st.integers(0, 120)


def binomial(k: int, n: int, p: Fraction) -> float:
    """The chance of ``k`` or more of ``n``."""
    return float(sum((math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)), Fraction(0)))


@given(counts, counts, st.integers(1, 999))
def test_the_tail_of_a_binomial(k: int, n: int, p: int) -> None:
    wanted = binomial(k, n, Fraction(p, 1000)) if k <= n else 0.0
    assert exact.tail(k, n, p / 1000) == pytest.approx(wanted, rel=1e-9, abs=1e-13)


@given(counts, counts, counts, counts)
def test_two_shares(a: int, b: int, c: int, d: int) -> None:
    old, new = (a, a + b + 1), (c, c + d + 1)
    bad, good, size = a + c, b + d + 2, new[1]
    ways = sum(math.comb(bad, k) * math.comb(good, size - k) for k in range(c, min(bad, size) + 1))
    wanted = float(Fraction(ways, math.comb(bad + good, size)))
    assert exact.shares_differ(old, new) == pytest.approx(wanted, rel=1e-8, abs=1e-11)


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.05, 0.01, 0.001]))
def test_bounds_of_a_share_are_where_the_chance_is_alpha(k: int, n: int, alpha: float) -> None:
    k = min(k, n)
    low, high = exact.share_at_least(k, n, alpha), exact.share_at_most(k, n, alpha)
    assert low <= k / n <= high
    assert binomial(k, n, Fraction(low)) == pytest.approx(alpha, rel=1e-6) if k else low == 0.0
    assert 1 - binomial(k + 1, n, Fraction(high)) == pytest.approx(alpha, rel=1e-6) if k < n else high == 1.0


def test_two_rates() -> None:
    assert exact.rates_differ((0, 600.0), (10, 600.0)) == pytest.approx(2**-10)
    assert exact.rates_differ((10, 600.0), (0, 600.0)) == 1.0
    assert exact.rates_differ((3, 600.0), (3, 1800.0)) == pytest.approx(binomial(3, 6, Fraction(3, 4)))
    assert exact.rate_ratio_at_most((0, 600.0), (3, 600.0), 0.01) == math.inf
    assert exact.rate_ratio_at_most((5, 600.0), (0, 600.0), 0.01) == pytest.approx(0.01 ** (-1 / 5) - 1)
    assert 1 < exact.rate_ratio_at_most((100, 600.0), (100, 600.0), 0.01) < 1.5


def test_millions_of_requests() -> None:
    """By the normal approximation: equal shares, and one that lies 1.9 standard deviations above."""
    assert exact.shares_differ((1000, 3_000_000), (1000, 3_000_000)) == pytest.approx(0.51, abs=0.01)
    far = 502_000 - 500_000
    sd = math.sqrt(2 * 3e6 * 0.167 * 0.833)
    wanted = 0.5 * math.erfc(far / sd / math.sqrt(2))
    assert exact.shares_differ((500_000, 3_000_000), (502_000, 3_000_000)) == pytest.approx(wanted, rel=0.02)
