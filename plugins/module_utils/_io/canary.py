# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the canary: pairs of transactions on both sides, in random order, until the judge knows or the budget is spent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import canary_database
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import transactions as work
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import OdooClient, OdooError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server


@dataclass(frozen=True)
class Watched:
    """The tenant's database, when it is looked into."""

    server: Server
    role: str
    budget_s: float
    cron_processes: int | None


@dataclass(frozen=True)
class Plan:
    """How long to try, and what."""

    change: str
    company: str
    known: Mapping[str, Transaction]  # all of them, so that what a killed run left of others is taken back, too
    transactions: tuple[str, ...]
    rules: Rules
    warmup: int
    max_rounds: int
    budget_s: float
    ready_timeout_s: float
    pause_s: float = 0.0
    database: Watched | None = None


@dataclass
class Run:
    """What came of it. ``stopped``: decided, max_rounds, budget, baseline_sick."""

    judgement: Judgement
    rounds: int = 0
    elapsed_s: float = 0.0
    stopped: str = ""
    swept: int = 0
    warmed: int = 0
    not_applicable: dict[str, list[str]] = field(default_factory=dict)
    ready_s: dict[str, float] = field(default_factory=dict)
    extra: list[Check] = field(default_factory=list)


class Sides:
    """Both clients. Without a baseline (smoke) the canary also does the cleaning."""

    def __init__(self, canary: OdooClient, baseline: OdooClient | None) -> None:
        self.canary, self.baseline = canary, baseline
        self.trusted = baseline or canary
        if baseline:
            canary.origin = baseline  # whoever was logged in to the old release

    def both(self) -> list[OdooClient]:
        return [c for c in (self.baseline, self.canary) if c is not None]


class Pairs:
    """Both sides at work."""

    def __init__(self, sides: Sides, ground: work.Ground) -> None:
        self.workers = [work.Worker(client, ground) for client in sides.both()]
        self.canary, self.baseline = sides.canary.name, sides.baseline.name if sides.baseline else ""

    def pair(self, one: Transaction, baseline_first: bool) -> dict[str, Pair]:
        """One transaction on each side, one right after the other; repeated ones change their order each time."""
        done: dict[str, list[dict[str, Outcome]]] = {worker.client.name: [] for worker in self.workers}
        for _repeat in range(one.repeat):
            for worker in self.workers if baseline_first else self.workers[::-1]:
                done[worker.client.name].append(worker.run(one))
            baseline_first = not baseline_first
        sides = {side: {m: merged([run[m] for run in runs]) for m in one.metrics} for side, runs in done.items()}
        old = sides.get(self.baseline, {})
        return {metric: Pair(canary=outcome, baseline=old.get(metric)) for metric, outcome in sides[self.canary].items()}


def carry_out(sides: Sides, plan: Plan) -> Run:
    """The whole canary, from waiting for both sides to the last leftover taken back."""
    ready = {client.name: client.wait_ready(budget_s=plan.ready_timeout_s) for client in sides.both()}
    ground = work.settle(sides.trusted, plan.company, core.tag(plan.change))
    states = work.modules(sides.trusted)
    if halfway := core.unfinished(states):
        raise work.TransactionError(
            f"modules {', '.join(halfway[:5])} are in the midst of an update that did not end: finish it (odoo --update) or restore the "
            "database, then run again",
            code="UPDATE_UNFINISHED",
        )
    able, lacking = core.applicable(list(plan.known.values()), states)
    chosen = [one for one in able if one.name in plan.transactions]
    missing = {name: lacks for name, lacks in lacking.items() if name in plan.transactions}
    if not chosen:
        raise work.TransactionError(
            f"none of the transactions {', '.join(plan.transactions)} can be done here: {told(missing)}. Choose transactions of modules "
            "that this tenant has",
            code="NOT_APPLICABLE",
        )
    ground = work.with_records(sides.trusted, ground, chosen)
    trusted = work.Worker(sides.trusted, ground)
    swept = trusted.sweep(able)
    try:
        result = rounds(Pairs(sides, ground), plan, chosen)
    finally:
        left = clean(trusted, able)
        for client in sides.both():
            client.forget()
    result.ready_s, result.swept = {name: round(s, 3) for name, s in ready.items()}, swept
    result.not_applicable = missing
    result.extra += [left, *watched(plan.database, ground)]
    return result


def watched(at: Watched | None, ground: work.Ground) -> list[Check]:
    """What the tenant's database says of the run."""
    if at is None:
        return []
    who = {"user": ground.user, "company": ground.company, "since": ground.started}
    found = [canary_database.outside(at.server, ground.database, who, budget_s=at.budget_s)]
    return found if at.cron_processes is None else [*found, canary_database.runners(at.server, at.role, at.cron_processes)]


def told(missing: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} needs the module {' and '.join(lacks)}" for name, lacks in missing.items())


def rounds(pairs: Pairs, plan: Plan, chosen: Sequence[Transaction]) -> Run:
    """Warm-ups, whose figures are discarded, then rounds until the judge knows. What is settled is not run again."""
    began = time.monotonic()
    records: dict[str, list[Pair]] = {metric: [] for metric in core.metrics(chosen)}
    orders = core.orders(plan.change, plan.warmup + core.SETTLING + plan.max_rounds, [one.name for one in chosen])
    result, pending = Run(judge(records, plan.rules)), list(chosen)
    warm: dict[str, list[float]] = {side: [] for side in ("baseline", "canary")}
    for order in orders:
        measured = core.warmed(warm, plan.warmup)
        for side in warm.values():
            side.append(0.0)
        for one in pending:
            if time.monotonic() - began > plan.budget_s:
                return finished(result, began, "budget")
            for metric, pair in pairs.pair(one, order[one.name]).items():
                if measured:
                    records[metric].append(pair)
                else:
                    warm["canary"][-1] += pair.canary.seconds or 0.0
                    warm["baseline"][-1] += (pair.baseline.seconds if pair.baseline else 0.0) or 0.0
            time.sleep(plan.pause_s)
        if not measured:
            result.warmed += 1
            continue
        result.rounds += 1
        found = result.judgement = judge(records, plan.rules)
        if found.verdict != UNKNOWN or found.hopeless:
            return finished(result, began, "baseline_sick" if found.hopeless else "decided")
        if result.rounds == plan.max_rounds:
            break
        pending = [one for one in chosen if not all(settled(metric, found) for metric in one.metrics)]
    return finished(result, began, "max_rounds")


def finished(result: Run, began: float, why: str) -> Run:
    result.elapsed_s, result.stopped = round(time.monotonic() - began, 3), why
    return result


def clean(worker: work.Worker, transactions: Sequence[Transaction]) -> Check:
    """Takes back what is left, and proves that nothing is."""
    hint = "Reverse or delete the rows tagged canary: in the canary company; the next run tries again."
    try:
        left = len(worker.leftovers(transactions)) if worker.sweep(transactions) else 0
    except OdooError as exc:
        return Check("clean", None, str(exc), "no row left", hint, "LEFTOVERS")
    return Check(
        "clean",
        True if not left else None,
        f"{left} rows left" if left else "no row left",
        "no row left",
        hint,
        "LEFTOVERS" if left else "",
    )
