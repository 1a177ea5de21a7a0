"""What may be a toggle, what a tenant goes through with it, what its database must have, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import guard, overview, progress, toggles
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import explain, judge_change
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.change_schema import violations

STRICT = "acme_billing.strict"
IMAGE = "registry.lab/odoo@sha256:" + "a" * 64
OTHER = "registry.lab/odoo@sha256:" + "c" * 64
ALONE = ["started", "toggled", "tried", "released"]
BESIDE = ["started", "held", "checkpointed", "updated", "deployed", "proved", "opened", "admitted", "toggled", "tried", "released"]


@dataclass(frozen=True)
class Recorded:
    event: str
    tenant: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    at: str = "2026-12-05T20:00:00Z"
    actor: str = "ops-2"


@pytest.fixture
def beside(change: dict[str, Any]) -> dict[str, Any]:
    more = {"toggles": [{"parameter": STRICT, "value": "warn"}], "streams": ["code", "config"], "bundle_justification": "one feature"}
    return {**change, **more}


@pytest.fixture
def alone(beside: dict[str, Any]) -> dict[str, Any]:
    change = {key: value for key, value in beside.items() if key not in ("release", "bundle_justification")}
    return {**change, "streams": ["config"], "rollback": {"strategy": "previous_value", "point_of_no_return": "none"}}


def planned(change: dict[str, Any], policy: dict[str, Any], *, image: str = IMAGE, before: str | None = None) -> dict[str, Any]:
    names = ("acme", "bravo")
    tenants = [plans.Tenant(n, "multi_tenant", 1, f"odoo-{n}", n, "shared", image, {STRICT: before}) for n in names]
    return plans.build_plan(change, tenants, policy=policy)


def errors(change: dict[str, Any]) -> list[str]:
    found = [line for violation in violations(change) for line in explain(violation)]
    return found + judge_change(change, tenants=["acme"], unmatched=[], now=None)


# -- the change file -------------------------------------------------------------------------------------------------------
def test_toggles_are_valid_alone_and_beside_a_release(alone: dict[str, Any], beside: dict[str, Any]) -> None:
    assert errors(alone) == []
    assert errors({**alone, "toggles": [{"parameter": STRICT, "value": None}]}) == []
    assert errors(beside) == []


@pytest.mark.parametrize(
    "parameter",
    [
        "database.secret",
        "database.uuid",
        "Database.UUID",
        "mail.password",
        "acme.smtp_passwd",
        "acme.PWD",
        "payment.api_key",
        "acme.apikey",
        "auth.access_token",
        "acme.credentials",
        "acme.private",
        "google.client_secret",
    ],
)
def test_what_may_hold_a_secret_is_refused(alone: dict[str, Any], parameter: str) -> None:
    (told,) = errors({**alone, "toggles": [{"parameter": parameter, "value": "hunter2"}]})
    assert told.startswith(f"change.toggles names {parameter}, which ")
    assert "hunter2" not in told


@pytest.mark.parametrize("parameter", ["acme_billing.strict", "sale.automatic_invoice", "web.base.url.freeze", "mail.catchall.domain", "x"])
def test_what_cannot_is_not(parameter: str) -> None:
    assert toggles.refused(parameter) == ""


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param([], "change.toggles is empty. Write at least one entry.", id="none"),
        pytest.param("x", "change.toggles is 'x'. Write a list.", id="no-list"),
        pytest.param(["x"], "change.toggles.0 is 'x'. Write a mapping.", id="no-mapping"),
        pytest.param([{"parameter": STRICT}], "change.toggles.0.value is missing. Write a text of 1 to 1000 characters", id="no-value"),
        pytest.param([{"parameter": STRICT, "value": 1}], "change.toggles.0.value is 1. Write a text in quotes or null.", id="a-number"),
        pytest.param([{"parameter": STRICT, "value": True}], "change.toggles.0.value is True. Write a text in quotes or null.", id="yes"),
        pytest.param([{"parameter": STRICT, "value": ""}], "change.toggles.0.value is ''. Write a text of 1 to", id="empty"),
        pytest.param([{"parameter": STRICT, "value": "x" * 1001}], "change.toggles.0.value is 'xxx", id="a-document"),
        pytest.param([{"parameter": "a b", "value": "1"}], "change.toggles.0.parameter is 'a b'. Write the key of", id="a-blank"),
        pytest.param([{"parameter": STRICT, "value": v} for v in "ab"], f"change.toggles sets {STRICT} twice.", id="twice"),
    ],
)
def test_what_is_wrong_with_toggles_is_told(alone: dict[str, Any], given: Any, wanted: str) -> None:
    (told,) = errors({**alone, "toggles": given})
    assert told.startswith(wanted)


def test_a_change_brings_something_and_knows_its_way_back(alone: dict[str, Any], beside: dict[str, Any]) -> None:
    nothing = {key: value for key, value in alone.items() if key != "toggles"}
    assert "change.release is missing. Write a mapping, or toggles" in errors(nothing)[0]
    image_back = {"strategy": "previous_image", "point_of_no_return": "none"}
    assert errors({**alone, "rollback": image_back}) == [
        "change.rollback.strategy is 'previous_image', and this is a change of toggles alone. Write previous_value."
    ]
    assert errors({**beside, "rollback": alone["rollback"]}) == [
        "change.rollback.strategy is 'previous_value', and this is a change with a release. Write previous_image."
    ]


# -- the plan --------------------------------------------------------------------------------------------------------------
def test_the_steps_of_a_tenant(alone: dict[str, Any], beside: dict[str, Any], change: dict[str, Any], policy: dict[str, Any]) -> None:
    assert planned(alone, policy)["steps"] == ALONE
    assert planned(beside, policy)["steps"] == BESIDE
    assert planned(change, policy)["steps"] == list(plans.STEPS), "a release without toggles is as it was"
    assert set(BESIDE) == set(plans.EVERY_STEP)
    assert [planned(one, policy)["rollback"]["layers"] for one in (alone, beside)] == [
        ["toggles"],
        ["image", "database", "filestore", "toggles"],
    ]


def test_the_plan_shows_both_values_and_its_digest_covers_them(alone: dict[str, Any], policy: dict[str, Any]) -> None:
    plan = planned(alone, policy)
    entry = plan["tenants"]["acme"]
    assert entry["toggles"] == [{"parameter": STRICT, "before": None, "value": "warn"}]
    assert (entry["from"], entry["to"], entry["modules"]) == (IMAGE, IMAGE, [])
    digests = {plans.plan_digest(planned(alone, policy, before=before)) for before in (None, "", "off", "warn")}
    assert len(digests) == 4
    shown = [toggles.shown(planned(alone, policy, before=before)["tenants"]["acme"]["toggles"][0]) for before in (None, "", "off")]
    assert shown == [f"{STRICT}: absent -> 'warn'", f"{STRICT}: '' -> 'warn'", f"{STRICT}: 'off' -> 'warn'"]


def test_the_plan_in_lines(alone: dict[str, Any], beside: dict[str, Any], policy: dict[str, Any]) -> None:
    more = {"version": "1", "cell": "c", "gates": [], "groups": [], "retro_approval": "PT0S"}
    lines = [plans.describe(planned(one, {**policy, **more})) for one in (alone, beside)]
    assert all(f"    {STRICT}: absent -> 'warn'" in found for found in lines)
    assert "  acme: stays on registry.lab/odoo@aaaaaaaaaaaa" in lines[0]
    assert any(line.startswith("  acme: registry.lab/odoo@aaaaaaaaaaaa -> registry.lab/odoo@bbbbbbbbbbbb") for line in lines[1])


def test_a_recorded_plan_goes_on_when_the_value_is_set(alone: dict[str, Any], beside: dict[str, Any], policy: dict[str, Any]) -> None:
    for change in (alone, beside):
        recorded = planned(change, policy)
        assert plans.resumable(recorded, planned(change, policy, before="warn")) == []
        other = {**change, "toggles": [{"parameter": STRICT, "value": "refuse"}]}
        assert "tenants is not what was planned" in plans.resumable(recorded, planned(other, policy))


def test_what_nobody_read_is_named(alone: dict[str, Any]) -> None:
    assert toggles.unread(alone, {}) == [STRICT]
    assert toggles.unread(alone, {STRICT: None}) == []


# -- what the database has -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seen", "before", "fitting"),
    [
        pytest.param(None, None, {"anything", "before", "either", "undone"}, id="absent-as-before"),
        pytest.param("warn", None, {"anything", "either", "value"}, id="set"),
        pytest.param("off", None, {"anything", "undone"}, id="somebody-elses"),
        pytest.param("", None, {"anything", "undone"}, id="empty-is-not-absent"),
        pytest.param("warn ", "warn", {"anything", "undone"}, id="a-blank-more"),
        pytest.param("warn", "warn", {"anything", "before", "either", "value", "undone"}, id="it-always-was"),
        pytest.param("https://me:hunter2@example.org", None, set(), id="a-password"),
        pytest.param("mode of hunter2", None, set(), id="a-secret-of-the-run"),
        pytest.param("mode of ***", None, set(), id="what-was-hidden-before"),
        pytest.param(None, "***", set(), id="a-plan-in-which-something-is-hidden"),
    ],
)
def test_each_expectation(seen: str | None, before: str | None, fitting: set[str]) -> None:
    planned = [{"parameter": STRICT, "before": before, "value": "warn"}]
    found = {expect: toggles.judge(planned, {STRICT: seen}, expect=expect, secrets=["hunter2"])[0] for expect in toggles.EXPECTATIONS}
    assert {expect for expect, check in found.items() if check.ok} == fitting
    codes = {"value": "TOGGLE_NOT_SET", "undone": "TOGGLE_NOT_BACK"}
    for expect in set(found) - fitting:
        wanted = codes.get(expect, "TOGGLE_DRIFT") if fitting else "TOGGLE_SECRET"
        assert (found[expect].ok, found[expect].code) == (False, wanted)
        assert found[expect].hint
    assert "hunter2" not in str(found)


# -- the way back ----------------------------------------------------------------------------------------------------------
def undone(plan: dict[str, Any], *events: str, closed: bool = False) -> list[str]:
    state = progress.tenant_state([Recorded(e, "acme") for e in events], "acme", plan["steps"])
    return toggles.undo(plan, state, closed=closed, checkpoint="checkpointed" in events)


@pytest.mark.parametrize("done", range(len(ALONE) + 1))
def test_alone_they_come_back_until_the_change_is_closed(alone: dict[str, Any], policy: dict[str, Any], done: int) -> None:
    plan = planned(alone, policy)
    assert undone(plan, *ALONE[:done]) == ["toggles"]
    assert undone(plan, *ALONE[:done], "failed") == ["toggles"]
    assert undone(plan, *ALONE[:done], "failed", "rolled_back") == []
    assert undone(plan, *ALONE[:done], closed=True) == []


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        ("started", ["image"]),
        ("held", ["image"]),
        ("checkpointed", ["image", "database", "filestore"]),
        ("proved", ["image", "database", "filestore"]),
        ("opened", []),
        ("admitted", ["toggles"]),
        ("tried", ["toggles"]),
        ("released", ["toggles"]),
    ],
)
def test_beside_a_release_either_comes_back(beside: dict[str, Any], policy: dict[str, Any], last: str, wanted: list[str]) -> None:
    assert undone(planned(beside, policy), *BESIDE[: BESIDE.index(last) + 1]) == wanted


@pytest.mark.parametrize(("modules", "opened"), [(["acme_billing"], []), ([], ["image"])])
def test_a_release_without_toggles_comes_back_as_before(
    change: dict[str, Any], policy: dict[str, Any], modules: list[str], opened: list[str]
) -> None:
    change["release"]["modules"] = modules
    plan = planned(change, policy)
    layers = ["image", "database", "filestore"] if modules else ["image"]
    assert undone(plan, "started") == ["image"]
    assert undone(plan, *plan["steps"][:-2]) == layers
    assert undone(plan, *plan["steps"][:-1]) == opened
    assert undone(plan, *plan["steps"]) == []


def test_the_guard_lets_a_released_tenant_back_while_there_is_something_to_undo(alone: dict[str, Any], policy: dict[str, Any]) -> None:
    plan = planned(alone, policy)
    state = progress.tenant_state([Recorded(e, "acme") for e in ALONE], "acme", plan["steps"])
    for undo, settled in ((["toggles"], False), ([], True)):
        checks = guard.rollback_checks(alone, plan, None, state, undo=undo)
        assert [check.code for check in checks if not check.ok] == (["SETTLED"] if settled else [])


def test_users_were_away_until_they_were_let_in_and_not_until_the_toggle_was_back() -> None:
    times = {"held": 0, "opened": 5, "admitted": 6, "failed": 30, "rolled_back": 40}
    events = [Recorded(name, "acme", {}, f"2026-12-05T20:00:{second:02d}Z") for name, second in times.items()]
    assert overview._tenant("acme", events)["users_away_s"] == 5.0
