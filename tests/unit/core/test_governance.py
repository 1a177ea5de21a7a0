"""A release that works and went past the path is a failed one, whatever way it went."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import report
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.governance import bypassed

IMAGE = "registry.lab/odoo@sha256:" + "a" * 64
Edit = Callable[[list[Any]], list[Any]]


def event(name: str, tenant: str | None = None, subject: str = "", **evidence: Any) -> Any:
    return SimpleNamespace(event=name, tenant=tenant, at="2026-12-05T19:30:00Z", actor="ops-1", subject=subject, evidence=evidence)


@pytest.fixture
def plan(change: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    tenants = [plans.Tenant(n, "multi_tenant", c, f"odoo-{n}", n, "shared", IMAGE) for n, c in (("acme", 1), ("bravo", 2))]
    return plans.build_plan(change, tenants, policy=policy)


def whole(plan: dict[str, Any]) -> list[Any]:
    about = plans.plan_digest(plan).removeprefix("sha256:")
    return [
        event("planned", plan=plan),
        event("gated", subject=about, verdict="pass", gates=[]),
        event("approved", subject=about, approvals=[{"approver": "approver-1"}]),
        *(event(step, name) for name in plan["tenants"] for step in plan["steps"]),
        event("verified", verdict="pass", tenants={}),
    ]


def without(name: str, tenant: str | None = None) -> Edit:
    return lambda events: [e for e in events if (e.event, e.tenant) != (name, tenant)]


def with_(name: str, **changed: Any) -> Edit:
    def edit(events: list[Any]) -> list[Any]:
        return [SimpleNamespace(**{**vars(e), **changed}) if e.event == name else e for e in events]

    return edit


def later(name: str) -> Edit:
    """The event comes after everything else."""
    return lambda events: [*without(name)(events), *(e for e in events if e.event == name)]


def proof(code: str) -> dict[str, Any]:
    return {"acme": {"checks": [{"id": "released_by_this_change", "ok": False, "code": code}]}}


def test_a_change_that_kept_to_the_path(plan: dict[str, Any]) -> None:
    assert bypassed(whole(plan), plan) == []
    assert report.result(whole(plan))["result"] == "succeeded"


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        pytest.param(without("gated"), "acme was begun without gates of this plan that passed", id="no-gates"),
        pytest.param(with_("gated", evidence={"verdict": "fail", "gates": []}), "acme was begun without gates", id="gates-failed"),
        pytest.param(with_("gated", evidence={"verdict": "unknown", "gates": []}), "acme was begun without gates", id="gates-unknown"),
        pytest.param(with_("gated", subject="0" * 64), "acme was begun without gates", id="gates-of-another-plan"),
        pytest.param(later("gated"), "acme was begun without gates", id="gates-afterwards"),
        pytest.param(without("approved"), "acme was begun without an approval", id="no-approval"),
        pytest.param(
            with_("approved", evidence={"digest": "sha256:" + "0" * 64}), "acme was begun without an approval", id="of-another-plan"
        ),
        pytest.param(later("approved"), "bravo was begun without an approval", id="approved-afterwards"),
        pytest.param(later("planned"), "acme was begun before this plan was recorded", id="planned-afterwards"),
        pytest.param(without("checkpointed", "acme"), "acme was deployed without being checkpointed", id="no-restore-point"),
        pytest.param(without("proved", "bravo"), "bravo was released without being proved", id="no-canary"),
        pytest.param(
            with_("verified", evidence={"verdict": "fail", "tenants": proof("DEPLOYED_OUTSIDE")}),
            "acme runs the planned release, and this change did not bring it",
            id="deployed-by-somebody-else",
        ),
    ],
)
def test_what_it_was_done_without_is_found_and_makes_it_failed(plan: dict[str, Any], edit: Edit, wanted: str) -> None:
    events = edit(whole(plan))
    assert [reason for reason in bypassed(events, plan) if reason.startswith(wanted)], bypassed(events, plan)
    found = report.report(events, verified={"verdict": "pass"})
    assert found["result"] == "failed"
    assert any(line.startswith(f"past its path: {wanted}") for line in found["lines"])


def test_a_standard_change_needs_no_approval(plan: dict[str, Any]) -> None:
    plan["policy"].update(approvals=0, groups=[])
    assert bypassed(without("approved")(whole(plan)), plan) == []


def test_nothing_that_is_under_way_is_ended_by_it(plan: dict[str, Any]) -> None:
    events = [e for e in without("gated")(whole(plan)) if e.event not in ("released", "verified")]
    assert report.result(events)["result"] == "open"


def test_a_proof_that_failed_for_another_reason_is_none(plan: dict[str, Any]) -> None:
    events = with_("verified", evidence={"verdict": "fail", "tenants": proof("SLOWER")})(whole(plan))
    assert bypassed(events, plan) == []
