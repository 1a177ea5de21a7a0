# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the new side fail? Exact tests on counts, right from the first error on, and valid at every look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .checks import FAIL, PASS, UNKNOWN

BACKGROUND = 0.01  # a healthy release may fail one transaction in a hundred (a lost packet, a serialization failure)
ERROR_RATES = (0.05, 0.2, 0.9)  # alternatives, equally weighted
FEWEST = 3  # errors, and rounds of the baseline, before errors alone fail a release


def e_value(log: float) -> float:
    """A capital from its logarithm; beyond any threshold it stays finite, so that evidence stays JSON."""
    return math.exp(min(log, 600.0))


@dataclass(frozen=True)
class Errors:
    """What is known of the errors of one step. ``rate_below``: 99 % bound of the error rate when there was none."""

    rounds: int
    canary_errors: int
    baseline_errors: int
    e_fail: float
    decision: str
    code: str = ""
    reason: str = ""
    more: int = 0
    rate_below: float | None = None


def against_background(failed: Sequence[bool]) -> float:
    """The e-process against "at most one transaction in a hundred fails": its greatest value, over all looks."""
    logs, best = [0.0] * len(ERROR_RATES), 1.0
    for bad in failed:
        logs = [
            log + math.log(rate / BACKGROUND if bad else (1 - rate) / (1 - BACKGROUND)) for log, rate in zip(logs, ERROR_RATES, strict=True)
        ]
        best = max(best, sum(e_value(log) for log in logs) / len(logs))
    return best


def against_baseline(failed: Sequence[tuple[bool, bool]]) -> float:
    """The e-process against "fails no more often than the baseline", from the rounds where only one side failed."""
    log = best = 0.0
    for baseline, canary in failed:
        if baseline != canary:
            log += math.log1p(0.8 if canary else -0.8)
            best = max(best, log)
    return e_value(best)


def judge_errors(rounds: Sequence[tuple[bool | None, bool]], *, alpha_fail: float, min_rounds: int) -> Errors:
    """Rounds of (baseline failed, canary failed) in their order; the baseline is ``None`` when there is none.

    * The baseline never failed: an exact sequential binomial test against a background rate of 1 %. A release whose
      step always raises fails at its third error.
    * The baseline failed too: it fails when it fails clearly more often (exact sequential McNemar test), else unknown:
      a sick baseline proves nothing.
    * Pass: no error at all in ``min_rounds``; ``rate_below`` says which error rate that excludes. One error that does not
      suffice to fail is not explained either: unknown.
    """
    canary = [c for _dummy, c in rounds]
    n, errors, sick = len(rounds), sum(canary), sum(b is True for b, _dummy in rounds)
    if not n:
        return Errors(0, 0, 0, 1.0, UNKNOWN, "MISSING", f"the step was never reached, {min_rounds} rounds are needed", min_rounds)
    e_fail = against_baseline([(b is True, c) for b, c in rounds]) if sick else against_background(canary)
    bound = None if errors else 1 - 0.01 ** (1 / n)
    seen = (n, errors, sick, e_fail)
    if e_fail >= 1 / alpha_fail and errors >= FEWEST and n >= FEWEST:
        return Errors(*seen, FAIL, "ERRORS", f"{errors} of {n} failed, of the baseline {sick}")
    if sick:
        return Errors(*seen, UNKNOWN, "BASELINE_SICK", f"{sick} of {n} failed on the baseline as well, {errors} on the canary")
    if errors:
        more = max(1, FEWEST - errors)
        return Errors(
            *seen, UNKNOWN, "TOO_FEW", f"{errors} of {n} failed, none on the baseline: {more} more failing rounds would prove it", more
        )
    if n < min_rounds:
        return Errors(*seen, UNKNOWN, "TOO_FEW", f"none of {n} failed, {min_rounds - n} more rounds are needed", min_rounds - n, bound)
    return Errors(*seen, PASS, rate_below=bound)
