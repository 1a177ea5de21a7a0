# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which clusters a run of restore drills takes, and in which order, so that each is proved within the days of its tenants' tiers.

What is stale comes first, and among that what was promised to be back soonest. Of what is still fresh the one with the earliest deadline
comes first: no other order keeps more deadlines (Liu and Layland, "Scheduling Algorithms for Multiprogramming in a Hard-Real-Time
Environment", JACM 1973; their load of a schedule is what :func:`load` adds up). Where a run cannot drill all that is due together
later, some are drilled before their time.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Proof
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import PASS, Check, rfc3339


@dataclass(frozen=True)
class Cluster:
    """``max_age_s``: how old its newest drill may be. ``rto_s``: within what time it was promised to be back, if it was."""

    stanza: str
    tenants: tuple[str, ...]
    max_age_s: int
    rto_s: int | None = None
    last: Proof | None = None

    def left_s(self, now: dt.datetime) -> float:
        """Seconds until its newest drill is too old; 0 or less: it is stale. One that failed, or lies in the future, proves nothing."""
        if self.last is None or self.last.verdict != PASS or self.last.at > now:
            return float("-inf")
        return self.max_age_s - (now - self.last.at).total_seconds()


@dataclass(frozen=True)
class Choice:
    """One cluster, in the order of drilling. ``state``: ``stale``, ``due`` (stale before the next run), or ``fresh``."""

    cluster: Cluster
    state: str
    taken: bool
    why: str

    def as_dict(self) -> dict[str, Any]:
        last = self.cluster.last
        return {
            "stanza": self.cluster.stanza,
            "tenants": list(self.cluster.tenants),
            "state": self.state,
            "taken": self.taken,
            "why": self.why,
            "max_age_s": self.cluster.max_age_s,
            "rto_s": self.cluster.rto_s,
            "last": rfc3339(last.at) if last else None,
        }


def choose(clusters: Sequence[Cluster], *, now: dt.datetime, within_s: int | None, at_most: int | None) -> list[Choice]:
    """All clusters, the ones to drill first. ``within_s``: seconds until the next run; None takes the fresh ones too."""

    def order(cluster: Cluster) -> tuple[Any, ...]:
        left, critical = cluster.left_s(now), float("inf") if cluster.rto_s is None else cluster.rto_s
        return (0, critical, left, cluster.stanza) if left <= 0 else (1, left, critical, cluster.stanza)

    judged = [_judged(cluster, now, within_s) for cluster in sorted(clusters, key=order)]
    wanted = len(judged) if within_s is None else _needed_now(clusters, now, within_s, at_most)
    number = wanted if at_most is None else min(wanted, at_most)
    return [_taken(choice, early=within_s is not None) if k < number else choice for k, choice in enumerate(judged)]


def _taken(choice: Choice, *, early: bool) -> Choice:
    why = f"{choice.why}; too many are due together later" if early and choice.state == "fresh" else choice.why
    return replace(choice, taken=True, why=why)


def _later_runs(left_s: float, within_s: int) -> int:
    """For how many later runs it can be left without getting stale."""
    return max(0, math.ceil(left_s / within_s) - 1) if left_s > 0 else 0


def _needed_now(clusters: Sequence[Cluster], now: dt.datetime, within_s: int, at_most: int | None) -> int:
    """How many have to be drilled now, so that up to no later run there is more to do than ``at_most`` in each."""
    turns = [(_later_runs(c.left_s(now), within_s), _period(c, within_s)) for c in clusters]
    if at_most is None:
        return sum(first == 0 for first, _period in turns)
    furthest = max((first + period for first, period in turns), default=0)
    return max(sum(1 + (run - first) // period for first, period in turns if first <= run) - at_most * run for run in range(furthest + 1))


def _period(cluster: Cluster, within_s: int) -> int:
    """Every how many runs its turn comes."""
    return max(1, _later_runs(cluster.max_age_s, within_s))


def _judged(cluster: Cluster, now: dt.datetime, within_s: int | None) -> Choice:
    last, left = cluster.last, cluster.left_s(now)
    if last is None:
        return Choice(cluster, "stale", False, "it was never drilled")
    if last.verdict != PASS:
        return Choice(cluster, "stale", False, f"its newest drill did not pass ({last.verdict})")
    if last.at > now:
        return Choice(cluster, "stale", False, "its newest drill lies in the future")
    if left <= 0:
        return Choice(cluster, "stale", False, f"its newest drill is {_days(-left)} past its {_days(cluster.max_age_s)}")
    due = within_s is not None and left <= within_s
    return Choice(cluster, "due" if due else "fresh", False, f"its newest drill counts for {_days(left)} more")


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days"


def lines(choices: Sequence[Choice]) -> list[str]:
    """For people, in the order of drilling."""
    return [f"{c.cluster.stanza}: {'drilled now' if c.taken else 'not now'}, {c.why}" for c in choices]


def judge_left_out(choices: Sequence[Choice]) -> Check:
    """Is a cluster left without a drill although no change may rely on it any more?"""
    out = [choice for choice in choices if choice.state == "stale" and not choice.taken]
    return Check(
        "drills_left_out",
        not out,
        "; ".join(f"{c.cluster.stanza}: {c.why}" for c in out) or "none",
        "no stale cluster without a drill",
        "Run the playbook again, and from now on more often or with a higher limit." if out else "",
        "DRILLS_LEFT" if out else "",
    )


def load(clusters: Sequence[Cluster], within_s: int) -> float:
    """How many drills each run has to carry out on average, so that none gets stale, when there is one every ``within_s`` seconds."""
    return sum(1 / _period(cluster, within_s) for cluster in clusters)


def overload(clusters: Sequence[Cluster], *, within_s: int | None, at_most: int | None) -> str:
    """What is wrong with the schedule, or nothing. Told before anything is stale."""
    if within_s is None or at_most is None:
        return ""
    needed = load(clusters, within_s)
    if needed <= at_most:
        return ""
    return (
        f"{len(clusters)} clusters need {needed:.1f} drills every {_days(within_s)}, and at_most is {at_most}: some will be stale before "
        "their turn comes. Drill more often, or more at a time."
    )
