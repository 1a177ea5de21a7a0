# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Exact tests on counts, in plain Python: two shares, two rates, and how large a share can be at most or at least.

Fisher's test for shares, the conditional binomial test for rates, Clopper and Pearson's bounds. All are one-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable

ROUNDS = 300  # of the continued fraction; it needs about the root of its greater parameter
PRECISE = 1e-15


def tail(k: int, n: int, p: float) -> float:
    """The chance of ``k`` or more of ``n`` when each comes with chance ``p``."""
    if k <= 0:
        return 1.0
    return 0.0 if k > n else beta(k, n - k + 1, p)


def beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return min(1.0, math.exp(front) * fraction(a, b, x) / a)


def fraction(a: float, b: float, x: float) -> float:
    """Its continued fraction, evaluated from the front (Lentz)."""
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d or tiny)
    found = d
    for m in range(1, ROUNDS + int(10 * math.sqrt(max(a, b)))):
        for step in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d, c = 1 / ((1 + step * d) or tiny), (1 + step / c) or tiny
            found *= c * d
        if abs(c * d - 1) < PRECISE:
            break
    return found


def share_at_most(k: int, n: int, alpha: float) -> float:
    """With an error of ``alpha`` the true share behind ``k`` of ``n`` is not above this."""
    return 1.0 if k >= n else between(lambda p: 1 - tail(k + 1, n, p) > alpha)


def share_at_least(k: int, n: int, alpha: float) -> float:
    """With an error of ``alpha`` the true share behind ``k`` of ``n`` is not below this."""
    return 0.0 if k <= 0 else between(lambda p: tail(k, n, p) < alpha)


def between(low_enough: Callable[[float], bool]) -> float:
    """Where a condition that holds for small numbers of 0 to 1 ceases to hold."""
    low, high = 0.0, 1.0
    for _halving in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if low_enough(middle) else (low, middle)
    return high


def shares_differ(old: tuple[int, int], new: tuple[int, int]) -> float:
    """The chance that so many or more of all that are bad are on the new side, when both shares are the same (Fisher). (bad, all)."""
    bad, every, k = old[0] + new[0], old[1] + new[1], new[0]
    if k * every > bad * new[1]:  # more than expected: the tail is the smaller part
        return min(1.0, summed(range(k, min(bad, new[1]) + 1), bad, new[1], every))
    return max(0.0, 1 - summed(range(k - 1, max(0, bad - old[1]) - 1, -1), bad, new[1], every))


def summed(ks: range, bad: int, size: int, every: int) -> float:
    """The chance of all these, of which each is less likely than the one before; what is too small to count is left out."""
    total = 0.0
    for k in ks:
        chance = math.exp(drawn(k, bad, size, every))
        total += chance
        if chance < total * 1e-17:
            break
    return total


def drawn(k: int, bad: int, size: int, every: int) -> float:
    """The logarithm of the chance that ``k`` of the bad are among ``size`` of all."""
    return choose(bad, k) + choose(every - bad, size - k) - choose(every, size)


def choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def rates_differ(old: tuple[int, float], new: tuple[int, float]) -> float:
    """The chance that so many or more of all events are on the new side, when both come equally often. (events, seconds)."""
    return tail(new[0], old[0] + new[0], new[1] / (old[1] + new[1]))


def rate_ratio_at_most(old: tuple[int, float], new: tuple[int, float], alpha: float) -> float:
    """With an error of ``alpha`` events come no more than so many times as often on the new side."""
    share = share_at_most(new[0], old[0] + new[0], alpha)
    return math.inf if share >= 1 else share / (1 - share) * old[1] / new[1]
