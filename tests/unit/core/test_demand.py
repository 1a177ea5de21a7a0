"""The class, the service catalogue and the policy together."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import demand
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.catalogue import entry_errors, judge_catalogue
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import Changed, Content
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.impact import Placed
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_catalogue, read_policy

POLICY, CATALOGUE = read_policy(), read_catalogue()
TIERS = {"acme": "multi_tenant", "delta": "dedicated"}
ESTATE = [Placed("acme", "multi_tenant", "odoo-acme", "shared"), Placed("delta", "dedicated", "odoo-delta", "dedicated")]


def content(*changed: Changed | str) -> Content:
    return Content("sha256:1", "sha256:2", [Changed(one) if isinstance(one, str) else one for one in changed], {})


SCREEN = content("addons/acme_screens/views/form.xml")
MIDDLEWARE = {"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": {"name": "limit", "namespace": "traefik"}}
CERTIFICATE = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "web", "namespace": "odoo-acme"}}


@pytest.fixture
def standard(change: dict[str, Any]) -> dict[str, Any]:
    change["release"]["content"] = {"before": "/before", "after": "/after"}
    return {**change, "class": "standard", "catalogue_entry": "module-deployment", "waivers": []}


def decide(change: dict[str, Any], given: Content | None, *, services: Any = None, targets: tuple[str, ...] = ("acme",)) -> Any:
    return demand.decide(change, given, document=POLICY, services=services or CATALOGUE, targets=targets, tiers=TIERS, estate=ESTATE)


# -- standard --------------------------------------------------------------------------------------------------------------
def test_within_its_entry_a_standard_change_needs_nobody(standard: dict[str, Any]) -> None:
    found = decide(standard, SCREEN)
    assert found.change_class == "standard"
    assert found.catalogue["entry"] == "module-deployment"
    assert demand.errors(standard, found, POLICY) == []
    assert demand.demanded(standard, found, POLICY)["approvals"] == 0


@pytest.mark.parametrize(
    ("edit", "given", "reason"),
    [
        pytest.param({}, None, "no content is given", id="no-content"),
        pytest.param({}, content(), "release.content shows no difference", id="no-difference"),
        pytest.param({"catalogue_entry": None}, SCREEN, "it names no catalogue_entry", id="no-entry"),
        pytest.param({"domain": "data"}, SCREEN, "domain is data, the entry is for application", id="another-domain"),
        pytest.param({}, content("a/models/x.py"), "a/models/x.py differ outside of the entry's paths", id="another-path"),
        pytest.param({}, content("a/views/x.xml", "a/x.py", "a/y.py"), "a/x.py and 1 more differ outside", id="two-other-paths"),
        pytest.param({}, content(*(f"a/views/{n}.xml" for n in range(51))), "51 files differ, at most 50 may", id="a-file-too-many"),
        pytest.param({"window": {"start": "2026-12-05T20:00:00Z", "duration": "PT4H1S"}}, SCREEN, "its window is PT4H1S", id="too-long"),
        pytest.param({"streams": ["config"]}, SCREEN, "it touches the stream config", id="another-stream"),
        pytest.param({"streams": ["code", "config"]}, SCREEN, "it bundles code, config", id="a-bundle"),
    ],
)
def test_beyond_its_entry_a_change_is_normal(standard: dict[str, Any], edit: dict[str, Any], given: Content | None, reason: str) -> None:
    changed = {key: value for key, value in {**standard, **edit}.items() if value is not None}
    found = decide(changed, given)
    assert found.change_class == "normal"
    assert found.catalogue is None
    assert any(told.startswith(f"normal: not the pre-approved change: {reason}") for told in found.reasons)


@pytest.mark.parametrize(
    ("key", "limit", "reason"),
    [
        ("max_tenants", 1, "it has an effect on 2 tenants, at most 1 may be"),
        ("max_modules", 0, "it updates 1 modules, at most 0 may be"),
        ("modules", ["hr_*"], "it updates acme_billing, which is outside of the entry's modules"),
    ],
)
def test_each_limit(standard: dict[str, Any], key: str, limit: Any, reason: str) -> None:
    services = deepcopy(CATALOGUE)
    services["entries"]["module-deployment"]["limits"][key] = limit
    found = decide(standard, SCREEN, services=services, targets=("acme", "delta"))
    assert f"normal: not the pre-approved change: {reason}" in found.reasons


def test_exactly_at_the_limits_it_is_standard(standard: dict[str, Any]) -> None:
    standard["window"]["duration"] = "PT4H"
    assert decide(standard, content(*(f"a/views/{n}.xml" for n in range(50)))).change_class == "standard"


def test_a_rule_is_stronger_than_an_entry(standard: dict[str, Any]) -> None:
    assert decide(standard, content("addons/account_screens/views/form.xml")).change_class == "normal"
    assert decide(standard, content("a/migrations/1/pre.py")).change_class == "data_impacting"


def test_an_entry_may_carry_a_review(standard: dict[str, Any]) -> None:
    renewal = {**standard, "catalogue_entry": "certificate-renewal", "domain": "infrastructure", "streams": ["config"]}
    renewal["release"] = {**standard["release"], "modules": []}
    given = content(Changed("certificates/acme.yml", objects=([], [CERTIFICATE])))
    found = decide(renewal, given)
    assert (found.change_class, found.reviewers) == ("standard", ())
    services = deepcopy(CATALOGUE)
    services["entries"]["certificate-renewal"]["reviewed_by"] = []
    found = decide(renewal, given, services=services)
    assert (found.change_class, found.reviewers) == ("normal", ("ingress",))


@pytest.mark.parametrize(("name", "told"), [("module-deploiment", "Did you mean module-deployment?"), ("x", "Write one of: core-update")])
def test_an_unknown_entry_is_an_error(change: dict[str, Any], name: str, told: str) -> None:
    (error,) = entry_errors({**change, "catalogue_entry": name}, CATALOGUE)
    assert told in error


def test_the_catalogue_that_ships() -> None:
    assert judge_catalogue(CATALOGUE) == []
    assert set(CATALOGUE["entries"]) == {"core-update", "module-deployment", "postgresql-maintenance", "certificate-renewal"}
    broken = deepcopy(CATALOGUE)
    broken["entries"]["core-update"]["limits"]["max_duration"] = "8 hours"
    assert judge_catalogue(broken)[0].startswith("catalogue.entries.core-update.limits.max_duration is '8 hours'")


# -- the playbook of a class ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("wanted", [None, "normal"])
def test_the_playbook_of_its_class_takes_it(change: dict[str, Any], wanted: str | None) -> None:
    assert demand.class_error(change, decide(change, SCREEN), wanted) == []


def test_a_raised_class_is_refused_with_the_reasons(change: dict[str, Any]) -> None:
    (told,) = demand.class_error(change, decide(change, content("a/migrations/1/pre.py")), "normal")
    assert told == (
        "change.class is 'normal', but the change is 'data_impacting', and this playbook is for 'normal'. "
        "data_impacting: a migration script (a/migrations/1/pre.py). "
        "Run the playbook change_data_impacting instead, or take out what raises the class."
    )


def test_another_class_is_refused(change: dict[str, Any]) -> None:
    for decided in (None, decide(change, SCREEN)):
        (told,) = demand.class_error(change, decided, "emergency")
        assert told.startswith("change.class is 'normal', and this playbook is for 'emergency'. Run the playbook of that class instead")
    assert demand.class_error({**change, "class": "urgent"}, None, "normal") == []


# -- in the plan -----------------------------------------------------------------------------------------------------------
def plan_of(change: dict[str, Any], given: Content | None) -> dict[str, Any]:
    image = "registry.lab/odoo@sha256:" + "a" * 64
    decided = decide(change, given)
    tenants = [plans.Tenant("acme", "multi_tenant", 1, "odoo-acme", "acme", "shared", image)]
    return plans.build_plan(change, tenants, policy=demand.demanded(change, decided, POLICY), decided=decided)


def test_a_shared_object_has_an_effect_on_everyone(change: dict[str, Any]) -> None:
    change.update(streams=["config"])
    plan = plan_of(change, content(Changed("traefik/limit.yml", objects=([], [MIDDLEWARE]))))
    assert plan["impact"] == TIERS
    assert plan["policy"]["groups"] == [{"group": "customer:delta", "count": 1}, {"group": "ingress", "count": 1}]
    lines = plans.describe(plan)
    assert "felt by others than the tenants below: delta" in lines
    assert "approvals: 1, among them 1 of customer:delta, 1 of ingress" in lines


def test_the_class_and_its_reasons_are_in_the_plan(change: dict[str, Any]) -> None:
    change["bundle_justification"] = "the code reads the column"
    change["waivers"] = [{"check": "wal_age_s", "reason": "moving", "owner": "alice", "expires": "2026-12-06T00:00:00Z"}]
    plan = plan_of(change, content("a/migrations/1/pre.py"))
    lines = plans.describe(plan)
    assert lines[1:4] == ["class data_impacting, raised from normal:", "  requested: normal", f"  {plan['class_reasons'][1]}"]
    assert (
        "policy 2026.1, data_impacting/application/production: gates calendars, backup, wal, read, drill, filestore, rehearsal, readiness"
        in lines
    )
    assert "waived: wal_age_s by alice until 2026-12-06T00:00:00Z: moving" in lines
    assert demand.from_plan(plan).for_plan() == {key: plan[key] for key in demand.from_plan(plan).for_plan()}


def test_a_plan_goes_on_under_a_newer_policy_that_demands_the_same(change: dict[str, Any]) -> None:
    recorded = plan_of(change, SCREEN)
    newer = {**recorded, "policy": {**recorded["policy"], "version": "2027.1", "digest": "sha256:other"}}
    assert plans.resumable(recorded, newer) == []
    assert plans.resumable(recorded, {**newer, "policy": {**newer["policy"], "approvals": 2}}) == ["policy is not what was planned"]


@pytest.mark.parametrize("requested", ["standard", "normal", "emergency", "data_impacting"])
def test_no_class_goes_without_a_restore_point(change: dict[str, Any], requested: str) -> None:
    assert "checkpointed" in plan_of({**change, "class": requested}, None)["steps"]
