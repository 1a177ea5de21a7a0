from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import progress

IMAGE = "registry.lab/odoo@sha256:" + "a" * 64


@dataclass(frozen=True)
class Recorded:
    event: str
    tenant: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


def tenant(name: str, cohort: int, stanza: str = "shared") -> plans.Tenant:
    return plans.Tenant(name, "multi_tenant", cohort, f"odoo-{name}", name, stanza, IMAGE)


TENANTS = [tenant("cedar", 2), tenant("acme", 1), tenant("bravo", 2), tenant("delta", 3, "dedicated")]


@pytest.fixture
def plan(change: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    return plans.build_plan(change, TENANTS, policy=policy)


def did(name: str, *events: str) -> list[Recorded]:
    return [Recorded(e, name) for e in events]


def test_cohorts_go_by_number_and_name(plan: dict[str, Any]) -> None:
    assert plan["cohorts"] == [["acme"], ["bravo", "cedar"], ["delta"]]
    assert plan["gate_hosts"] == {"shared": "acme", "dedicated": "delta"}


def test_each_cluster_is_held_to_the_strictest_of_its_tenants(change: dict[str, Any], policy: dict[str, Any]) -> None:
    promised = {
        "multi_tenant": {"rto": "PT4H", "rpo": "PT1H", "drill": "P90D"},
        "dedicated": {"rto": "PT2H", "rpo": "PT2H", "drill": "P14D"},
    }
    delta = dataclasses.replace(TENANTS[-1], tier="dedicated", stanza="shared")
    demands = {**policy, "drill_max_age": "P30D", "objectives": promised}
    mixed = plans.build_plan(change, [*TENANTS[:-1], delta], policy=demands)
    assert mixed["objectives"] == {"shared": {"rto": "PT2H", "rpo": "PT1H", "drill": "P14D"}}
    apart = plans.build_plan(change, TENANTS, policy=demands)
    assert apart["objectives"]["shared"] == {"rto": "PT4H", "rpo": "PT1H", "drill": "P30D"}, "the policy's own age of a drill is shorter"
    assert plans.build_plan(change, TENANTS, policy={**policy, "objectives": {}})["objectives"] == {"shared": {}, "dedicated": {}}


def test_the_digest_does_not_depend_on_the_order_of_the_inventory(
    change: dict[str, Any], policy: dict[str, Any], plan: dict[str, Any]
) -> None:
    assert plans.plan_digest(plans.build_plan(change, TENANTS[::-1], policy=policy)) == plans.plan_digest(plan)


@pytest.mark.parametrize("key", ["title", "impact", "owner"])
def test_the_digest_changes_with_every_word_of_the_change(
    change: dict[str, Any], policy: dict[str, Any], plan: dict[str, Any], key: str
) -> None:
    change[key] += "!"
    assert plans.plan_digest(plans.build_plan(change, TENANTS, policy=policy)) != plans.plan_digest(plan)


def test_a_module_update_makes_the_rollback_bring_the_database_back(
    change: dict[str, Any], policy: dict[str, Any], plan: dict[str, Any]
) -> None:
    assert plan["rollback"]["layers"] == ["image", "database", "filestore"]
    change["release"]["modules"] = []
    bare = plans.build_plan(change, TENANTS, policy=policy)
    assert bare["rollback"]["layers"] == ["image"]
    assert "updated" not in bare["steps"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("acme", True), ("bravo", True), ("cedar", False), ("delta", True), ("nobody", False)],
)
def test_one_backup_for_each_cluster_and_cohort(plan: dict[str, Any], name: str, wanted: bool) -> None:
    assert plans.takes_backup(name, plan) is wanted


def test_a_recorded_plan_goes_on_when_only_the_running_images_differ(
    change: dict[str, Any], policy: dict[str, Any], plan: dict[str, Any]
) -> None:
    moved = [plans.Tenant(**{**vars(t), "image": change["release"]["image"]}) for t in TENANTS]
    assert plans.resumable(plan, plans.build_plan(change, moved, policy=policy)) == []
    assert plans.resumable(plan, plans.build_plan(change, TENANTS[:2], policy=policy)) != []


def test_what_the_inventory_lacks_is_named() -> None:
    found, errors = plans.tenant_from_inventory("acme", {"tenant_cohort": "first"}, ["all"], None)
    assert found is None
    assert len(errors) == 6
    assert all(e.startswith("tenant acme: ") for e in errors)


STEPS = plans.STEPS


@pytest.mark.parametrize(
    ("events", "next_step", "settled"),
    [
        pytest.param([], "started", False, id="untouched"),
        pytest.param(did("acme", "started", "held"), "checkpointed", False, id="under-way"),
        pytest.param(did("acme", *STEPS), "nothing", True, id="released"),
        pytest.param(did("acme", "started", "held", "failed"), "rollback", False, id="failed"),
        pytest.param(did("acme", "started", "failed", "rolled_back"), "nothing", True, id="rolled-back"),
        pytest.param(did("acme", *STEPS, "failed"), "rollback", True, id="rollback-of-a-released-tenant"),
        pytest.param(did("bravo", *STEPS), "started", False, id="another-tenant"),
    ],
)
def test_tenant_state(events: list[Recorded], next_step: str, settled: bool) -> None:
    state = progress.tenant_state(events, "acme", STEPS)
    assert (state.next, state.settled) == (next_step, settled)


@pytest.mark.parametrize(
    ("events", "tenant_name", "reason"),
    [
        pytest.param([], "acme", None, id="canary-first"),
        pytest.param([], "bravo", "not released yet", id="second-waits"),
        pytest.param(did("acme", *STEPS), "bravo", None, id="second-after-first"),
        pytest.param(did("acme", "started", "failed", "rolled_back"), "bravo", "failed", id="failed-canary-ends-it"),
        pytest.param(did("acme", *STEPS) + did("bravo", *STEPS), "delta", "cedar", id="one-of-the-cohort-missing"),
        pytest.param([], "nobody", "not in the plan", id="stranger"),
        pytest.param(did("acme", *STEPS) + did("bravo", "started", "failed"), "cedar", "same cohort", id="fellow-failed-before-it-began"),
        pytest.param(
            did("acme", *STEPS) + did("bravo", "started", "failed") + did("cedar", "started"),
            "cedar",
            None,
            id="fellow-failed-while-it-is-under-way",
        ),
    ],
)
def test_may_start(plan: dict[str, Any], events: list[Recorded], tenant_name: str, reason: str | None) -> None:
    found = progress.may_start(tenant_name, plan, progress.states(events, plan))
    assert (found is None) if reason is None else reason in str(found)


def test_outcome_and_settling(plan: dict[str, Any]) -> None:
    events = did("acme", *STEPS) + did("bravo", "started", "failed", "rolled_back") + did("cedar", "started")
    of = progress.states(events, plan)
    assert progress.outcome(plan, of) == "failed"
    assert not progress.cohort_settled("bravo", plan, of)
    assert progress.under_way(of)
    of = progress.states(events + did("cedar", *STEPS), plan)
    assert progress.cohort_settled("bravo", plan, of)
    assert not progress.under_way(of)
    everything = [e for names in plan["cohorts"] for name in names for e in did(name, *STEPS)]
    assert progress.outcome(plan, progress.states(everything, plan)) == "succeeded"
    assert progress.outcome(plan, progress.states([], plan)) == "open"
