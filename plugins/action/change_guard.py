# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""change_guard: asks right before every mutation whether it may still happen, and takes the tenant's lease."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import (
    calendar_decide,
    clock,
    guard,
    overrun,
    plan,
    progress,
    soak,
    toggles,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_model import Scope
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import window_end
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import find
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import CalendarError, read_calendars
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_holidays import preload
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import deploy_checks, recorded_approval_checks
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._awx import AWX_SPEC, read_launchers, setup_of
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, LeaseHeld, Ledger, open_ledger, os_user

preload()


class ActionModule(ChangeAction):
    SPEC = {
        **LEDGER_SPEC,
        **GATE_SPEC,
        "change": {"type": "dict", "required": True},
        "tenant": {"type": "str", "required": True},
        "purpose": {"type": "str", "choices": ["state", "apply", "finish", "rollback", "leave"], "default": "apply"},
        "calendars": {"type": "list", "elements": "raw", "default": []},
        "allowed_signers": {"type": "path"},
        "revoked": {"type": "path"},
        "approver_groups": {"type": "raw"},
        **AWX_SPEC,
        "executor": {"type": "str"},
        "image": {"type": "str"},
        "step": {"type": "str", "choices": list(plan.EVERY_STEP)},
        "plan": {"type": "dict"},
        "token": {"type": "int", "no_log": False},
        "lease_ttl": {"type": "str", "default": "PT30M"},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now, ledger, change = utc_now(), open_ledger(args), args["change"]
        events = ledger.events(change["id"])
        current = self._plan(args, events)
        states = progress.states(events, current)
        if args["tenant"] not in states:
            raise ChangeError(
                f"{change['id']}: tenant {args['tenant']} is not in the plan. Limit the run to its tenants: {', '.join(states)}."
            )
        subject = f"{change['id']} on tenant {args['tenant']}"
        facts = self._facts(args["tenant"], current, events, states, now=now)
        if args["purpose"] in ("state", "leave"):
            if args["purpose"] == "leave" and not self._task.check_mode:
                ledger.release_lease(args["tenant"], change["id"])
            return {"changed": False, "msg": f"{subject}: next is {facts['next']}.", **facts}
        if args["purpose"] in ("apply", "finish"):
            # asked before every step: the plan of a large estate would be most of what is passed on
            del facts["plan"]
        checks = self._checks(args, current, events, states, now=now)
        if all(check.ok for check in checks):
            token, leased = self._lease(args, ledger, events, now)
            checks, facts["token"] = [*checks, *leased], token
        return gate_result(subject, checks, at=now, enforce=args["enforce"], **facts)

    def _plan(self, args: dict[str, Any], events: list[Any]) -> dict[str, Any]:
        if recorded := find(events, "planned"):
            return dict(recorded.evidence["plan"])
        if self._task.check_mode and args["plan"]:
            return dict(args["plan"])
        raise ChangeError(f"{args['change']['id']}: the ledger holds no plan of it. Run the playbook change_plan first.")

    def _checks(
        self, args: dict[str, Any], current: dict[str, Any], events: list[Any], states: dict[str, Any], *, now: dt.datetime
    ) -> list[Check]:
        change, closed = args["change"], progress.closed(events)
        if args["purpose"] == "finish":
            return guard.base_checks(change, current, closed)
        if args["purpose"] == "rollback":
            undo = _undo(args["tenant"], current, events, states)
            return guard.rollback_checks(change, current, closed, states[args["tenant"]], undo=undo)
        gated = find(events, "gated")
        checks = guard.guard_checks(
            tenant=args["tenant"],
            # nothing is recorded in check mode, so every step finds the tenant at the first one
            step=None if self._task.check_mode else args["step"],
            change=change,
            plan=current,
            closed=closed,
            states=states,
            gated=guard.Gated(gated.evidence["verdict"], parse_instant(gated.at), gated.subject) if gated else None,
            digest=plan.plan_digest(current),
            image=args["image"],
            now=now,
        )
        times = [guard.window_check(change, now), *self._calendars(args, current["class"], now)]
        checks += overrun.excuse(times, tenant=args["tenant"], plan=current, states=states)
        checks.append(clock.forward_check(parse_instant(events[-1].at) if events else None, now=now))
        who = {"executor": args["executor"] or os_user(), "members": args["approver_groups"]}
        checks += deploy_checks(current["policy"], **who, launched=read_launchers(args["awx"]), awx=setup_of(args["awx"]))
        if self._task.check_mode and gated is None:
            # a check run records no gates, approvals and released cohorts; the stages before have reported what they found
            return [c for c in checks if c.id not in ("gates", "cohort_order")]
        if not states[args["tenant"]].touched:
            until = soak.soaks_until(args["tenant"], current, soak.released_at(events))
            checks.append(soak.soak_check(until, now=now, window_end=window_end(change["window"])))
        return checks + self._approvals(args, current, events, now)

    def _approvals(self, args: dict[str, Any], current: dict[str, Any], events: list[Any], now: dt.datetime) -> list[Check]:
        return recorded_approval_checks(
            events,
            change=args["change"],
            digest=plan.plan_digest(current),
            executor=args["executor"] or os_user(),
            policy=current["policy"],
            allowed_signers=args["allowed_signers"],
            revoked=args["revoked"],
            members=args["approver_groups"],
            launched=read_launchers(args["awx"]),
            awx=setup_of(args["awx"]),
            now=now,
        )

    def _calendars(self, args: dict[str, Any], change_class: str, now: dt.datetime) -> list[Check]:
        change = args["change"]
        try:
            question = calendar_decide.Question(
                at=now,
                duration_s=max(0, int((window_end(change["window"]) - now).total_seconds())),
                tenants=(args["tenant"],),
                scope=Scope(environment=change["environment"], domain=change["domain"], change_class=change_class),
            )
            answer = calendar_decide.decide(read_calendars(args["calendars"]), question)
        except (CalendarError, ValueError) as exc:
            return [unknown("calendars", str(exc), hint="An unreadable calendar allows nothing.", code="CALENDAR_ERROR")]
        return calendar_decide.checks(answer, question)

    def _lease(self, args: dict[str, Any], ledger: Ledger, events: list[Any], now: dt.datetime) -> tuple[int | None, list[Check]]:
        """Takes or renews the lease, last of all. Its fencing token, and the checks of it."""
        tenant, change, ttl_s = args["tenant"], args["change"]["id"], parse_duration(args["lease_ttl"])
        try:
            if self._task.check_mode:
                ledger.judge_lease(tenant, change, ttl_s=ttl_s, now=now)
                return None, [guard.lease_check(None)]
            lease = ledger.acquire_lease(tenant, change, ttl_s=ttl_s, now=now, token=args["token"])
        except LeaseHeld as exc:
            return None, [guard.lease_check(None, refused=str(exc), code="LEASE_LOST" if exc.code == "OVERTAKEN" else "LEASE")]
        if args["token"] is None and _moved(ledger, change, tenant, events):
            # whoever had the tenant before has done something since its events were read
            told = f"another run has recorded something of {tenant} meanwhile. Run the change again: it goes on from there."
            return lease.token, [guard.lease_check(None, refused=told, code="LEASE_LOST")]
        checks = [guard.lease_check(lease.token)]
        if args["purpose"] == "apply":
            checks.append(clock.skew_check(ledger.lease_written(tenant), asked=now, answered=utc_now()))
        return lease.token, checks

    def _facts(
        self, tenant: str, current: dict[str, Any], events: list[Any], states: dict[str, Any], *, now: dt.datetime
    ) -> dict[str, Any]:
        state, until = states[tenant], soak.soaks_until(tenant, current, soak.released_at(events))
        # what is released is watched to the end; nothing begins after the window
        ends = None if state.released else window_end(current["change"]["window"])
        return {
            "plan": current,
            "digest": plan.plan_digest(current),
            "done": list(state.done),
            "next": state.next,
            "tenant_failed": state.failed,
            "undo": _undo(tenant, current, events, states),
            "takes_backup": plan.takes_backup(tenant, current),
            "first_cohort": tenant in current["cohorts"][0],
            "cohort_settled": progress.cohort_settled(tenant, current, states),
            "outcome": progress.outcome(current, states),
            "closed": progress.closed(events),
            "started_at": begun.at if (begun := find(events, "started", tenant)) else None,
            "released_at": out.at if (out := find(events, "released", tenant)) else None,
            "soaks_until": rfc3339(until) if until else None,
            "soak_left_s": soak.left_s(until, now=now, ends=ends),
            "checkpoint": checkpoint.evidence.get("checkpoint") if (checkpoint := find(events, "checkpointed", tenant)) else None,
        }


def _undo(tenant: str, current: dict[str, Any], events: list[Any], states: dict[str, Any]) -> list[str]:
    """What a rollback of the tenant would bring back now."""
    checkpoint = find(events, "checkpointed", tenant) is not None
    return toggles.undo(current, states[tenant], closed=progress.closed(events) is not None, checkpoint=checkpoint)


def _moved(ledger: Ledger, change: str, tenant: str, events: list[Any]) -> bool:
    """Whether something of the tenant was recorded after these events were read."""
    if ledger.newest(change) == (events[-1].digest if events else None):
        return False
    known = len(events)
    return any(event.tenant == tenant for event in ledger.events(change)[known:])
