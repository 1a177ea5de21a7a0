from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import progress, report
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.guard import (
    Gated,
    base_checks,
    guard_checks,
    rollback_checks,
    window_check,
)

IMAGE, OTHER = "registry.lab/odoo@sha256:" + "a" * 64, "registry.lab/odoo@sha256:" + "c" * 64
NOW = dt.datetime(2026, 12, 5, 19, 30, tzinfo=dt.timezone.utc)
PLAN = "b" * 64
FRESH = Gated("pass", NOW - dt.timedelta(hours=1), PLAN)


def event(name: str, tenant: str | None = None, at: str = "2026-12-05T19:30:00Z", subject: str = "", **evidence: Any) -> Any:
    return SimpleNamespace(event=name, tenant=tenant, at=at, actor="ops-1", evidence=evidence, subject=subject)


@pytest.fixture
def plan(change: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    tenants = [plans.Tenant(n, "multi_tenant", c, f"odoo-{n}", n, "shared", IMAGE) for n, c in (("acme", 1), ("bravo", 2))]
    return plans.build_plan(change, tenants, policy=policy)


def codes(plan: dict[str, Any], change: dict[str, Any], **given: Any) -> list[str]:
    facts = {
        "tenant": "acme",
        "step": "started",
        "closed": None,
        "states": progress.states([], plan),
        "gated": FRESH,
        "digest": f"sha256:{PLAN}",
        "image": IMAGE,
        "now": NOW,
        **given,
    }
    return [c.code for c in guard_checks(change=change, plan=plan, **facts) if c.ok is not True]


def test_all_well(plan: dict[str, Any], change: dict[str, Any]) -> None:
    assert codes(plan, change) == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param({"closed": "failed"}, "CLOSED", id="closed"),
        pytest.param({"gated": None}, "GATES_MISSING", id="gates-never-measured"),
        pytest.param({"gated": Gated("fail", NOW, PLAN)}, "GATES_FAILED", id="gates-failed"),
        pytest.param({"gated": Gated("unknown", NOW, PLAN)}, "GATES_FAILED", id="gates-unknown-is-no-pass"),
        pytest.param({"gated": Gated("pass", NOW, "c" * 64)}, "GATES_OF_ANOTHER_PLAN", id="gates-of-another-plan"),
        pytest.param({"gated": Gated("pass", NOW - dt.timedelta(hours=4, seconds=1), PLAN)}, "GATES_STALE", id="gates-stale"),
        pytest.param({"gated": Gated("pass", NOW + dt.timedelta(seconds=1), PLAN)}, "GATES_STALE", id="gates-from-the-future"),
        pytest.param({"image": OTHER}, "DRIFT", id="someone-changed-the-tenant"),
        pytest.param({"tenant": "bravo"}, "COHORT", id="not-its-turn"),
        pytest.param({"step": "released"}, "STEP_ORDER", id="a-step-too-early"),
    ],
)
def test_each_reason_stops_it_alone(plan: dict[str, Any], change: dict[str, Any], given: dict[str, Any], code: str) -> None:
    assert codes(plan, change, **given) == [code]


@pytest.mark.parametrize(
    ("at", "code"),
    [
        pytest.param("18:59:59", "OUTSIDE_WINDOW", id="before-it"),
        pytest.param("19:00:00", "", id="at-its-start"),
        pytest.param("20:59:59", "", id="its-last-second"),
        pytest.param("21:00:00", "WINDOW_OVER", id="at-its-end"),
    ],
)
def test_the_window_of_the_change(change: dict[str, Any], at: str, code: str) -> None:
    check = window_check(change, dt.datetime.fromisoformat(f"2026-12-05T{at}+00:00"))
    assert (check.ok, check.code) == (not code, code)


def test_gates_exactly_at_their_age_are_fresh(plan: dict[str, Any], change: dict[str, Any]) -> None:
    assert codes(plan, change, gated=Gated("pass", NOW - dt.timedelta(hours=4), PLAN)) == []


def test_an_edited_change_file_stops_even_a_rollback(plan: dict[str, Any], change: dict[str, Any]) -> None:
    change["impact"] = "none at all"
    assert [c.code for c in base_checks(change, plan, None) if not c.ok] == ["PLAN_CHANGED"]


@pytest.mark.parametrize(
    ("done", "code"),
    [
        pytest.param([], "", id="untouched"),
        pytest.param(["started", "held"], "", id="under-way"),
        pytest.param(["started", "failed"], "", id="failed"),
        pytest.param([*plans.STEPS, "failed"], "", id="released-and-failed"),
        pytest.param([*plans.STEPS], "SETTLED", id="released"),
        pytest.param(["started", "failed", "rolled_back"], "SETTLED", id="rolled-back"),
    ],
)
def test_what_a_rollback_is_refused_for(plan: dict[str, Any], change: dict[str, Any], done: list[str], code: str) -> None:
    state = progress.states([event(step, "acme") for step in done], plan)["acme"]
    assert [c.code for c in rollback_checks(change, plan, None, state) if not c.ok] == ([code] if code else [])


