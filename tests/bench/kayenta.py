"""The peer: a Mann-Whitney judge as Kayenta's default is described (confidence 0.98, tolerance 0.25), and the cases people reported of it.

It calls a metric high when the confidence interval of the Hodges-Lehmann shift lies above a quarter of the shift itself; equal series pass.
The interval is the normal approximation with the corrections for ties and continuity; it is found by looking for the shifts at which the
rank sum is as far from the middle as the quantile says (as Kayenta does; R's wilcox.test, too). :func:`hodges_lehmann` finds it among all
differences instead, slowly, without numpy. tests/unit/core/test_against_scipy.py compares both with scipy.

Cases: github.com/spinnaker/spinnaker/issues/6278, github.com/spinnaker/kayenta/issues/780, 426 and 799, pull request 343.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

CONFIDENCE, TOLERANCE = 0.98, 0.25


def hodges_lehmann(old: Sequence[float], new: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """The median of all differences, and its confidence interval."""
    differences = sorted(y - x for x in old for y in new)
    m, n, z = len(old), len(new), NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    counts = {v: 0 for v in (*old, *new)}
    for v in (*old, *new):
        counts[v] += 1
    ties = sum(t**3 - t for t in counts.values()) / ((m + n) * (m + n - 1)) if m + n > 1 else 0
    sd = math.sqrt(max(0.0, m * n / 12 * (m + n + 1 - ties)))
    k = max(0, min(m * n - 1, math.floor(m * n / 2 - z * sd)))
    middle = len(differences) // 2
    estimate = differences[middle] if len(differences) % 2 else (differences[middle - 1] + differences[middle]) / 2
    return estimate, differences[k], differences[m * n - 1 - k]


def excess(old: Any, new: Any, shift: float) -> float:
    """How many standard deviations the rank sum of the new side, less ``shift``, lies above the middle. numpy arrays, ``old`` in order."""
    import numpy

    moved, m, n = new - shift, len(old), len(new)
    above = numpy.searchsorted(old, moved, "left").sum() / 2 + numpy.searchsorted(old, moved, "right").sum() / 2
    counts = numpy.unique(numpy.concatenate((moved, old)), return_counts=True)[1].astype(float)
    ties = (counts**3 - counts).sum() / ((m + n) * (m + n - 1))
    sd = math.sqrt(max(0.0, m * n / 12 * (m + n + 1 - ties)))
    middle = above - m * n / 2
    return float((middle - math.copysign(0.5, middle) * (middle != 0)) / sd) if sd else 0.0


def by_ranks(old: Sequence[float], new: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """The shift and its interval, by looking for the roots as Kayenta does, to 1e-4 of the range."""
    import numpy
    from scipy.optimize import brentq

    before, after, z = numpy.sort(numpy.asarray(old, float)), numpy.asarray(new, float), NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    low, high = float(after.min() - before[-1]), float(after.max() - before[0])

    def root(quantile: float) -> float:
        if excess(before, after, low) <= quantile:
            return low
        if excess(before, after, high) >= quantile:
            return high
        return float(brentq(lambda shift: excess(before, after, shift) - quantile, low, high, xtol=1e-4 * (high - low)))

    return root(0.0), root(z), root(-z)


def is_high(old: Any, new: Any) -> bool:
    """The verdict "high" of numpy arrays, without the interval: whether the shift that it is asked for lies below its lower end."""
    import numpy

    if len(old) == len(new) and (old == new).all():
        return False
    shift = TOLERANCE * abs(float(numpy.median(numpy.subtract.outer(new, old))))
    if new.min() - old.max() > shift:  # the interval never reaches below the smallest difference, however few there are
        return True
    return excess(numpy.sort(old), new, shift) > NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2)


def mann_whitney(old: Sequence[float], new: Sequence[float]) -> str:
    """``high`` or ``pass``: only what makes a canary worse counts here."""
    if not old or not new:
        return "no data"
    if list(old) == list(new):
        return "pass"
    estimate, low, _high = hodges_lehmann(old, new)
    return "high" if low > TOLERANCE * abs(estimate) else "pass"


SEVEN_OF_TEN = ([1.0] * 10, [100.0] * 7 + [1.0] * 3)
NOISE = [1.0 + 0.03 * math.sin(7.3 * k) for k in range(60)]
# name: (baseline, canary) durations, and the verdicts that are right
DURATIONS: dict[str, tuple[list[float], list[float], set[str]]] = {
    "seven of ten at 100 times, as reported": (*SEVEN_OF_TEN, {"fail", "unknown"}),
    "seven of ten at 100 times, 60 noisy samples": (NOISE, [v * (100 if k % 10 < 7 else 1) for k, v in enumerate(NOISE[::-1])], {"fail"}),
    "three of ten at 100 times, 60 noisy samples": (NOISE, [v * (100 if k % 10 < 3 else 1) for k, v in enumerate(NOISE[::-1])], {"fail"}),
    "variance, as reported": (
        [1.0, 100.0, 4.0, 101.0, 5.0, 102.0, 6.0, 103.0, 7.0, 104.0, 8.0, 105.0, 9.0, 106.0, 17.0],
        [10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 17.0, 17.1, 17.2, 17.3, 17.4, 17.5, 17.6, 17.7],
        {"fail", "unknown"},
    ),
    "six times the spread, same median": (NOISE, [1.02 + 6 * (v - 1.0) for v in NOISE[7:] + NOISE[:7]], {"fail"}),
    "both constant and equal": ([1.0] * 30, [1.0] * 30, {"unknown"}),
    "both constant, one 0.01 % slower": ([1.0] * 30, [1.0001] * 30, {"unknown"}),
    "one outlier in sixty": (NOISE, [*NOISE[1:], 1000.0], {"pass"}),
    "three samples": ([1.0, 1.1, 0.9], [1.6, 1.5, 1.7], {"unknown"}),
    "1 % slower, far below any tolerance": (NOISE, [1.01 * v for v in NOISE[3:] + NOISE[:3]], {"pass"}),
}
# name: errors a round on (baseline, canary), and the verdicts that are right
ERRORS: dict[str, tuple[list[float], list[float], set[str]]] = {
    "sparse errors, as reported": ([0.0] * 6, [0.0, 1.0, 2.0, 1.0, 0.0, 0.0], {"fail"}),
    "errors where the baseline has none": ([0.0] * 25, [float(k % 5 == 0) for k in range(25)], {"fail"}),
    "no errors at all": ([0.0] * 25, [0.0] * 25, {"pass"}),
    "both fail alike": ([float(k % 5 == 0) for k in range(25)], [float(k % 5 == 1) for k in range(25)], {"unknown"}),
}
