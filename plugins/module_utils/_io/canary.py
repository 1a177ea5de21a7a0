# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the canary: pairs of transactions on both sides, in random order, until the judge knows or the budget is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
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
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import transactions as work
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import OdooClient, OdooError

Teller = Callable[[Judgement, int, float], None]
"""Is told after each round: what is known, the rounds and the seconds so far."""


def silent(_found: Judgement, _rounds: int, _elapsed_s: float) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Plan:
    """How long to try, and what."""

    change: str
    company: str
    transactions: tuple[str, ...]
    rules: Rules
    warmup: int
    max_rounds: int
    budget_s: float
    ready_timeout_s: float
    recorded: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Seconds of each step that the canary is paired with, one a round, when there is no other baseline."""


@dataclass
class Run:
    """What came of it. ``stopped``: decided, max_rounds, budget, baseline_sick, record (used up)."""

    judgement: Judgement
    rounds: int = 0
    elapsed_s: float = 0.0
    stopped: str = ""
    swept: int = 0
    ready_s: dict[str, float] = field(default_factory=dict)
    extra: list[Check] = field(default_factory=list)
    records: dict[str, list[Pair]] = field(default_factory=dict)


class Sides:
    """Both clients. Without a baseline (smoke) the canary also does the cleaning."""

    def __init__(self, canary: OdooClient, baseline: OdooClient | None) -> None:
        self.canary, self.baseline = canary, baseline
        self.trusted = baseline or canary

    def both(self) -> list[OdooClient]:
        return [c for c in (self.baseline, self.canary) if c is not None]

    def pair(self, name: str, place: core.Place, mark: str, baseline_first: bool) -> dict[str, Pair]:
        """One transaction on each side, one right after the other; repeated ones change their order each time."""
        done: dict[str, list[dict[str, Outcome]]] = {client.name: [] for client in self.both()}
        for _repeat in range(core.REPEATS[name]):
            for client in self.both() if baseline_first else self.both()[::-1]:
                done[client.name].append(work.run(name, client, place, mark))
            baseline_first = not baseline_first
        sides = {side: {step: merged([run[step] for run in runs]) for step in core.STEPS[name]} for side, runs in done.items()}
        old = sides[self.baseline.name] if self.baseline else {}
        return {step: Pair(canary=outcome, baseline=old.get(step)) for step, outcome in sides[self.canary.name].items()}


def carry_out(sides: Sides, plan: Plan, tell: Teller = silent) -> Run:
    """The whole canary, from waiting for both sides to the last leftover taken back."""
    ready = {client.name: client.wait_ready(budget_s=plan.ready_timeout_s) for client in sides.both()}
    place = work.locate(sides.trusted, plan.company)
    swept = work.sweep(sides.trusted, place)
    try:
        result = rounds(sides, plan, place, tell)
    finally:
        left = clean(sides.trusted, place)
    result.ready_s, result.swept = {name: round(s, 3) for name, s in ready.items()}, swept
    result.extra.append(left)
    return result


def rounds(sides: Sides, plan: Plan, place: core.Place, tell: Teller = silent) -> Run:
    """Warm-ups, whose figures are discarded, then rounds until the judge knows. What is settled is not run again."""
    mark, began = core.tag(plan.change), time.monotonic()
    records: dict[str, list[Pair]] = {metric: [] for metric in core.metrics(plan.transactions)}
    orders = core.orders(plan.change, plan.warmup + plan.max_rounds, plan.transactions)
    result, pending = Run(judge(records, plan.rules), records=records), list(plan.transactions)
    for number, order in enumerate(orders):
        if any(len(records[step]) >= len(drawn) for step, drawn in plan.recorded.items()):
            return finished(result, began, "record")
        for name in pending:
            if time.monotonic() - began > plan.budget_s:
                return finished(result, began, "budget")
            pairs = sides.pair(name, place, mark, order[name])
            if number >= plan.warmup:
                for step, pair in pairs.items():
                    records[step].append(beside_recorded(pair, plan.recorded.get(step), len(records[step])))
        if number < plan.warmup:
            continue
        result.rounds += 1
        found = result.judgement = judge(records, plan.rules)
        tell(found, result.rounds, time.monotonic() - began)
        if found.verdict != UNKNOWN or found.hopeless:
            return finished(result, began, "baseline_sick" if found.hopeless else "decided")
        pending = [name for name in plan.transactions if not all(settled(step, found) for step in core.STEPS[name])]
    return finished(result, began, "max_rounds")


def beside_recorded(pair: Pair, drawn: Sequence[float] | None, number: int) -> Pair:
    """The pair of a step, with a recorded sample where there is nothing else to compare with."""
    return pair if drawn is None else Pair(canary=pair.canary, baseline=Outcome(seconds=drawn[number]))


def finished(result: Run, began: float, why: str) -> Run:
    result.elapsed_s, result.stopped = round(time.monotonic() - began, 3), why
    return result


def clean(client: OdooClient, place: core.Place) -> Check:
    """Takes back what is left, and proves that nothing is."""
    hint = "Reverse or delete the rows tagged canary: in the canary company; the next run tries again."
    try:
        work.sweep(client, place)
        moves, lines = work.leftovers(client, place)
    except OdooError as exc:
        return Check("clean", None, str(exc), "no row left", hint, "LEFTOVERS")
    left = len(moves) + len(lines)
    return Check(
        "clean",
        True if not left else None,
        f"{left} rows left" if left else "no row left",
        "no row left",
        hint,
        "LEFTOVERS" if left else "",
    )
