# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept of a judgement so that it can be drawn later from the record alone: both distributions and the path of the tests.

A few thousand characters a step, whatever the number of pairs. Taken once, at the end of a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from . import betting
from .judge import Pair, Rules, levels_of, timed
from .judge_latency import Levels, both_bets, bounds, broken

QUANTILES = 21  # 0 %, 5 %, … 100 %
LOOKS = 60  # points of the path at most
BOUNDED = 15  # of which so many have bounds: they cost as much as everything else of a run's judging


def rounded(value: float | None, digits: int = 4) -> float | None:
    """To so many digits that count, so that the record stays small."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}")


def quantiles(values: Sequence[float]) -> list[float]:
    """The values at 0 %, 5 %, … 100 % of all, each a straight line between its neighbours; empty when there are none."""
    ordered, steps, found = sorted(values), QUANTILES - 1, []
    for k in range(QUANTILES) if ordered else ():
        low, rest = divmod(k * (len(ordered) - 1), steps)
        high = min(low + 1, len(ordered) - 1)
        found.append(float(f"{ordered[low] + (ordered[high] - ordered[low]) * rest / steps:.4g}"))
    return found


def looks(n: int) -> list[int]:
    """After how many of ``n`` pairs the path has a point: evenly spread, the last one always."""
    return sorted({math.ceil(n * k / LOOKS) for k in range(1, LOOKS + 1)}) if n else []


def path(pairs: Sequence[tuple[float, float]], *, tolerance: float, levels: Levels, allowance: float = 0.0) -> dict[str, Any]:
    """The path of both tests as columns; ``ratio_low`` and ``ratio_high`` are null where they were not taken or not known.

    ``allowance`` is that of the tests as a factor.
    """
    margin = math.log(tolerance)
    old, new = [math.log(b) for b, _dummy in pairs], [math.log(c) for _dummy, c in pairs]
    ds = [c - b - margin for b, c in zip(old, new, strict=True)]
    learned = betting.lessons(ds, (old, new))
    at = looks(len(pairs))
    bounded = set(at[:: -max(1, math.ceil(len(at) / BOUNDED))])  # from the end, so that the last look has them
    columns: dict[str, list[Any]] = {name: [] for name in ("n", "e_fail", "e_pass", "ratio", "ratio_low", "ratio_high")}
    for n in at:
        seen, known = ds[:n], [one for one in learned if one.start < n]
        low, high = bounds(seen, known, tolerance) if n in bounded else (None, None)
        slower, fine = both_bets(seen, known, tolerance=tolerance, levels=levels, allowance=allowance)
        ratio = math.exp(betting.middle_of(new[:n]) - betting.middle_of(old[:n]))
        row = (n, *map(rounded, (slower.now, fine.now, ratio, low, high)))
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    targets = {"target_fail": rounded(1 / levels.fail), "target_pass": rounded(1 / levels.passing)}
    return {**columns, "tolerance": tolerance, "allowance": rounded(math.exp(allowance)), **targets}


def drawable(records: Mapping[str, Sequence[Pair]], rules: Rules) -> dict[str, dict[str, Any]]:
    """``quantiles`` (seconds, of each side that has any) and ``path`` (null when speed was not or could not be judged) of each step."""
    levels, found = levels_of(rules, len(records)), {}
    for metric, pairs in records.items():
        sides = {"baseline": [p.baseline for p in pairs if p.baseline], "canary": [p.canary for p in pairs]}
        times = {side: [o.seconds for o in outcomes if o.seconds is not None and not o.error] for side, outcomes in sides.items()}
        both = [] if rules.smoke else timed(pairs)
        judged, allowed = bool(both) and not broken(both)[0], rules.allowances.get(metric, 0.0)
        found[metric] = {
            "quantiles": {side: quantiles(values) for side, values in times.items() if values and all(map(math.isfinite, values))},
            "path": path(both, tolerance=rules.tolerance, levels=levels, allowance=allowed) if judged else None,
        }
    return found
