# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is the new side slower than tolerated, or not? Two sequential tests on pairs of durations, and how large the effect is.

``d = log(canary / baseline) - log(tolerance)`` for each pair. One capital bets against "no slower than the tolerance", the other against
"slower", each as in :mod:`.betting`. A "pass" also needs proof that the canary's spread is not blown up, and odds against its being
wider (:mod:`.judge_spread`).

*Assumption: given the earlier pairs, the noise of d is symmetric.* It holds when the release multiplies durations by one factor,
whatever their distribution: then the halves of a pair may be swapped, and the random order in which they are done does swap them.
So noise with heavy tails or two humps, noise that depends on the time, and drift that both sides share keep the error rates. A release that
changes the shape of the noise breaks it; then the rates are those of "the ratio is above the tolerance as often as below, size for size".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import eq

from . import betting
from .checks import FAIL, PASS, UNKNOWN
from .judge_spread import SETTLED, Spread, judge_spread

ALTERNATIVE = 1.4 / 1.2  # a slowness of this factor beyond the tolerance is what must be found
BOUNDS = 0.01  # error of each confidence bound
LONG = 120  # stretches, at least, that a long series is judged by


@dataclass(frozen=True)
class Latency:
    """What is known of the speed of one step. ``more``: about how many pairs are missing to a decision.

    ``ratio`` of the medians; ``ratio_low`` and ``ratio_high`` bound the factor of the pairs, each wrong in 1 %, over all looks.
    ``p95_ratio`` and its bounds hold for one look only. ``spread_ratio`` of the interquartile ranges of the logarithms. ``power`` is how
    likely this many pairs were to find :data:`ALTERNATIVE` beyond the tolerance.
    """

    n: int
    baseline_median_s: float | None = None
    canary_median_s: float | None = None
    ratio: float | None = None
    e_fail: float = 1.0
    e_pass: float = 1.0
    decision: str = UNKNOWN
    code: str = ""
    reason: str = ""
    more: int = 0
    ratio_low: float | None = None
    ratio_high: float | None = None
    p95_ratio: float | None = None
    p95_low: float | None = None
    p95_high: float | None = None
    power: float = 0.0
    spread_ratio: float | None = None
    spread_e_fail: float = 1.0
    spread_e_pass: float = 1.0


@dataclass(frozen=True)
class Levels:
    """The error rates of one metric's tests, and the pairs that a "pass" needs at least."""

    fail: float = 0.01
    fail_spread: float = 0.001
    passing: float = 0.01
    min_pairs: int = 8


def broken(pairs: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """Why these durations cannot be judged: a code and a reason, or nothing."""
    sides = list(zip(("baseline", "canary"), zip(*pairs, strict=True), strict=False))
    whole = all(min(side) > 0 and sum(side) < math.inf for _dummy, side in sides)  # a NaN makes the sum one, and that is not less
    bad = [] if whole else [x for _dummy, side in sides for x in side if not 0 < x < math.inf]
    if bad:
        return "MISSING", f"{len(bad)} of {2 * len(pairs)} durations are not positive finite numbers (such as {bad[0]!r})"
    for name, side in sides:
        if len(side) >= 4 and side.count(side[0]) == len(side):
            return "CONSTANT", f"all {len(side)} durations of the {name} are exactly {side[0]!r} s: that is not a measurement"
    again = sum(map(eq, pairs, pairs[1:]))
    if len(pairs) >= 8 and 2 * again > len(pairs):
        return "DUPLICATE", f"{again} of {len(pairs)} pairs repeat the pair before exactly: a measurement was delivered more than once"
    return "", ""


# -- how large -----------------------------------------------------------------------------------------------------------
def at_quantile(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(q * len(ordered)) - 1)]


@lru_cache(maxsize=1024)
def ranks(n: int, q: float, alpha: float) -> tuple[int | None, int | None]:
    """Indices of the order statistics that bound quantile ``q`` from below and above, each with error ``alpha``; exact (binomial)."""
    below, high, size = 0.0, n, n * math.log(q)  # below: the chance that fewer than k of n lie above the quantile
    for k in range(n + 1):
        term = math.exp(size)  # from its logarithm: in a long series the first ones are smaller than any float
        if below + term <= alpha:
            high = n - 1 - k
        if 1 - below <= alpha:
            return n - k, high if high < n else None
        below += term
        size += math.log((n - k) / (k + 1) * (1 - q) / q) if k < n else 0.0
    return None, high if high < n else None


