# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a change was done without. The guard stops such a change; this finds one that got past it, from the record alone.

A release that works and was not governed is a failed one: its gates, approvals and restore points are what the next change, the
auditor and the way back rely on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import PASS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.progress import VERIFIED, Recorded

DEPLOYED_OUTSIDE = "DEPLOYED_OUTSIDE"
"""Code of a proof that found the planned release at a tenant that the change did not release."""


class About(Recorded, Protocol):
    """A recorded event with what it is about: the plan's digest, 64 hex digits."""

    @property
    def subject(self) -> str: ...


def bypassed(events: Sequence[About], plan: Mapping[str, Any]) -> list[str]:
    """Every rule of the path that the recorded events of a change break, as sentences; none when it kept to the path."""
    reasons: list[str] = []
    done: dict[str, set[str]] = {}
    for position, event in enumerate(events):
        if event.tenant is None or event.event not in plan["steps"]:
            continue
        if event.tenant not in done:
            reasons += [f"{event.tenant} was begun {lack}" for lack in _begun_without(events[:position], plan)]
        mine = done.setdefault(event.tenant, set())
        earlier = plan["steps"][: plan["steps"].index(event.event)]
        reasons += [f"{event.tenant} was {event.event} without being {step}" for step in earlier if step not in mine]
        mine.add(event.event)
    return reasons + _deployed_outside(events)


def _begun_without(before: Sequence[About], plan: Mapping[str, Any]) -> list[str]:
    about = plans.plan_digest(plan).removeprefix("sha256:")
    lacks = []
    if _last(before, "planned", lambda e: e.evidence.get("plan")) != plan:
        lacks.append("before this plan was recorded")
    if _last(before, "gated", lambda e: (e.evidence.get("verdict"), e.subject)) != (PASS, about):
        lacks.append("without gates of this plan that passed")
    if (int(plan["policy"]["approvals"]) or plan["policy"]["groups"]) and about not in _approved(before):
        lacks.append("without an approval of this plan")
    return lacks


def _last(events: Sequence[About], name: str, value: Any) -> Any:
    found = [value(e) for e in events if e.event == name and e.tenant is None]
    return found[-1] if found else None


def _approved(events: Sequence[About]) -> set[str]:
    return {e.subject for e in events if e.event == "approved" and e.evidence.get("approvals")}


def _deployed_outside(events: Sequence[About]) -> list[str]:
    proofs = [e.evidence.get("tenants", {}) for e in events if e.event == VERIFIED]
    outside = {name for proof in proofs for name, found in proof.items() if _code(found) == DEPLOYED_OUTSIDE}
    return [f"{name} runs the planned release, and this change did not bring it" for name in sorted(outside)]


def _code(proof: Mapping[str, Any]) -> str | None:
    codes = [check.get("code") for check in proof.get("checks", [])]
    return DEPLOYED_OUTSIDE if DEPLOYED_OUTSIDE in codes else None
