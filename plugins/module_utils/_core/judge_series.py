# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same judge for series that were recorded elsewhere: real traffic's metrics, earlier releases, rehearsals, drills.

A series is (time, value) of one side; points of the same time make a pair. Nothing is filled in: a value that is missing, or late, on
one side takes its partner with it, and when that happens to more than a tenth, nothing is known.

Recorded pairs were not done in random order. What holds for a canary by design is an assumption here: that what else differs between
the sides (traffic, hosts) is as likely to favour one as the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .checks import Check, unknown
from .judge import Rules, judge_speeds, latency_check

HINT = "See why the series of both sides do not cover the same times."
LOST = 0.1  # share of the points of either side that may have no partner


def present(points: Sequence[tuple[float, float | None]]) -> dict[float, float]:
    """The values by time. NaN is how Prometheus says that there was nothing."""
    return {at: value for at, value in points if value is not None and not math.isnan(value)}


def aligned(old: Sequence[tuple[float, float | None]], new: Sequence[tuple[float, float | None]]) -> tuple[list[tuple[float, float]], str]:
    """The pairs of both series in the order of time, or why there are none."""
    for name, points in (("baseline", old), ("canary", new)):
        times = [at for at, _value in points]
        if len(set(times)) != len(times):
            again = len(times) - len(set(times))
            return [], f"the {name} has {again} points of a time it has already: the series was delivered twice, or of two sources"
    before, after = present(old), present(new)
    common = sorted(before.keys() & after.keys())
    most = max(len({at for at, _value in old} | {at for at, _value in new}), 1)
    if len(common) < (1 - LOST) * most:
        return [], f"only {len(common)} of {most} times have a value on both sides, wanted nine in ten: missing or late"
    return [(before[at], after[at]) for at in common], ""


def judge_series(
    baseline: Mapping[str, Sequence[tuple[float, float | None]]], canary: Mapping[str, Sequence[tuple[float, float | None]]], rules: Rules
) -> list[Check]:
    """One check a metric (durations: greater is worse) of the baseline, judged as one family. A metric the canary lacks is unknown."""
    paired = {metric: aligned(old, canary.get(metric, [])) for metric, old in baseline.items()}
    speeds = judge_speeds({metric: pairs for metric, (pairs, why) in paired.items() if not why}, rules, one_look=True)
    return [
        latency_check(metric, speeds[metric], rules) if metric in speeds else unknown(f"latency:{metric}", why, hint=HINT, code="MISSING")
        for metric, (_pairs, why) in paired.items()
    ]