def test_the_target_image_is_no_drift(plan: dict[str, Any], change: dict[str, Any]) -> None:
    assert codes(plan, change, image=change["release"]["image"]) == []


def governed(plan: dict[str, Any]) -> list[Any]:
    about = plans.plan_digest(plan).removeprefix("sha256:")
    return [
        event("planned", plan=plan),
        event("gated", subject=about, verdict="pass", gates=[]),
        event("approved", subject=about, approvals=[{"approver": "approver-1"}]),
    ]


def everything(plan: dict[str, Any]) -> list[Any]:
    released = [event(step, name) for name in ("acme", "bravo") for step in plan["steps"]]
    return [
        *governed(plan),
        *released,
        event("verified", verdict="pass"),
    ]


def test_report_of_a_success(plan: dict[str, Any]) -> None:
    found = report.report(everything(plan), verified={"verdict": "pass", "msg": "whole"})
    assert found["result"] == "succeeded"
    assert found["approved_by"] == ["approver-1"]
    assert found["lines"][0] == "CHG-2026-0142: SUCCEEDED: Billing module 19.0.2"
    assert set(found["tenants"]["acme"]["steps"]) == set(plan["steps"])


@pytest.mark.parametrize("proof", [[], ["fail"], ["unknown"], [None], ["pass", "fail"]])
def test_released_and_not_proved_is_open(plan: dict[str, Any], proof: list[str]) -> None:
    events = everything(plan)[:-1] + [event("verified", verdict=verdict) for verdict in proof]
    assert report.result(events)["result"] == "open"


def test_report_of_a_failure_names_tenant_step_and_reason(plan: dict[str, Any]) -> None:
    events = [
        *governed(plan),
        event("started", "acme"),
        event("failed", "acme", step="proved", reason="slower"),
        event("rolled_back", "acme"),
    ]
    found = report.report(events, verified={"verdict": "pass"})
    assert found["result"] == "failed"
    assert found["tenants"]["bravo"]["result"] == "untouched"
    assert "  acme: rolled back after proved: slower" in found["lines"]


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        pytest.param([], "abandoned", id="nothing-planned"),
        pytest.param(["planned"], "abandoned", id="nothing-touched"),
        pytest.param(["planned", "started"], "open", id="under-way"),
    ],
)
def test_result(plan: dict[str, Any], events: list[str], wanted: str) -> None:
    made = [event(e, "acme" if e == "started" else None, **({"plan": plan} if e == "planned" else {})) for e in events]
    assert report.result(made)["result"] == wanted


RELEASED_ACME = [event(step, "acme") for step in plans.STEPS]
OVER = dt.datetime(2026, 12, 5, 21, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("events", "now", "wanted"),
    [
        pytest.param(RELEASED_ACME, OVER, "stopped", id="released-and-untouched-at-the-end-of-the-window"),
        pytest.param(RELEASED_ACME, OVER - dt.timedelta(seconds=1), "open", id="the-window-still-runs"),
        pytest.param(RELEASED_ACME, None, "open", id="nobody-knows-the-time"),
        pytest.param([*RELEASED_ACME, event("started", "bravo")], OVER, "open", id="one-is-under-way"),
        pytest.param([event("started", "acme")], OVER, "open", id="the-canary-is-under-way"),
        pytest.param([], OVER, "abandoned", id="nothing-touched"),
        pytest.param([*RELEASED_ACME, event("started", "bravo"), event("failed", "bravo")], OVER, "failed", id="failed"),
        pytest.param([*RELEASED_ACME, *(event(step, "bravo") for step in plans.STEPS)], OVER, "open", id="released-and-not-proved"),
    ],
)
def test_result_after_a_window_that_was_too_short(plan: dict[str, Any], events: list[Any], now: dt.datetime | None, wanted: str) -> None:
    assert report.result([*governed(plan), *events], now=now)["result"] == wanted


def test_the_report_of_a_closed_change_tells_what_it_was_closed_with(plan: dict[str, Any]) -> None:
    events = [*governed(plan), *RELEASED_ACME]
    assert report.report(events, verified={})["result"] == "open"
    found = report.report([*events, event("closed", result="stopped")], verified={})
    assert (found["result"], found["tenants"]["bravo"]["result"]) == ("stopped", "untouched")
    assert found["lines"][0].startswith("CHG-2026-0142: STOPPED")


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [([], "unknown"), (["pass"], "pass"), (["pass", "unknown"], "unknown"), (["unknown", "fail"], "fail")],
)
def test_worst(verdicts: list[str], wanted: str) -> None:
    assert report.worst(verdicts) == wanted
