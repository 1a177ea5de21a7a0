# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is the new side more erratic than the old one? A release of the same median whose durations scatter wildly is not as good.

For each pair the distances of both logarithms from the median of their side's earlier ones are compared: ``b`` and ``c``. When
the canary's noise is the baseline's, stretched by at most ``k``, then ``c/k`` is as likely to be the smaller as the greater of both, so
``(c/k)^2 - b^2`` may be bet on as in :mod:`.betting`. The stake is the likelihood ratio of the order for normal noise.

The medians are estimates, so this is exact only in the limit; tests/bench/judge_rates.py counts what that costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .betting import TINY, middle_of

SETTLED = 4  # pairs before the medians are worth anything
LOOKS = (4, 6, 8, 12, 16, 24, 32, 48, 72, 108, 162, 243, 364)  # pairs after which the medians are taken anew
WIDEST, BLOWN_UP = 2.0, 4.0  # the most that is tolerated, whatever the tolerance for speed, and what must never pass
FOUND = math.sqrt(3) / 1.2  # a spread worth finding, times what is tolerated: a variance times three at the default tolerance
CALM = 0.5  # odds of a wider spread at which a step may pass: even ones would let a fifth of threefold variances through
CAP = 0.7  # never more of the capital on one pair: durations with two humps cost whoever stakes more
NORMAL = 0.455  # the median of a squared standard normal


@dataclass(frozen=True)
class Spread:
    """``wider``: the capital against "no wider than tolerated" after each pair; ``e_pass`` against "four times as wide".

    ``wide`` and ``fine``: after how many pairs each was proved (0: not).
    """

    wider: tuple[float, ...]
    e_pass: float
    wide: int
    fine: int

    @property
    def e_fail(self) -> float:
        return self.wider[-1] if self.wider else 1.0

    def calm(self, pairs: int) -> bool:
        """After so many pairs a wider spread had become unlikely."""
        at = min(pairs - SETTLED, len(self.wider)) - 1
        return at >= 0 and self.wider[at] < CALM


def distances(old: Sequence[float], new: Sequence[float]) -> list[tuple[float, float]]:
    """Squared distances (baseline, canary) in units of the variance of both, from what earlier pairs say."""
    found: list[tuple[float, float]] = []
    ends = [*[n for n in LOOKS if n < len(old)], len(old)]
    for start, end in pairwise(ends):
        b, c = middle_of(old[:start]), middle_of(new[:start])
        unit = middle_of([(x - b) ** 2 for x in old[:start]] + [(x - c) ** 2 for x in new[:start]]) / NORMAL or TINY
        found += [((x - b) ** 2 / unit, (y - c) ** 2 / unit) for x, y in zip(old[start:end], new[start:end], strict=True)]
    return found


def bet_on_order(pairs: Sequence[tuple[float, float]], *, slope: float, target: float) -> list[float]:
    """The capital after each pair from betting against "the first is not smaller more often"; it ends when it has reached the target."""
    capital, path = 1.0, []
    for first, second in pairs:
        limit = min(CAP, target / capital - 1)
        capital = max(capital * (1 + max(-limit, min(limit, math.tanh(slope * (second - first))))), TINY)
        path.append(capital)
        if capital >= target * (1 - 1e-12):
            break
    return path


def reached(path: Sequence[float], target: float) -> int:
    """After how many pairs the target was reached, or 0."""
    return SETTLED + len(path) if path and path[-1] >= target * (1 - 1e-12) else 0


def slope_of(ratio: float, variance: float) -> float:
    """Half the log likelihood ratio of the order per unit of difference, when one side's sd is ``ratio`` times that of ``variance``."""
    return (1 - 1 / ratio**2) / (4 * variance)


def judge_spread(old: Sequence[float], new: Sequence[float], *, tolerated: float, alpha_fail: float, alpha_pass: float) -> Spread:
    """Logarithms of the durations of both sides, in pairs. ``tolerated``: so many times as wide is no worse, at most :data:`WIDEST`."""
    tolerated = min(tolerated, WIDEST)
    seen = distances(old, new)
    wider = [(b, c / tolerated**2) for b, c in seen]
    wide = bet_on_order(wider, slope=slope_of(FOUND, 1.0), target=1 / alpha_fail)
    narrower = [(c / BLOWN_UP**2, b) for b, c in seen]
    fine = bet_on_order(narrower, slope=slope_of(BLOWN_UP, 1 / BLOWN_UP**2), target=1 / alpha_pass)
    return Spread(tuple(wide), max(fine, default=1.0), reached(wide, 1 / alpha_fail), reached(fine, 1 / alpha_pass))
