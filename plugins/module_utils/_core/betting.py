# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sequential tests by betting on the sign of numbers that are symmetric about zero when the hypothesis is true.

A capital starts at 1 and is multiplied by ``1 + psi(d)`` for each ``d``. ``psi`` is odd and never falls, and how much it stakes was
decided by earlier numbers only. So its expectation never grows while ``d`` is, given the past, symmetric about zero or about
something below it, and it ever reaches ``1 / alpha`` with a probability of at most ``alpha`` (Ville), however often it is looked at.

Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024 (arXiv 2010.09686), for
stakes that are learned on the way; Vovk and Wang, "Nonparametric e-tests of symmetry" (arXiv 2208.08925), for the hypothesis.

For normal noise of variance ``v`` the best stake is ``tanh(mu * d / v)``, where ``mu`` is the shift worth finding: it is the likelihood
ratio of the sign when the size is known. Two things are added. Beyond ``clip`` the size of ``d`` no longer counts (Huber), where
that is the better bet on the noise seen so far: heavy tails, durations with two humps. And no more is staked than is needed to reach
the target: what lies beyond it proves nothing more, and costs false alarms that are better spent elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PRIOR_SD, PRIOR_WEIGHT, FLOOR_SD = 0.35, 3, 0.05  # of d, before there are numbers to learn it from
LAST_LOOK = 256  # the noise is learned from at most this many: more would only cost time
CAP = math.atanh(0.9)  # never more than nine tenths of the capital on one number
CLIPS, HANDICAP = (0.5, 0.65, 0.8), 0.25  # quantiles of |d| to clip at, and how much better that must look
TOGETHER = 0.6  # below this share of the sum of the sides' variances they go up and down together
TINY = 1e-300


@dataclass(frozen=True)
class Lesson:
    """What the numbers before ``start`` say about the noise of those from ``start`` on.

    ``variance``: that of normal noise which would be as hard to bet on. ``inside``: the share of the numbers that ``clip`` leaves alone.
    """

    start: int
    variance: float
    clip: float = math.inf
    inside: float = 1.0

    def slope(self, mu: float) -> float:
        return mu / (self.variance * self.inside)


@dataclass(frozen=True)
class Capital:
    """``now``: an e-value. ``best``: the greatest so far, ``1 / best`` an anytime-valid p-value. ``hit``: when it reached the target."""

    now: float = 1.0
    best: float = 1.0
    hit: int = 0


def looks(n: int) -> list[int]:
    """After how many numbers the stake is chosen anew: each at first, then ever more rarely."""
    found = list(range(min(n, 16)))
    at = 16
    while at < n and at <= LAST_LOOK:
        found.append(at)
        at += at // 4
    return found


def middle_of(values: Sequence[float]) -> float:
    """The median. (The module ``statistics`` takes longer to import than fifty metrics to judge.)"""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def mean_square(values: Sequence[float]) -> float:
    """About their mean."""
    mean = sum(values) / len(values)
    return sum([(v - mean) ** 2 for v in values]) / len(values)


def lesson(earlier: Sequence[float], sides: Sequence[Sequence[float]] = ()) -> Lesson:
    """Where to clip, and the variance that results. The best stake on a clipped ``d`` is its mean over its mean square.

    ``sides``: the two numbers that each ``d`` is the difference of. Unless they go up and down together, the sum of their variances is
    a second estimate of the same thing, and the mean of both is better than either.
    """
    n = len(earlier)
    if n < 2:
        return Lesson(n, PRIOR_SD**2)
    middle = middle_of(earlier)
    sizes = sorted([abs(d - middle) for d in earlier])
    squares = [r * r for r in sizes]
    variance, clip, share = max(sum(squares) / n, FLOOR_SD**2), math.inf, 1.0
    apart = sum(mean_square(side) for side in sides)
    if sides and variance > TOGETHER * apart:
        variance = (variance + max(apart, FLOOR_SD**2)) / 2
    handicap = 1 + HANDICAP * (1 + 10 / n)
    for quantile in CLIPS if n >= 4 else ():
        k = int(quantile * n)
        inside = (k + 1) / n
        clipped = (sum(squares[: k + 1]) + (n - k - 1) * squares[k]) / n / inside**2
        if clipped > 0 and clipped * handicap < variance:
            variance, clip, share = max(clipped, FLOOR_SD**2), max(sizes[k], FLOOR_SD), inside
    return Lesson(n, (PRIOR_WEIGHT * PRIOR_SD**2 + n * variance) / (PRIOR_WEIGHT + n), clip, share)