def p95(old: Sequence[float], new: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Ratio of the 95th percentiles, with bounds from order statistics of both sides. For one look."""
    low, high = ranks(len(old), 0.95, BOUNDS / 2)
    ratio = at_quantile(new, 0.95) / at_quantile(old, 0.95)
    if low is None or high is None:
        return ratio, None, None
    return ratio, new[low] / old[high], new[high] / old[low]


def bounds(ds: Sequence[float], learned: Sequence[betting.Lesson], tolerance: float) -> tuple[float | None, float | None]:
    """Bounds of the factor between the sides, valid at all looks at once."""
    mu = math.log(tolerance)
    low = betting.excluded_below(ds, learned, mu=mu, alpha=BOUNDS)
    high = betting.excluded_below([-d for d in ds], learned, mu=mu, alpha=BOUNDS)
    return None if low is None else tolerance * math.exp(low), None if high is None else tolerance * math.exp(-high)


# -- the decision --------------------------------------------------------------------------------------------------------
def judge_latency(
    pairs: Sequence[tuple[float, float]],
    *,
    tolerance: float,
    levels: Levels | None = None,
    one_look: bool = False,
    allowance: float = 0.0,
) -> Latency:
    """Pairs of (baseline, canary) seconds in the order of measurement: ``fail`` slower than the tolerance, ``pass`` not, else ``unknown``.

    A "fail" once reached stays, and beats a "pass" reached before; a "pass" once reached stays unless it fails. ``one_look``: the pairs are
    all there will be; a long series is then judged by the medians of its stretches, which is quick, and has no bounds of the factor.
    ``allowance`` is the logarithm of a factor that may lie between the sides by chance: a "fail" has to be so much above the tolerance, a
    "pass" so much below.
    """
    levels = levels or Levels()
    if not tolerance > 1 or not 0 <= allowance < math.log(tolerance):
        raise ValueError("the tolerance must be greater than 1 and the allowance: the test needs room between the same and too slow")
    code, why = broken(pairs)
    if code:
        return Latency(len(pairs), code=code, reason=why)
    if not pairs:
        more = betting.missing(1.0, threshold=1 / levels.passing, mu=math.log(tolerance), variance=betting.PRIOR_SD**2)
        return Latency(0, code="MISSING", reason=f"no pair was measured, about {more} are needed", more=more)
    return tested(pairs, tolerance, levels, one_look, allowance)


def tested(pairs: Sequence[tuple[float, float]], tolerance: float, levels: Levels, one_look: bool, allowance: float) -> Latency:
    """Carries out the tests on durations that can be judged."""
    log, margin = math.log, math.log(tolerance)
    ds = [log(c / b) - margin for b, c in pairs]
    some = pairs[:: 1 + len(pairs) // LONG] if one_look else pairs
    old, new = [log(b) for b, _dummy in some], [log(c) for _dummy, c in some]
    if one_look:
        ds = stretches_of(ds)
    learned = betting.lessons(ds, () if one_look else (old, new))
    noise = betting.lesson(ds[: betting.LAST_LOOK]).variance
    slower, fine = both_bets(ds, learned, tolerance=tolerance, levels=levels, allowance=allowance)
    spread = judge_spread(old, new, tolerated=tolerance, alpha_fail=levels.fail_spread, alpha_pass=levels.passing)
    low, high = (None, None) if one_look else bounds(ds, learned, tolerance)
    power = betting.power(len(ds), mu=math.log(ALTERNATIVE), variance=noise, threshold=1 / levels.fail)
    found = replace(
        sizes(pairs), e_fail=slower.now, e_pass=fine.best, ratio_low=low, ratio_high=high, power=round(power, 3),
        spread_e_fail=spread.e_fail, spread_e_pass=spread.e_pass,
    )  # fmt: skip
    more = missing(slower, fine, noise, room=margin - allowance, levels=levels)
    return decided(found, slower, fine, spread, tolerance=tolerance, levels=levels, more=more)


def both_bets(
    ds: Sequence[float], learned: Sequence[betting.Lesson], *, tolerance: float, levels: Levels, allowance: float
) -> tuple[betting.Capital, betting.Capital]:
    """The capital of who bets that it is slower than tolerated, and of who bets that it is not."""
    above, below = ([d - allowance for d in ds], [-d - allowance for d in ds]) if allowance else (ds, [-d for d in ds])
    slower = betting.bet(above, learned, mu=math.log(ALTERNATIVE), target=1 / levels.fail)
    return slower, betting.bet(below, learned, mu=math.log(tolerance) - allowance, target=1 / levels.passing)


def stretches_of(ds: Sequence[float]) -> list[float]:
    """A long series as the medians of at most twice :data:`LONG` stretches of equal length: symmetric when the numbers are."""
    size = len(ds) // LONG
    return list(ds) if size < 2 else [betting.middle_of(ds[k : k + size]) for k in range(0, len(ds) - size + 1, size)]


def sizes(pairs: Sequence[tuple[float, float]]) -> Latency:
    """Medians, 95th percentiles, and their ratios."""
    old, new = (sorted(side) for side in zip(*pairs, strict=True))
    before, after = betting.middle_of(old), betting.middle_of(new)
    ratio, low, high = p95(old, new)
    before_iqr = iqr(old)
    spread = iqr(new) / before_iqr if before_iqr > 0 else None
    return Latency(
        len(pairs), before, after, after / before, p95_ratio=ratio, p95_low=low, p95_high=high, spread_ratio=spread
    )  # fmt: skip


def iqr(ordered: Sequence[float]) -> float:
    """Interquartile range of the logarithms."""
    n = len(ordered)
    return math.log(ordered[(3 * n) // 4] / ordered[n // 4])


def missing(slower: betting.Capital, fine: betting.Capital, noise: float, *, room: float, levels: Levels) -> int:
    """About how many pairs are missing if the more likely of both answers is true. ``room`` lies between the same and what cannot pass."""
    if fine.hit or fine.now >= slower.now:
        return betting.missing(fine.now, threshold=1 / levels.passing, mu=room, variance=noise)
    return betting.missing(slower.now, threshold=1 / levels.fail, mu=math.log(ALTERNATIVE), variance=noise)


def decided(
    found: Latency, slower: betting.Capital, fine: betting.Capital, spread: Spread, *, tolerance: float, levels: Levels, more: int
) -> Latency:
    """The decision of the tests, with its reason."""
    if slower.hit:
        return accuse(found, tolerance)
    if spread.wide:
        return replace(found, decision=FAIL, code="SPREAD", reason=f"as fast in the middle, but {wide(found)} over {found.n} pairs")
    if passed_after(fine, spread, found.n, levels.min_pairs):
        return replace(found, decision=PASS)
    if fine.hit and found.n >= 2 * levels.min_pairs:
        reason = f"as fast in the middle, but it is not proved after {found.n} pairs that its durations do not scatter more"
        return replace(found, code="SPREAD", reason=reason, more=levels.min_pairs)
    more = max(more, levels.min_pairs - found.n, 2 * SETTLED - found.n)
    return replace(found, code="TOO_FEW", reason=f"{found.n} pairs do not decide, about {more} more are needed", more=more)


def passed_after(fine: betting.Capital, spread: Spread, n: int, least: int) -> int:
    """After how many of ``n`` pairs the metric passed, or 0: fast enough, not blown up, and at that moment a wider spread unlikely."""
    if not fine.hit or not spread.fine:
        return 0
    return next((k for k in range(max(fine.hit, spread.fine, least), n + 1) if spread.calm(k)), 0)


def wide(found: Latency) -> str:
    return "its durations scatter more" + (f" ({found.spread_ratio:.1f} times as widely)" if found.spread_ratio else "")


def accuse(found: Latency, tolerance: float) -> Latency:
    reason = f"{found.ratio or 0.0:.2f} times as slow over {found.n} pairs, tolerated {tolerance:g}"
    return replace(found, decision=FAIL, code="SLOWER", reason=reason, more=0)
