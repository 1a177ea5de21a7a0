# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Student's t distribution with a whole number of degrees of freedom; tests/unit/core/test_against_scipy.py compares it."""

from __future__ import annotations

import math


def cdf(t: float, df: int) -> float:
    """The probability of at most ``t``: the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(df))
    cos2, odd = math.cos(angle) ** 2, df % 2
    term = total = math.sin(angle) * (math.cos(angle) if odd else 1.0)
    for k in range(1, (df - 1) // 2 + (0 if odd else 1)):
        term *= cos2 * ((2 * k) / (2 * k + 1) if odd else (2 * k - 1) / (2 * k))
        total += term
    if not odd:
        return 0.5 + total / 2
    return 0.5 + (angle + (total if df > 1 else 0.0)) / math.pi


def quantile(p: float, df: int) -> float:
    """What is not exceeded with a probability of ``p``, which is at least a half."""
    low, high = 0.0, 1.0
    while cdf(high, df) < p and high < 1e12:
        high *= 2
    while high - low > 1e-10 * high:
        half = (low + high) / 2
        low, high = (half, high) if cdf(half, df) < p else (low, half)
    return (low + high) / 2
