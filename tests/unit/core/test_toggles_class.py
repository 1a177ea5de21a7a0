"""The class of a change with toggles, what the policy and the catalogue make of it, and how its report tells it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import demand, report, report_page
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.readiness import Case, rollback
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_catalogue, read_policy

from tests.unit.core.test_toggles import ALONE, IMAGE, STRICT, Recorded

POLICY, CATALOGUE = read_policy(), read_catalogue()
TIERS = {"acme": "multi_tenant"}


@pytest.fixture
def alone(change: dict[str, Any]) -> dict[str, Any]:
    del change["release"]
    toggles = [{"parameter": STRICT, "value": "warn"}]
    return {**change, "streams": ["config"], "toggles": toggles, "rollback": {"strategy": "previous_value", "point_of_no_return": "none"}}


def with_entry(patterns: list[str] | None) -> dict[str, Any]:
    services = deepcopy(CATALOGUE)
    entry = services["entries"]["module-deployment"]
    entry["streams"], entry["class"] = ["config"], "standard"
    if patterns is not None:
        entry["limits"]["toggles"] = patterns
    return services


def decide(change: dict[str, Any], services: dict[str, Any] | None = None) -> demand.Decided:
    return demand.decide(change, None, document=POLICY, services=services or CATALOGUE, targets=["acme"], tiers=TIERS)


def test_alone_it_is_of_the_class_that_is_asked_for(alone: dict[str, Any]) -> None:
    found = decide(alone)
    assert (found.change_class, list(found.reasons), found.streams) == ("normal", ["requested: normal"], ("config",))
    assert demand.errors(alone, found, POLICY) == []
    assert demand.demanded(alone, found, POLICY)["approvals"] == 1
    assert found.transactions == ("invoice",), "as a module named acme_billing"


@pytest.mark.parametrize(
    ("patterns", "reason"),
    [
        pytest.param(["acme_billing.*"], "", id="named"),
        pytest.param(["acme_screens.*"], f"it sets {STRICT}, which is outside of the entry's toggles", id="another"),
        pytest.param(None, f"it sets {STRICT}, which is outside of the entry's toggles", id="none"),
    ],
)
def test_standard_only_as_the_catalogue_says(alone: dict[str, Any], patterns: list[str] | None, reason: str) -> None:
    change = {**alone, "class": "standard", "catalogue_entry": "module-deployment"}
    found = decide(change, with_entry(patterns))
    assert found.change_class == ("normal" if reason else "standard")
    assert [told for told in found.reasons if "pre-approved" in told] == (
        [f"normal: not the pre-approved change: {reason}"] if reason else []
    )
    assert demand.errors(change, found, POLICY) == [], "content is not asked for"


def test_beside_a_release_it_is_a_bundle(change: dict[str, Any], alone: dict[str, Any]) -> None:
    beside = {**alone, "release": {"image": IMAGE, "modules": []}, "streams": ["code"]}
    found = decide(beside)
    assert found.streams == ("code", "config")
    assert "holds config as well" in demand.errors(beside, found, POLICY)[0]
    assert demand.errors({**beside, "bundle_justification": "one feature"}, found, POLICY) == []


def test_the_review_wants_what_comes_back(alone: dict[str, Any], policy: dict[str, Any]) -> None:
    plan = planned(alone, policy)
    of_data = Case(plan, ["the database"], [], None)  # type: ignore[arg-type]
    shared = Case(plan, ["the shared platform"], [], None)  # type: ignore[arg-type]
    assert (rollback(of_data).code, rollback(shared).code) == ("NO_WAY_BACK", "")


def planned(change: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    tenant = plans.Tenant("acme", "multi_tenant", 1, "odoo-acme", "acme", "shared", IMAGE, {STRICT: None})
    more = {"version": "1", "cell": "c", "gates": [], "groups": [], "retro_approval": "PT0S"}
    return plans.build_plan(change, [tenant], policy={**policy, **more})


def test_the_report_tells_the_values(alone: dict[str, Any], policy: dict[str, Any]) -> None:
    plan = planned(alone, policy)
    events = [Recorded("planned", None, {"plan": plan}), *(Recorded(step, "acme") for step in ALONE)]
    told = report.report(events, verified={"verdict": "pass", "msg": "whole"})  # type: ignore[arg-type]
    assert told["tenants"]["acme"]["toggles"] == [{"parameter": STRICT, "before": None, "value": "warn"}]
    assert any(f"{STRICT}: absent -> 'warn'" in line for line in told["lines"])
    assert "acme_billing.strict: absent -&gt; &#x27;warn&#x27; (acme)" in report_page.page(told)
