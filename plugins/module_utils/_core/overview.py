# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What those who answer for a change want to know of it, taken from its recorded events: who, what, when, for whom, how proved, and
how fast it could be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.debts import DEBT_OPENED, DUE, SETTLING
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.progress import CLOSED, FAILED, ROLLED_BACK
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.toggles import ADMITTED

FIRST_STEP, HELD, OPENED = "started", "held", "opened"
KEPT_OF_DRILL = ("verdict", "rto_s", "rpo_s")


class Timed(Protocol):
    """What is needed of a recorded event."""

    @property
    def event(self) -> str: ...
    @property
    def tenant(self) -> str | None: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...
    @property
    def at(self) -> str: ...
    @property
    def actor(self) -> str: ...


def drills(latest: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The newest drill of each cluster as the result of a change keeps it: what was measured, and when."""
    found = {}
    for event in latest:
        evidence = event["evidence"]
        found[str(evidence["stanza"])] = {"at": event["at"], **{key: evidence.get(key) for key in KEPT_OF_DRILL}}
    return found


def overview(events: Sequence[Timed], plan: Mapping[str, Any]) -> dict[str, Any]:
    """The facts, JSON values; ``plan`` is the recorded plan, not empty."""
    return {
        "carried_out_by": sorted({e.actor for e in events if e.event == FIRST_STEP}),
        "approvals": approvals(events),
        "pre_approved": plan.get("catalogue"),
        "felt_by_others": {name: tier for name, tier in plan["impact"].items() if name not in plan["tenants"]},
        "source": plan.get("source"),
        "gates": gates(events),
        "times": times(events),
        "tenants": {name: _tenant(name, events) for name in plan["tenants"]},
        "recovery": {**plan["rollback"], "drills": _closing(events).get("drills") or {}},
        "debts": debts(events),
        "waivers": list(plan["change"].get("waivers", [])),
    }


def approvals(events: Iterable[Timed]) -> list[dict[str, Any]]:
    """Who approved, how, and when that was recorded first."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        for one in (event.evidence.get("approvals") or []) if event.event in SETTLING else []:
            how = "signed" if "document" in one else "in AWX"
            found.setdefault(one["approver"], {"by": one["approver"], "at": event.at, "how": how})
    return list(found.values())


def gates(events: Sequence[Timed]) -> list[dict[str, Any]]:
    """Each check of the last measurement: of what, what was seen, what was wanted, and how it counted."""
    measured = [e.evidence for e in events if e.event == "gated"]
    return [
        {"subject": gate["subject"], **{key: check[key] for key in ("id", "observed", "expected")}, "counted": counted(check)}
        for gate in (measured[-1]["gates"] if measured else [])
        for check in gate["checks"]
    ]


def counted(check: Mapping[str, Any]) -> str:
    if not check.get("required", True):
        return "not required"
    if "waived" in check:
        return f"waived by {check['waived']['owner']}"
    return {True: "passed", False: "failed"}.get(check["ok"], "could not be told")


def times(events: Sequence[Timed]) -> dict[str, Any]:
    """When it was planned, when the first tenant was touched and the last one settled, and how long that took."""
    touched = [e.at for e in events if e.tenant is not None]
    began, ended = (touched[0], touched[-1]) if touched else (None, None)
    closed = [e.at for e in events if e.event == CLOSED and e.tenant is None]
    planned = [e.at for e in events if e.event == "planned"]
    return {
        "planned": planned[0] if planned else None,
        "began": began,
        "ended": ended,
        "took_s": between(began, ended),
        "closed": closed[-1] if closed else None,
    }


def _tenant(name: str, events: Iterable[Timed]) -> dict[str, Any]:
    """How long users of a tenant were sent away, how long the way back took, and from what."""
    at = {e.event: e.at for e in events if e.tenant == name}
    label = next((e.evidence.get("checkpoint") for e in events if e.tenant == name and e.event == "checkpointed"), None)
    return {
        "users_away_s": between(at.get(HELD), at.get(OPENED) if ADMITTED in at else at.get(ROLLED_BACK) or at.get(OPENED)),
        "way_back_s": between(at.get(FAILED), at.get(ROLLED_BACK)),
        "checkpoint": None if label is None else {"label": label.get("label"), "lsn": label.get("lsn")},
    }


def debts(events: Iterable[Timed]) -> list[dict[str, Any]]:
    """Approvals after the fact: until when, and when they were given."""
    found: list[dict[str, Any]] = []
    for event in events:
        if event.tenant is None and event.event == DEBT_OPENED:
            found.append({"due": event.evidence.get(DUE), "reason": event.evidence.get("reason"), "settled": None})
        elif event.tenant is None and event.event in SETTLING and event.evidence.get("approvals"):
            for one in found:
                one["settled"] = one["settled"] or event.at
    return found


def between(began: str | None, ended: str | None) -> float | None:
    """Seconds from one recorded time to another; None where one is missing or is no time."""
    try:
        return None if began is None or ended is None else (parse_instant(ended) - parse_instant(began)).total_seconds()
    except ValueError:
        return None


def _closing(events: Sequence[Timed]) -> Mapping[str, Any]:
    closed = [e.evidence for e in events if e.event == CLOSED and e.tenant is None]
    return closed[-1] if closed else {}