def lessons(ds: Sequence[float], sides: Sequence[Sequence[float]] = ()) -> list[Lesson]:
    """All of them, each from earlier numbers only."""
    return [lesson(ds[:n], [side[:n] for side in sides]) for n in looks(len(ds))]


def stretches(learned: Sequence[Lesson], n: int) -> list[tuple[Lesson, int]]:
    """Each lesson with the end of the numbers it holds for."""
    return list(zip(learned, [later.start for later in learned[1:]] + [n], strict=True))


def bet(ds: Sequence[float], learned: Sequence[Lesson], *, mu: float, target: float) -> Capital:
    """The capital from betting against "d is not above zero", with the alternative ``mu``; it rests once it has reached the target."""
    capital = best = 1.0
    tanh = math.tanh
    for found, end in stretches(learned, len(ds)):
        slope = found.slope(mu)
        limit = min(CAP, slope * found.clip)
        for at in range(found.start, end):
            x = slope * ds[at]
            stake = tanh(limit if x > limit else -limit if x < -limit else x)
            if capital > target / 2:
                needed = target / capital - 1
                stake = max(-needed, min(needed, stake))
            capital *= 1 + stake
            if capital > best:
                best = capital
                if capital >= target * (1 - 1e-12):
                    return Capital(target, target, at + 1)
        capital = max(capital, TINY)
    return Capital(capital, best)


def excluded_below(ds: Sequence[float], learned: Sequence[Lesson], *, mu: float, alpha: float) -> float | None:
    """The greatest centre that betting against "the centre of d is not above it" excludes, at some look, at level ``alpha``.

    A confidence sequence: with a probability of at least ``1 - alpha`` the true centre is above it at all looks at once.
    """
    runs = [(found.slope(mu), min(CAP, found.slope(mu) * found.clip), ds[found.start : end]) for found, end in stretches(learned, len(ds))]

    def excluded(centre: float) -> bool:
        capital = 1.0
        for slope, limit, part in runs:
            for d in part:
                x = slope * (d - centre)
                capital *= 1 + math.tanh(limit if x > limit else -limit if x < -limit else x)
                if capital >= 1 / alpha:
                    return True
        return False

    if not ds or not excluded(min(ds) - 5):
        return None
    low, high = min(ds) - 5, max(ds)
    while high - low > 0.002:
        half = (low + high) / 2
        low, high = (half, high) if excluded(half) else (low, half)
    return low


def accused(e_values: Sequence[float], alpha: float) -> set[int]:
    """Which hypotheses to reject so that on average at most a share ``alpha`` of the rejected ones is true, whatever depends on what.

    e-BH: Wang and Ramdas, "False discovery rate control with e-values", JRSS B 2022 (arXiv 2009.02824).
    """
    m = len(e_values)
    order = sorted(range(m), key=lambda k: -e_values[k])
    passed = [k for k in range(1, m + 1) if e_values[order[k - 1]] >= m / (k * alpha) * (1 - 1e-12)]
    return set(order[: passed[-1]]) if passed else set()


def normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def power(n: int, *, mu: float, variance: float, threshold: float) -> float:
    """About how likely ``n`` numbers are to reach the threshold when the alternative is true: first passage of a Brownian motion."""
    gain = n * mu * mu / (2 * variance)
    wanted, sd = math.log(threshold), math.sqrt(2 * gain)
    if not n or sd == 0:
        return 0.0
    return min(1.0, normal_cdf((gain - wanted) / sd) + math.exp(min(wanted, 600.0)) * normal_cdf(-(gain + wanted) / sd))


def missing(capital: float, *, mu: float, variance: float, threshold: float) -> int:
    """About how many more numbers are needed when the alternative is true."""
    gain = min(math.log(1.9), mu * mu / (2 * variance))
    return max(1, math.ceil(math.log(threshold / max(capital, TINY)) / gain))
