# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole canary: waits for both sides, finds its place, has the rounds done, and takes everything back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import transactions as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import Transaction
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import canary_database
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import transactions as work
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.canary_rounds import Measured, Pairs, Run, Teller, rounds, silent
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import OdooClient, OdooError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server

__all__ = ["Measured", "Plan", "Run", "Sides", "Teller", "Watched", "carry_out", "lacking", "silent"]


@dataclass(frozen=True)
class Watched:
    """The tenant's database, when it is looked into."""

    server: Server
    role: str
    budget_s: float
    cron_processes: int | None


@dataclass(frozen=True)
class Plan(Measured):
    """The same, and where."""

    company: str = "Change canary"
    known: Mapping[str, Transaction] = field(default_factory=dict)
    """All of them, so that what a killed run left of others is taken back, too."""
    transactions: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    """Those that the release has updated."""
    ready_timeout_s: float = 60.0
    database: Watched | None = None


class Sides:
    """Both clients. Without a baseline (smoke) the canary also does the cleaning."""

    def __init__(self, canary: OdooClient, baseline: OdooClient | None) -> None:
        self.canary, self.baseline = canary, baseline
        self.trusted = baseline or canary
        if baseline:
            canary.origin = baseline  # whoever was logged in to the old release

    def both(self) -> list[OdooClient]:
        return [c for c in (self.baseline, self.canary) if c is not None]

    def twin(self) -> Sides:
        """The same for one more user at the same time."""
        return Sides(self.canary.twin(), self.baseline.twin() if self.baseline else None)

    def pairs(self, ground: work.Ground, *, alone: bool) -> Pairs:
        return Pairs({one.name: work.Worker(one, ground, alone=alone) for one in self.both()}, self.canary.name)


def carry_out(sides: Sides, plan: Plan, tell: Teller = silent) -> Run:
    """The whole canary, from waiting for both sides to the last leftover taken back."""
    ready = {client.name: client.wait_ready(budget_s=plan.ready_timeout_s) for client in sides.both()}
    ground = work.settle(sides.trusted, plan.company, core.tag(plan.change))
    able, chosen, missing = _applicable(sides.trusted, plan)
    if plan.modules and (behind := core.behind(work.versions(sides.canary, plan.modules), plan.modules)):
        raise work.TransactionError(
            f"{'; '.join(behind)}: the update did not end, or was left out. Read its log, and update or restore before anything else",
            code="UPDATE_UNFINISHED",
        )
    ground = work.with_records(sides.trusted, ground, chosen)
    trusted = work.Worker(sides.trusted, ground)
    swept = trusted.sweep(able)
    users = [sides, *(sides.twin() for _dummy in range(plan.concurrency - 1))]
    try:
        result = rounds([one.pairs(ground, alone=len(users) == 1) for one in users], plan, chosen, tell)
    finally:
        left = clean(trusted, able)
        for client in (client for one in users for client in one.both()):
            client.forget()
    result.ready_s, result.swept = {name: round(s, 3) for name, s in ready.items()}, swept
    result.not_applicable = missing
    result.extra += [left, *watched(plan.database, ground)]
    return result


def _applicable(client: OdooClient, plan: Plan) -> tuple[list[Transaction], list[Transaction], dict[str, list[str]]]:
    """All transactions that this database has the modules for, those of them that were asked for, and which modules others lack."""
    states = work.modules(client)
    if halfway := core.unfinished(states):
        raise work.TransactionError(
            f"modules {', '.join(halfway[:5])} are in the midst of an update that did not end: finish it (odoo --update) or restore the "
            "database, then run again",
            code="UPDATE_UNFINISHED",
        )
    able, absent = core.applicable(list(plan.known.values()), states)
    chosen = [one for one in able if one.name in plan.transactions]
    missing = {name: lacks for name, lacks in absent.items() if name in plan.transactions}
    if not chosen:
        raise work.TransactionError(
            f"none of the transactions {', '.join(plan.transactions)} can be done here: {lacking(missing)}. Choose transactions of modules "
            "that this tenant has",
            code="NOT_APPLICABLE",
        )
    return able, chosen, missing


def watched(at: Watched | None, ground: work.Ground) -> list[Check]:
    """What the tenant's database says of the run."""
    if at is None:
        return []
    who = {"user": ground.user, "company": ground.company, "since": ground.started}
    found = [canary_database.outside(at.server, ground.database, who, budget_s=at.budget_s)]
    return found if at.cron_processes is None else [*found, canary_database.runners(at.server, at.role, at.cron_processes)]


def lacking(missing: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} needs the module {' and '.join(lacks)}" for name, lacks in missing.items())


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
