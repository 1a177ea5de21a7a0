# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Prometheus answered for a signal, and whether anything may be concluded from it. Nothing is filled in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .checks import FAIL, PASS, UNKNOWN
from .signals import Period

LOST = 0.1  # share of the steps that may be without a number
Points = dict[int, float]
"""Numbers by the seconds from the beginning of their period."""


@dataclass(frozen=True)
class Answer:
    """The series that came, each as (time, value); or why none could be asked for."""

    series: tuple[tuple[tuple[float, float], ...], ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Side:
    """All answers of one side, or of one time: by query, and by part of it. ``name`` is what people call it."""

    name: str
    period: Period
    answers: Mapping[str, Mapping[str, Answer]]


@dataclass(frozen=True)
class Trouble:
    """Why a signal cannot be judged, and whether only the side that it is held against is to blame."""

    code: str
    why: str
    reference: bool = False


@dataclass(frozen=True)
class Finding:
    """What one signal says of one comparison."""

    decision: str
    code: str = ""
    said: str = ""
    figures: Mapping[str, object] | None = None
    usable: bool = True

    @property
    def ok(self) -> bool | None:
        return {PASS: True, FAIL: False, UNKNOWN: None}[self.decision]


def undecided(trouble: Trouble) -> Finding:
    return Finding(UNKNOWN, trouble.code, trouble.why, usable=not trouble.reference)


def steps_of(period: Period) -> list[int]:
    """When numbers are due, in seconds from the beginning. The first step is over before it has one."""
    return [period.step * number for number in range(1, period.points + 1)]


def only_series(answer: Answer, period: Period, where: str) -> tuple[list[tuple[int, float]], Trouble | None]:
    """The one series, by the seconds from the beginning of its period."""
    if answer.problem:
        return [], Trouble("NOT_ASKED", answer.problem.rstrip("."))
    if len(answer.series) > 1:
        return [], Trouble("DUPLICATE_SERIES", f"{len(answer.series)} series came for {where}, wanted one")
    points = [(round(at - period.start), value) for series in answer.series for at, value in series]
    if len({at for at, _value in points}) != len(points):
        return [], Trouble("DUPLICATE_SERIES", f"{where} has several numbers of one time")
    if not points:
        return [], Trouble("NO_DATA", f"nothing came for {where}")
    return points, None


def numbers(points: Sequence[tuple[int, float]]) -> Points:
    return {at: value for at, value in points if math.isfinite(value)}


def trouble_of(points: Sequence[tuple[int, float]], due: Sequence[int], where: str) -> Trouble | None:
    """Why these points are not enough for the times that are due."""
    good = sorted(numbers(points).keys() & set(due))
    n = max(len(due), 1)
    if len(good) >= (1 - LOST) * n:
        return None
    if len(points) - len(numbers(points)) > LOST * n or not good:
        return Trouble("NOT_A_NUMBER", f"{len(good)} of {n} steps of {where} have a number: there was nothing to divide by, or no traffic")
    if sum(at < good[0] for at in due) > LOST * n:
        return Trouble("LATE", f"{where} has its first number {good[0]} s after its beginning")
    if sum(at > good[-1] for at in due) > LOST * n:
        return Trouble("STALE", f"{where} has its last number {due[-1] - good[-1]} s before its end")
    return Trouble("GAPS", f"{len(good)} of {n} steps of {where} have a number")


def values_of(side: Side, query: str, part: str = "values") -> tuple[Points, Trouble | None]:
    """The numbers of a signal over the whole period, when they are enough."""
    points, trouble = only_series(side.answers[query][part], side.period, side.name)
    trouble = trouble or trouble_of(points, steps_of(side.period), side.name)
    return ({}, trouble) if trouble else (numbers(points), None)


def pairs_of(old: Side, new: Side, query: str, *, together: bool) -> tuple[list[tuple[float, float]], Trouble | None]:
    """The pairs of both sides in the order of time.

    ``together``: both were measured at the same time; what lies before the first and after the last number of either side does not count.
    """
    found, lacks = {}, {}
    for side in (new, old):
        found[side.name], lacks[side.name] = only_series(side.answers[query]["values"], side.period, side.name)
    due = steps_of(new.period)
    if together and (busy := sorted(at for points in found.values() for at in numbers(points))):
        due = [at for at in due if busy[0] <= at <= busy[-1]]
    for side, reference in ((new, False), (old, True)):
        if trouble := lacks[side.name] or trouble_of(found[side.name], due, side.name):
            return [], replace(trouble, reference=reference)
    before, after = numbers(found[old.name]), numbers(found[new.name])
    common = sorted(before.keys() & after.keys())
    if len(common) < (1 - LOST) * len(due):
        return [], Trouble("GAPS", f"only {len(common)} of {len(due)} steps have a number on both sides")
    return [(before[at], after[at]) for at in common], None


def counted(side: Side, query: str, part: str, *, absent: int | None = None) -> tuple[int, Trouble | None]:
    """How many. ``absent`` is what it means that no such series is there."""
    points, trouble = only_series(side.answers[query][part], side.period, side.name)
    if trouble and trouble.code == "NO_DATA" and absent is not None:
        return absent, None
    if trouble:
        return 0, trouble
    value = points[-1][1]
    if not math.isfinite(value) or value < -0.5:
        return 0, Trouble("NOT_A_NUMBER", f"the count of {side.name} is {value}")
    return round(value), None
