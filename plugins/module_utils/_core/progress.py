# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a change stands, read from its recorded events alone: what is done, what comes next, who may start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import PASS

RELEASED, FAILED, ROLLED_BACK, VERIFIED, CLOSED = "released", "failed", "rolled_back", "verified", "closed"
NOTHING = "nothing"


class Recorded(Protocol):
    """What is needed of a ledger event."""

    @property
    def event(self) -> str: ...
    @property
    def tenant(self) -> str | None: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class TenantState:
    """Where one tenant stands. ``next`` is the step to take, ``rollback``, or ``nothing``."""

    done: tuple[str, ...]
    next: str
    failed: bool
    rolled_back: bool

    @property
    def released(self) -> bool:
        return RELEASED in self.done

    @property
    def settled(self) -> bool:
        return self.released or self.rolled_back

    @property
    def touched(self) -> bool:
        return bool(self.done)


def tenant_state(events: Iterable[Recorded], tenant: str, steps: Sequence[str]) -> TenantState:
    """The tenant's state from its events: steps in order, then ``failed`` and ``rolled_back``."""
    mine = [e.event for e in events if e.tenant == tenant]
    done = tuple(step for step in steps if step in mine)
    failed, rolled_back = FAILED in mine, ROLLED_BACK in mine
    if rolled_back or (RELEASED in done and not failed):
        return TenantState(done, NOTHING, failed, rolled_back)
    if failed:
        return TenantState(done, "rollback", failed, rolled_back)
    return TenantState(done, next(step for step in steps if step not in done), failed, rolled_back)


def states(events: Sequence[Recorded], plan: Mapping[str, Any]) -> dict[str, TenantState]:
    return {name: tenant_state(events, name, plan["steps"]) for name in plan["tenants"]}


def may_start(tenant: str, plan: Mapping[str, Any], of: Mapping[str, TenantState]) -> str | None:
    """A reason why this tenant may not be touched yet, or None. Every tenant of every earlier cohort must be released."""
    if tenant not in plan["tenants"]:
        return f"tenant {tenant} is not in the plan"
    for names in plan["cohorts"]:
        if tenant in names:
            failed = [name for name in names if of[name].failed]
            return f"tenant {failed[0]} of the same cohort failed" if failed and not of[tenant].touched else None
        for name in names:
            if of[name].failed:
                return f"tenant {name} of an earlier cohort failed, so later cohorts stay untouched"
            if not of[name].released:
                return f"tenant {name} of an earlier cohort is not released yet"
    return f"tenant {tenant} is in no cohort of the plan"


def cohort_settled(tenant: str, plan: Mapping[str, Any], of: Mapping[str, TenantState]) -> bool:
    """Whether nobody in the tenant's cohort is under way; one who was never touched does not start any more once another failed."""
    mine = [of[name] for names in plan["cohorts"] if tenant in names for name in names]
    return all(state.settled or not state.touched for state in mine) and any(state.settled for state in mine)


def outcome(plan: Mapping[str, Any], of: Mapping[str, TenantState]) -> str:
    """``succeeded`` when all tenants are released, ``failed`` when one failed, ``open`` otherwise."""
    if any(state.failed for state in of.values()):
        return "failed"
    return "succeeded" if all(of[name].released for name in plan["tenants"]) else "open"


def under_way(of: Mapping[str, TenantState]) -> bool:
    """Whether a tenant was touched and is not settled: then a run must go on, at least to roll back."""
    return any(state.touched and not state.settled for state in of.values())


def proved(events: Iterable[Recorded]) -> bool:
    """Whether the latest verification of the change as a whole passed."""
    verdicts = [e.evidence.get("verdict") for e in events if e.event == VERIFIED]
    return bool(verdicts) and verdicts[-1] == PASS


def closed(events: Iterable[Recorded]) -> str | None:
    """The result the change was closed with, or None while it is open."""
    results = [str(e.evidence.get("result")) for e in events if e.event == CLOSED]
    return results[-1] if results else None
