# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""May this mutation of this tenant happen now? The question is asked again right before every mutation.

A rollback is let through by fewer checks: bringing a tenant back must not wait for a window or for fresh gates.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import window_end
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import PASS, Check, rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.plan import short
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.progress import NOTHING, TenantState, may_start


@dataclass(frozen=True)
class Gated:
    """The latest gates event: its verdict, when it was measured, and for which plan (64 hex digits)."""

    verdict: str
    at: dt.datetime
    plan: str


def guard_checks(
    *,
    tenant: str,
    step: str | None,
    change: Mapping[str, Any],
    plan: Mapping[str, Any],
    closed: str | None,
    states: Mapping[str, TenantState],
    gated: Gated | None,
    digest: str,
    image: str | None,
    now: dt.datetime,
) -> list[Check]:
    """The checks before a mutation, less window, calendars, approvals, soak, clock and lease, which have deciders of their own."""
    return [
        *base_checks(change, plan, closed),
        _order(tenant, plan, states),
        *([] if step is None else [_step(step, states[tenant])]),
        _gates(gated, digest, plan["policy"], now),
        *([] if image is None else [_image(tenant, plan, image)]),
    ]


def base_checks(change: Mapping[str, Any], plan: Mapping[str, Any], closed: str | None) -> list[Check]:
    """What even a rollback needs: the change is the planned one and is still open."""
    changed = sorted(k for k in change.keys() | plan["change"].keys() if change.get(k) != plan["change"].get(k))
    return [
        Check(
            "plan",
            not changed,
            f"another change file ({', '.join(changed)} differ)" if changed else "the planned change",
            "the planned change",
            "Bring back the change file that was planned, or give the new one an id of its own.",
            "PLAN_CHANGED" if changed else "",
        ),
        Check(
            "open",
            closed is None,
            f"closed as {closed}" if closed else "open",
            "open",
            "A closed change is over: write a new change with an id of its own.",
            "CLOSED" if closed else "",
        ),
    ]


def rollback_checks(
    change: Mapping[str, Any], plan: Mapping[str, Any], closed: str | None, state: TenantState, *, undo: Sequence[str] = ()
) -> list[Check]:
    """What a rollback needs; least of all that somebody else has finished the tenant meanwhile. ``undo``: the layers that can come back."""
    ended = "rolled back" if state.rolled_back else "released"
    settled = state.next == NOTHING and not undo
    hint = "There is nothing to bring back. Fix a released tenant forward, with a new change."
    return [
        *base_checks(change, plan, closed),
        Check("unsettled", not settled, ended if settled else "under way", "under way", hint, "SETTLED" if settled else ""),
    ]


def _order(tenant: str, plan: Mapping[str, Any], states: Mapping[str, TenantState]) -> Check:
    reason = may_start(tenant, plan, states)
    hint = "Cohorts go in order, and a failed one ends the change. Read the ledger for why it failed."
    return Check(
        "cohort_order", reason is None, reason or "its turn", "all tenants of earlier cohorts released", hint, "COHORT" if reason else ""
    )


def _step(step: str, state: TenantState) -> Check:
    hint = "Steps go in the order of the plan, each once. Run the stage again: it goes on where the tenant stands."
    return Check("step_order", step == state.next, step, state.next, hint, "" if step == state.next else "STEP_ORDER")


def window_check(change: Mapping[str, Any], now: dt.datetime) -> Check:
    start, end = parse_instant(change["window"]["start"]), window_end(change["window"])
    wanted = f"from {rfc3339(start)} to before {rfc3339(end)}"
    if start <= now < end:
        return Check("change_window", True, rfc3339(now), wanted)
    if now < start:
        return Check("change_window", False, rfc3339(now), wanted, f"Run it again after {rfc3339(start)}.", "OUTSIDE_WINDOW")
    hint = "The plan holds the window: close this change with change_close, and give what is left a new one with a window of its own."
    return Check("change_window", False, rfc3339(now), wanted, hint, "WINDOW_OVER")


def _gates(gated: Gated | None, digest: str, policy: Mapping[str, Any], now: dt.datetime) -> Check:
    wanted = f"pass for this plan, not older than {policy['gate_max_age']}"
    hint = "Run change_plan again: it measures the gates anew."
    if gated is None:
        return Check("gates", False, "never measured", wanted, hint, "GATES_MISSING")
    if gated.plan != digest.removeprefix("sha256:"):
        return Check("gates", False, "measured for another plan", wanted, hint, "GATES_OF_ANOTHER_PLAN")
    age_s = (now - gated.at).total_seconds()
    fresh = 0 <= age_s <= parse_duration(policy["gate_max_age"])
    ok = gated.verdict == PASS and fresh
    code = "" if ok else "GATES_STALE" if gated.verdict == PASS else "GATES_FAILED"
    return Check("gates", ok, f"{gated.verdict}, measured {rfc3339(gated.at)}", wanted, hint, code)


def _image(tenant: str, plan: Mapping[str, Any], image: str) -> Check:
    """What runs must be what the plan saw or what it brings; anything else was changed by someone else meanwhile."""
    entry = plan["tenants"][tenant]
    ok = image in (entry["from"], entry["to"])
    return Check(
        "image",
        ok,
        short(image),
        f"{short(entry['from'])} or {short(entry['to'])}",
        "Someone changed the tenant after the plan was made. Plan again under a new id.",
        "" if ok else "DRIFT",
    )


def lease_check(token: int | None, *, refused: str = "", code: str = "LEASE") -> Check:
    """``token``: the fencing token that the tenant is held with; None in check mode, which takes none. ``refused``: why not."""
    if refused:
        return Check("lease", False, refused, "held by this run", "Wait for the other run." if code == "LEASE" else "", code)
    return Check("lease", True, "free to take" if token is None else f"held, fencing token {token}", "held by this run")
