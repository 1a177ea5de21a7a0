# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How busy a tenant will be in a window: from the same hours of the weeks before, and from the peaks that it declares.

Each tenant is its own measure: a share of its usual weekly peak. Numbers that are none (NaN, infinite, negative) were not measured, and
weeks with too few numbers do not count; with too few weeks nothing can be told.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant

WEEK = dt.timedelta(days=7)
STEP_S = 300
COVERED = 0.8
BUSY, PEAK = 0.95, 0.99

Sample = tuple[float, float]
"""Seconds since 1970, and the load."""


@dataclass(frozen=True)
class Window:
    """The planned window, where its clock hangs, and how much history is wanted."""

    at: dt.datetime
    duration_s: float
    zone: dt.tzinfo
    weeks: int = 4
    least_weeks: int = 3

    def weeks_before(self, now: dt.datetime) -> list[tuple[float, float]]:
        """The same hours on the wall, in the weeks before that are over, newest first; as seconds since 1970."""
        start = self.at.astimezone(self.zone)
        found: list[tuple[float, float]] = []
        length, back = max(self.duration_s, STEP_S), 0
        while len(found) < self.weeks:
            began = (start - back * WEEK).timestamp()
            if back and began + length <= now.timestamp():
                found.append((began, began + length))
            back += 1
        return found

    def shifted(self, hours: int) -> Window:
        return Window(self.at + dt.timedelta(hours=hours), self.duration_s, self.zone, self.weeks, self.least_weeks)


@dataclass(frozen=True)
class Load:
    """What the history says: the load in the window, the usual weekly peak, and of how many weeks."""

    window: float
    peak: float
    weeks: int

    @property
    def share(self) -> float:
        return self.window / self.peak if self.peak else 0.0


def needed(window: Window, now: dt.datetime) -> tuple[int, int]:
    """From when until when samples are needed, on whole steps."""
    start, end = window.weeks_before(now)[-1][1] - WEEK.total_seconds(), now.timestamp()
    return int(start // STEP_S * STEP_S), int(end // STEP_S * STEP_S)


def measured(samples: Iterable[Sample]) -> list[Sample]:
    """The samples that are numbers, in order."""
    return sorted((at, value) for at, value in samples if math.isfinite(value) and value >= 0)


def load(good: Sequence[Sample], window: Window, now: dt.datetime) -> Load:
    """The load of the window by its history. A week counts when enough was measured, in its window and in all of it."""
    windows, weeks = [], []
    for start, end in window.weeks_before(now):
        inside, whole = _between(good, start, end), _between(good, end - WEEK.total_seconds(), end)
        if _covered(inside, end - start) and _covered(whole, WEEK.total_seconds()):
            windows.append(quantile(inside, BUSY))
            weeks.append(whole)
    if not windows:
        return Load(0.0, 0.0, 0)
    usual = median(quantile(week, PEAK) for week in weeks)
    # somebody who hardly ever works has a peak above 0 only in the rarest moments
    return Load(max(windows), usual or max(map(max, weeks)), len(windows))


def quantile(values: Sequence[float], share: float) -> float:
    """Between the values, in a straight line."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def share_of_peak(given: Any) -> float:
    """A threshold; ValueError when it is none."""
    try:
        share = float(given)
    except (TypeError, ValueError):
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError(f"the threshold is {given!r}. Write a share of the weekly peak, above 0 and at most 1")
    return share


def judge_load(tenant: str, samples: Sequence[Sample], window: Window, *, threshold: float, now: dt.datetime) -> Check:
    """Whether the window asks for at most ``threshold`` of the tenant's usual weekly peak."""
    good = measured(samples)
    found = load(good, window, now)
    if found.weeks < window.least_weeks:
        told = f"{found.weeks} of the {window.weeks} weeks before are measured, in the window and in all of the week"
        hint = f"Have at least {window.least_weeks} weeks of history, and look whether the query finds this tenant."
        return unknown(f"workload_{tenant}", told, hint=hint, code="NO_HISTORY")
    seen = {"share": round(found.share, 3), "load": round(found.window, 3), "weekly_peak": round(found.peak, 3), "weeks": found.weeks}
    if found.share <= threshold:
        return Check(f"workload_{tenant}", True, seen, f"<= {threshold} of its weekly peak")
    return Check(f"workload_{tenant}", False, seen, f"<= {threshold} of its weekly peak", _quieter(good, window, found.peak, now), "BUSY")


def _quieter(good: Sequence[Sample], window: Window, peak: float, now: dt.datetime) -> str:
    """The quietest start of the seven days from the planned one, in whole hours from it."""
    shares = []
    for hours in range(1, 7 * 24):
        insides = [(_between(good, start, end), end - start) for start, end in window.shifted(hours).weeks_before(now)]
        loads = [quantile(inside, BUSY) for inside, seconds in insides if _covered(inside, seconds)]
        if len(loads) >= window.least_weeks:
            shares.append((max(loads) / peak, hours))
    if not shares:
        return "Plan it for quieter hours."
    share, hours = min(shares)
    return f"The quietest start of the seven days after it is {rfc3339(window.shifted(hours).at)}, at {share:.2f} of the peak."


def judge_peaks(tenant: str, peaks: Any, window: Window) -> Check:
    """Whether the window keeps clear of the peaks that the tenant declares: ``[{name, from, until}]``."""
    name = f"workload_peaks_{tenant}"
    start, end = window.at, window.at + dt.timedelta(seconds=window.duration_s)
    try:
        met = [str(one["name"]) for one in peaks if _meets(one, start, end)]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        hint = "Write tenant_workload_peaks as a list of name, from and until, the times as RFC 3339."
        return unknown(name, f"a peak cannot be read: {exc}", hint=hint, code="BAD_PEAK")
    hint = "Plan it outside of what the tenant expects to be busy hours."
    return Check(
        name, not met, ", ".join(met) or "none", "no declared peak in the window", hint if met else "", "DECLARED_PEAK" if met else ""
    )


def _meets(peak: Mapping[str, Any], start: dt.datetime, end: dt.datetime) -> bool:
    since, until = parse_instant(str(peak["from"])), parse_instant(str(peak["until"]))
    if until <= since:
        raise ValueError(f"{peak['name']} ends at {peak['until']}, before it begins")
    return since < end and start < until if start < end else since <= start < until


def _between(samples: Sequence[Sample], start: float, end: float) -> list[float]:
    return [value for _at, value in samples[bisect_left(samples, (start, -1.0)) : bisect_left(samples, (end, -1.0))]]


def _covered(values: Sequence[float], seconds: float) -> bool:
    return len(values) >= COVERED * seconds / STEP_S
