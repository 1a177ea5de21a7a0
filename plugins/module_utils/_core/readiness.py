# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is everything there that a change of the database, of an integration or of the shared platform needs before it begins?

What kind a change is, its plan says. The checklist is the same for all kinds; what an item asks for depends on the plan. Any other change
needs no review, and the checklist says so in one check.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.people import odd
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.waivers import gate_of

DATABASE, INTEGRATION, SHARED = "the database", "an integration", "the shared platform"
CUSTOMER = "customer:"
WITH_DATA = ("image", "database", "filestore")


@dataclass(frozen=True)
class Case:
    """The plan, its kinds, the results of the gates that were measured for it, and the time."""

    plan: Mapping[str, Any]
    kinds: Sequence[str]
    measured: Sequence[Mapping[str, Any]]
    now: dt.datetime

    @property
    def change(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.plan["change"]
        return found

    @property
    def answers(self) -> Mapping[str, Any]:
        """What the change file says for the review."""
        found: Mapping[str, Any] = self.change.get("readiness") or {}
        return found


def kinds(plan: Mapping[str, Any]) -> list[str]:
    """What makes a review necessary; nothing for a change that needs none."""
    found = [DATABASE] if plan["class"] == "data_impacting" or "database" in plan["streams"] else []
    found += [INTEGRATION] if "integration" in plan["streams"] else []
    return [*found, *([SHARED] if _others(plan) else [])]


def checklist(plan: Mapping[str, Any], measured: Sequence[Mapping[str, Any]], *, now: dt.datetime) -> list[Check]:
    """Every item of the review. ``measured`` are the results of the other gates, each with its ``evidence``."""
    of = kinds(plan)
    if not of:
        return [Check("readiness_scope", True, "no change of database, integration or shared platform", "a review where it is one")]
    case = Case(plan, of, measured, now)
    return [Check("readiness_scope", True, f"a change of {', '.join(of)}", "a review"), *(item(case) for item in ITEMS)]


# -- the items ---------------------------------------------------------------------------------------------------------------
def rollback(case: Case) -> Check:
    """What comes back must be what the change alters: a change of the database needs more than the old image."""
    layers = list(case.plan["rollback"]["layers"])
    wanted = list(WITH_DATA) if DATABASE in case.kinds else layers[:1]
    lacking = [layer for layer in wanted if layer not in layers]
    hint = "Name in release.modules the modules whose update alters the database: then their restore point is part of the way back."
    return _item(
        "rollback", not lacking, f"brings back {', '.join(layers)}", f"brings back {', '.join(wanted)}", hint=hint, code="NO_WAY_BACK"
    )


def backup(case: Case) -> Check:
    return _evidence(case, "backup", ("backup", "wal", "read"), "Mend what the backup's own checks name, then plan again.")


def drill(case: Case) -> Check:
    rehearsal = ("rehearsal",) if "rehearsal" in case.plan["policy"]["gates"] else ()
    return _evidence(case, "drill", ("drill", *rehearsal), "Run restore_drill, or the rehearsal, then plan again.")


def verification(case: Case) -> Check:
    wanted = list(case.plan.get("transactions", []))
    lacking = [name for name in wanted if name not in case.change["verification"]["transactions"]]
    hint = f"Add {', '.join(lacking)} to change.verification.transactions."
    seen = f"proved by {', '.join(case.change['verification']['transactions'])}"
    return _item("verification", not lacking, seen, f"proved by {', '.join(wanted) or 'any transaction'}", hint=hint, code="NOT_COVERED")


def people(case: Case) -> Check:
    named = {"change.owner": str(case.change["owner"]), "change.readiness.on_call": str(case.answers.get("on_call", ""))}
    bad = [key for key, name in named.items() if odd(name)]
    seen = ", ".join(f"{key} is {name!a}" for key, name in named.items())
    return _item(
        "people", not bad, seen, "the names of owner and on-call", hint=f"Write who it is, in ASCII, into {', '.join(bad)}.", code="NOBODY"
    )


def customers(case: Case) -> Check:
    """Whoever feels the change without being one of its tenants, or has a say in it, must have been told before."""
    wanted = _to_inform(case.plan)
    told = case.answers.get("informed") or {}
    lacking = [name for name in wanted if not any(fnmatchcase(name, pattern) for pattern in told.get("tenants", []))]
    late = _late(told, case) if wanted and told else ""
    seen = f"not told: {', '.join(lacking)}" if lacking else late or (f"told by {told['how']}" if wanted else "nobody has to be told")
    hint = "Tell them, and write at, how and tenants into change.readiness.informed."
    return _item(
        "customers", not lacking and not late, seen, f"told before it begins: {', '.join(wanted) or 'nobody'}", hint=hint, code="NOT_TOLD"
    )


def connectors(case: Case) -> Check:
    listed = case.answers.get("connectors")
    least = 1 if INTEGRATION in case.kinds else 0
    wanted = "those that depend on it, each with its owner" if least else "those that depend on it, or [] for none"
    seen = "not listed" if listed is None else ", ".join(f"{one['name']} ({one['owner']})" for one in listed) or "none"
    hint = "List the connectors in change.readiness.connectors, each with name and owner."
    return _item("connectors", listed is not None and len(listed) >= least, seen, wanted, hint=hint, code="NOT_LISTED")


ITEMS: tuple[Callable[[Case], Check], ...] = (rollback, backup, drill, verification, people, customers, connectors)


# -- what they ask -----------------------------------------------------------------------------------------------------------
def _item(name: str, ok: bool, seen: str, wanted: str, *, hint: str, code: str) -> Check:
    return Check(f"readiness_{name}", ok, seen, wanted, "" if ok else hint, "" if ok else code)


def _evidence(case: Case, name: str, gates: Sequence[str], hint: str) -> Check:
    """Whether these gates passed on every cluster of the change. One that nobody measured could not be told."""
    mine = [
        (number, one["evidence"]["subject"], check)
        for number, one in enumerate(case.measured)
        for check in one["evidence"]["checks"]
        if gate_of(check["id"]) in gates
    ]
    bad = [f"{subject}: {check['id']} is {check['observed']}" for _number, subject, check in mine if check["ok"] is not True]
    clusters = len(case.plan["gate_hosts"])
    seen_by = {gate: len({number for number, _subject, check in mine if gate_of(check["id"]) == gate}) for gate in gates}
    unmeasured = [gate for gate in gates if seen_by[gate] < (clusters if gate != "rehearsal" else 1)]
    wanted = f"{', '.join(gates)} passed on {clusters} clusters"
    if any(check["ok"] is False for *_where, check in mine):
        return Check(f"readiness_{name}", False, "; ".join(bad), wanted, hint, "NOT_PROVED")
    if bad or unmeasured:
        seen = "; ".join(bad) or f"not measured on every cluster: {', '.join(unmeasured)}"
        return Check(f"readiness_{name}", None, seen, wanted, hint, "NOT_MEASURED")
    return Check(f"readiness_{name}", True, wanted, wanted)


def _others(plan: Mapping[str, Any]) -> list[str]:
    """Who feels the change without being one of its tenants."""
    return [name for name in plan["impact"] if name not in plan["tenants"]]


def _to_inform(plan: Mapping[str, Any]) -> list[str]:
    say = [one["group"].removeprefix(CUSTOMER) for one in plan["policy"].get("groups", []) if one["group"].startswith(CUSTOMER)]
    return sorted({*_others(plan), *say})


def _late(told: Mapping[str, Any], case: Case) -> str:
    """Why the time at which they were told does not do; empty when it does."""
    try:
        at, start = parse_instant(told["at"]), parse_instant(case.change["window"]["start"])
    except ValueError as exc:
        return f"change.readiness.informed.at is {told['at']!r}: {exc}"
    if at > case.now:
        return f"told at {rfc3339(at)}, which is still to come"
    return f"told at {rfc3339(at)}, after the window has begun" if at > start else ""
