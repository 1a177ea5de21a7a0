# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canary's rounds: pairs of transactions on both sides, in random order, until the judge knows or the budget is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import transactions as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import UNKNOWN, Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import (
    Judgement,
    Outcome,
    Pair,
    Rules,
    judge,
    merged,
    settled,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import Transaction
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transactions import Worker

Teller = Callable[[Judgement, int, float], None]
"""Is told after each round: what is known, the rounds and the seconds so far."""


def silent(_found: Judgement, _rounds: int, _elapsed_s: float) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Measured:
    """How long to try, with how many users at once, and by which rules."""

    change: str
    rules: Rules
    warmup: int = 2
    max_rounds: int = 240
    budget_s: float = 300.0
    pause_s: float = 0.0
    concurrency: int = 1
    recorded: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Seconds of each step that the canary is paired with, one a pair, when there is no other baseline."""


@dataclass
class Run:
    """What came of it. ``stopped``: decided, max_rounds, budget, baseline_sick, record (used up)."""

    judgement: Judgement
    rounds: int = 0
    elapsed_s: float = 0.0
    stopped: str = ""
    swept: int = 0
    warmed: int = 0
    not_applicable: dict[str, list[str]] = field(default_factory=dict)
    ready_s: dict[str, float] = field(default_factory=dict)
    extra: list[Check] = field(default_factory=list)
    records: dict[str, list[Pair]] = field(default_factory=dict)


class Pairs:
    """One user who works on both sides, or on the canary alone."""

    def __init__(self, workers: Mapping[str, Worker], canary: str) -> None:
        self.workers, self.canary = dict(workers), canary
        self.baseline = next((name for name in workers if name != canary), "")

    def pair(self, one: Transaction, baseline_first: bool) -> dict[str, Pair]:
        """One transaction on each side, one right after the other; repeated ones change their order each time."""
        done: dict[str, list[dict[str, Outcome]]] = {name: [] for name in self.workers}
        names = list(self.workers)  # the baseline comes first
        for _repeat in range(one.repeat):
            for name in names if baseline_first else names[::-1]:
                done[name].append(self.workers[name].run(one))
            baseline_first = not baseline_first
        sides = {side: {m: merged([run[m] for run in runs]) for m in one.metrics} for side, runs in done.items()}
        old = sides.get(self.baseline, {})
        return {metric: Pair(canary=outcome, baseline=old.get(metric)) for metric, outcome in sides[self.canary].items()}


class Team:
    """Users who work at the same time."""

    def __init__(self, users: Sequence[Pairs]) -> None:
        self.users = users
        self.pool = ThreadPoolExecutor(len(users)) if len(users) > 1 else None

    def pairs(self, one: Transaction, baseline_first: bool) -> list[dict[str, Pair]]:
        """A pair of each user. Half of them begin with the other side, so that both sides have the same load."""
        orders = [baseline_first if number % 2 == 0 else not baseline_first for number in range(len(self.users))]
        if self.pool is None:
            return [self.users[0].pair(one, orders[0])]
        return list(self.pool.map(lambda user, first: user.pair(one, first), self.users, orders))

    def close(self) -> None:
        if self.pool:
            self.pool.shutdown()


class Warmth:
    """The rounds that are thrown away, by side."""

    def __init__(self, warmup: int) -> None:
        self.warmup = warmup
        self.sides: dict[str, list[float]] = {"baseline": [], "canary": []}

    def enough(self) -> bool:
        return core.warmed(self.sides, self.warmup)

    def add(self, pairs: Sequence[Pair]) -> None:
        self.sides["canary"].append(sum(pair.canary.seconds or 0.0 for pair in pairs))
        self.sides["baseline"].append(sum((pair.baseline and pair.baseline.seconds) or 0.0 for pair in pairs))


def rounds(users: Sequence[Pairs], plan: Measured, chosen: Sequence[Transaction], tell: Teller = silent) -> Run:
    """Warm-ups, whose figures are discarded, then rounds until the judge knows. What is settled is not run again."""
    team, began = Team(users), time.monotonic()
    try:
        result = _rounds(team, plan, chosen, lambda found, count: tell(found, count, time.monotonic() - began))
    finally:
        team.close()
    result.elapsed_s = round(time.monotonic() - began, 3)
    return result


def _rounds(team: Team, plan: Measured, chosen: Sequence[Transaction], tell: Callable[[Judgement, int], None]) -> Run:
    ends = time.monotonic() + plan.budget_s
    records: dict[str, list[Pair]] = {metric: [] for metric in core.metrics(chosen)}
    result, pending, warmth = Run(judge(records, plan.rules), records=records), list(chosen), Warmth(plan.warmup)
    for order in core.orders(plan.change, plan.warmup + core.SETTLING + plan.max_rounds, [one.name for one in chosen]):
        if any(len(records[step]) + len(team.users) > len(drawn) for step, drawn in plan.recorded.items()):
            result.stopped = "record"
            return result
        pairs = _one_round(team, plan, [(one, order[one.name]) for one in pending], ends)
        if pairs is None:
            result.stopped = "budget"
            return result
        if not warmth.enough():
            warmth.add([pair for _metric, pair in pairs])
            result.warmed += 1
            continue
        for metric, pair in pairs:
            records[metric].append(beside_recorded(pair, plan.recorded.get(metric), len(records[metric])))
        result.rounds += 1
        found = result.judgement = judge(records, plan.rules)
        tell(found, result.rounds)
        if found.verdict != UNKNOWN or found.hopeless:
            result.stopped = "baseline_sick" if found.hopeless else "decided"
            return result
        if result.rounds == plan.max_rounds:
            break
        pending = [one for one in chosen if not all(settled(metric, found) for metric in one.metrics)]
    result.stopped = "max_rounds"
    return result


def _one_round(team: Team, plan: Measured, work: Sequence[tuple[Transaction, bool]], ends: float) -> list[tuple[str, Pair]] | None:
    """All pairs of a round with their steps, or None when the time is over before it is."""
    found: list[tuple[str, Pair]] = []
    for one, baseline_first in work:
        if time.monotonic() > ends:
            return None
        found += [item for pairs in team.pairs(one, baseline_first) for item in pairs.items()]
        time.sleep(plan.pause_s)
    return found


def beside_recorded(pair: Pair, drawn: Sequence[float] | None, number: int) -> Pair:
    """The pair of a step, with a recorded sample where there is nothing else to compare with."""
    return pair if drawn is None else Pair(canary=pair.canary, baseline=Outcome(seconds=drawn[number]))
