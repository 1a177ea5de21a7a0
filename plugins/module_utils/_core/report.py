# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the recorded events of a change to its result, its report and the few lines people read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import governance, toggles
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import window_end
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import FAIL, PASS, UNKNOWN
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.overview import overview
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.progress import closed, outcome, proved, states, under_way

REPORT_SCHEMA = 1


class Timed(governance.About, Protocol):
    """A recorded event with its time in RFC 3339 and its actor."""

    @property
    def at(self) -> str: ...
    @property
    def actor(self) -> str: ...


def worst(verdicts: Sequence[str]) -> str:
    """``fail`` when one failed, ``pass`` when there are verdicts and all pass, ``unknown`` otherwise."""
    if FAIL in verdicts:
        return FAIL
    return PASS if verdicts and all(v == PASS for v in verdicts) else UNKNOWN


def planned(events: Sequence[Timed]) -> Mapping[str, Any]:
    """The latest recorded plan; empty when none is recorded."""
    found = [e.evidence["plan"] for e in events if e.event == "planned"]
    return found[-1] if found else {}


def result(events: Sequence[Timed], *, now: dt.datetime | None = None) -> dict[str, Any]:
    """The evidence that a change is closed with: ``succeeded``, ``failed``, ``abandoned`` when nothing was touched, or ``stopped``
    when by ``now`` its window is over, some tenants are released and the others untouched.

    Released everywhere is not enough: until the whole change is verified, it is ``open``. What got past the path (``bypassed``)
    makes it ``failed`` as soon as no tenant is under way, whatever works.
    """
    plan = planned(events)
    if not plan:
        return {"result": "abandoned", "tenants": {}, "bypassed": []}
    of = states(events, plan)
    ended = outcome(plan, of)
    if ended == "succeeded" and not proved(events):
        ended = "open"
    elif ended == "open":
        ended = _not_through(plan, of, now)
    words = {name: _tenant_word(state) for name, state in of.items()}
    past = [] if under_way(of) else governance.bypassed(events, plan)
    return {"result": "failed" if past else ended, "tenants": words, "bypassed": past}


def _not_through(plan: Mapping[str, Any], of: Mapping[str, Any], now: dt.datetime | None) -> str:
    if not any(state.touched for state in of.values()):
        return "abandoned"
    over = now is not None and now >= window_end(plan["change"]["window"])
    return "stopped" if over and not under_way(of) else "open"


def _tenant_word(state: Any) -> str:
    if state.rolled_back:
        return "rolled back"
    if state.failed:
        return "failed, not rolled back"
    if state.released:
        return "released"
    return f"stopped after {state.done[-1]}" if state.done else "untouched"


def report(events: Sequence[Timed], *, verified: Mapping[str, Any]) -> dict[str, Any]:
    """The report document (schema 1). ``verified`` is the verdict over the ledger."""
    plan = planned(events)
    ended = result(events)
    if not ended["bypassed"] and (told := closed(events)):
        ended["result"] = told
    change = plan.get("change", {})
    return {
        "schema": REPORT_SCHEMA,
        "change": change,
        "plan_digest": plans.plan_digest(plan) if plan else None,
        "result": ended["result"],
        "bypassed": ended["bypassed"],
        "approved_by": approvers(events),
        "tenants": {name: _tenant_report(name, word, plan, events) for name, word in ended["tenants"].items()},
        "ledger": {"verdict": verified.get("verdict"), "msg": verified.get("msg"), "events": len(events)},
        "overview": overview(events, plan) if plan else None,
        "timeline": [{"at": e.at, "event": e.event, "tenant": e.tenant, "actor": e.actor} for e in events],
        "lines": lines(events, ended, verified),
    }


def approvers(events: Sequence[Timed]) -> list[str]:
    return sorted({a["approver"] for e in events if e.event == "approved" for a in e.evidence.get("approvals", [])})


def _tenant_report(name: str, word: str, plan: Mapping[str, Any], events: Sequence[Timed]) -> dict[str, Any]:
    mine = {e.event: e for e in events if e.tenant == name}
    return {
        "result": word,
        "from": plan["tenants"][name]["from"],
        "to": plan["tenants"][name]["to"],
        "toggles": list(plan["tenants"][name].get("toggles", [])),
        "steps": {step: mine[step].at for step in plan["steps"] if step in mine},
        "checkpoint": mine["checkpointed"].evidence.get("checkpoint") if "checkpointed" in mine else None,
        "canary": mine["proved"].evidence if "proved" in mine else None,
        "failure": dict(mine["failed"].evidence) if "failed" in mine else None,
    }


def lines(events: Sequence[Timed], ended: Mapping[str, Any], verified: Mapping[str, Any]) -> list[str]:
    """The summary on the terminal."""
    plan = planned(events)
    change = plan.get("change", {})
    out = [f"{change.get('id')}: {str(ended['result']).upper()}: {change.get('title')}"]
    out.append(f"approved by {', '.join(approvers(events)) or 'nobody'}; requested by {change.get('requester')}")
    for names in plan.get("cohorts", []):
        out += [_tenant_line(name, ended["tenants"][name], plan, events) for name in names]
    out += [f"past its path: {reason}" for reason in ended["bypassed"]]
    out.append(f"ledger: {len(events)} events, {verified.get('verdict')}")
    return out


def _tenant_line(name: str, word: str, plan: Mapping[str, Any], events: Sequence[Timed]) -> str:
    mine = {e.event: e.evidence for e in events if e.tenant == name}
    told = f"  {name}: {word}"
    if "failed" in mine:
        return f"{told} after {mine['failed'].get('step')}: {mine['failed'].get('reason')}"
    if "released" in mine:
        told += f" on {plans.short(plan['tenants'][name]['to'])}"
        told += "".join(f", {toggles.shown(one)}" for one in plan["tenants"][name].get("toggles", []))
    return told + (f"; {mine['proved']['sentence']}" if mine.get("proved", {}).get("sentence") else "")
