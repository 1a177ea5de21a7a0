"""A system parameter that a change sets: running servers go by it, and when it does harm, exactly the old value comes back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.estate import QUICK, Estate, message
from tests.support.killing import Place, assert_closed, signed, stage, strike
from tests.support.starting import new_release, run_it
from tests.support.toggling import LISTENS, STRICT, TENANTS, seen, servers, somebody_sets, stored, toggling, with_the_switch
from tests.support.unwritten import files, nothing_written

pytestmark = pytest.mark.lab

ALONE = ["started", "toggled", "tried", "released"]
BESIDE = ["started", "held", "checkpointed", "updated", "deployed", "proved", "opened", "admitted", "toggled", "tried", "released"]


def of(estate: Estate, change_id: str, tenant: str) -> list[str]:
    return [step.split(":")[1] for step in estate.steps(change_id) if step.startswith(f"{tenant}:")]


def evidence(estate: Estate, change_id: str, event: str, tenant: str = "acme") -> dict[str, Any]:
    (found,) = [e["evidence"] for e in estate.events(change_id) if (e["event"], e["tenant"]) == (event, tenant)]
    return dict(found)


def test_running_servers_go_by_the_new_value(estate: Estate, change_id: str) -> None:
    with_the_switch(estate, change_id)
    assert seen(estate) is None, "the server has cached that there is none"
    before = servers(estate)
    change = toggling(estate, change_id, "warn")
    code, out = estate.run_change(change)
    assert code == 0, out[-6000:]
    assert f"{STRICT}: absent -> 'warn'" in out, "the plan shows it"
    assert {name: seen(estate, name) for name in TENANTS} == dict.fromkeys(TENANTS, "warn")
    assert servers(estate) == before, "no server was started anew"
    assert [of(estate, change_id, name) for name in TENANTS] == [ALONE, ALONE]
    steps = estate.steps(change_id)
    assert steps.index("acme:released") < steps.index("bravo:started")
    assert evidence(estate, change_id, "toggled")["toggles"] == [{"parameter": STRICT, "before": None, "value": "warn"}]
    assert evidence(estate, change_id, "tried")["verdict"] == "pass"
    assert_closed(estate, change_id, "succeeded")

    code, out = estate.run(estate.change_command(change), f"{change_id}-again")
    assert code == 0, out[-4000:]
    assert estate.steps(change_id) == steps, "a second run records nothing new"
    assert all(" changed=0 " in line for line in out.split("PLAY RECAP")[1].splitlines() if "changed=" in line)


def test_check_mode_tells_and_writes_nothing(estate: Estate, change_id: str) -> None:
    with_the_switch(estate, change_id, "warn")
    command = estate.change_command(toggling(estate, change_id, None), "--check", "--diff")
    before = files(estate.root)
    with nothing_written(estate.site):
        code, out = estate.run(command, change_id)
        assert code == 0, out[-4000:]
    assert files(estate.root) == before
    assert f"{STRICT}: 'warn' -> absent" in out
    assert "toggle-" in out, "the Job that would do it is in the difference"
    assert stored(estate) == [("warn",)]


@pytest.mark.parametrize("before", [pytest.param(None, id="absent-before"), pytest.param("look", id="another-value-before")])
def test_a_toggle_that_breaks_posting_is_put_back(
    estate: Estate, change_id: str, state: Callable[[], dict[str, Any]], before: str | None
) -> None:
    with_the_switch(estate, change_id, before)
    assert seen(estate) == before
    was = [(row["key"], row["value"]) for row in parameters(estate)]
    code, out = estate.run_change(toggling(estate, change_id, "refuse"))
    assert code != 0
    assert of(estate, change_id, "acme") == ["started", "toggled", "failed", "rolled_back"], out[-6000:]
    assert of(estate, change_id, "bravo") == [], "later cohorts stay untouched"
    failure = evidence(estate, change_id, "failed")
    assert failure["step"] == "tried"
    assert "Acme strict posting" in json.dumps(failure)
    assert evidence(estate, change_id, "rolled_back")["layers"] == ["toggles"]
    assert evidence(estate, change_id, "rolled_back")["parameters"] == {STRICT: before}
    assert [(row["key"], row["value"]) for row in parameters(estate)] == was
    assert seen(estate) == before, "the running server goes by the old value again"
    assert_closed(estate, change_id, "failed")


def parameters(estate: Estate) -> list[dict[str, Any]]:
    rows = estate.sql("acme", "SELECT key, value FROM ir_config_parameter WHERE key LIKE 'acme%' ORDER BY key")
    return [{"key": key, "value": value} for key, value in rows]


KILLED = [
    Place("before it is set", event="acme:started", unrecorded="acme:toggled"),
    Place("in the Job", ("Step | Act (toggled)", "Apply | toggle_job"), after_s=0.5, unrecorded="acme:toggled"),
    Place("as it is tried", event="acme:toggled", unrecorded="acme:tried"),
    Place("before it is through", event="acme:tried", unrecorded="acme:released"),
]


def test_a_value_that_somebody_changed_stops_it(estate: Estate, change_id: str) -> None:
    with_the_switch(estate, change_id)
    change = toggling(estate, change_id, "warn")
    command = signed(estate, change)
    somebody_sets(estate, "look")
    code, out = estate.run(command, f"{change_id}-signed")
    assert code != 0
    assert "The plan has changed since. Read the new one and approve that." in message(out)

    estate.sign(change_id)
    stage(estate, change, "approve")
    somebody_sets(estate, "other")
    code, out = estate.run(command, f"{change_id}-approved")
    assert code != 0
    assert f"toggle:{STRICT} is 'other', wanted 'look'. Somebody has changed it since the plan was made." in message(out)
    assert of(estate, change_id, "acme") == [], "untouched"

    somebody_sets(estate, "look")
    strike(estate, command, change_id, KILLED[:1])
    somebody_sets(estate, "other")
    code, out = estate.run(command, change_id)
    assert code != 0
    assert f"toggle:{STRICT} is 'other', wanted 'look' or 'warn'." in message(out)
    assert of(estate, change_id, "acme") == ["started", "failed", "rolled_back"]
    assert evidence(estate, change_id, "rolled_back")["parameters"] == {STRICT: "other"}
    assert stored(estate) == [("other",)], "what somebody set stays"


def test_killed_at_every_step_it_comes_to_the_same_end(estate: Estate, change_id: str) -> None:
    with_the_switch(estate, change_id)
    command = signed(estate, toggling(estate, change_id, "warn"))
    strike(estate, command, change_id, KILLED)
    code, out = estate.run(command, change_id)
    assert code == 0, out[-6000:]
    counted = Counter(step for step in estate.steps(change_id) if ":" in step)
    assert counted == Counter(f"{name}:{step}" for name in TENANTS for step in ALONE), "every step is recorded once"
    assert {name: seen(estate, name) for name in TENANTS} == dict.fromkeys(TENANTS, "warn")
    assert_closed(estate, change_id, "succeeded")


BACK = [
    Place("as it fails", event="acme:failed", unrecorded="acme:rolled_back"),
    Place("in the Job that puts it back", ("Rollback toggles | Read what the tenant runs", "Apply | toggle_job"), after_s=0.5),
]


def test_a_way_back_that_is_killed_comes_to_the_same_end(estate: Estate, change_id: str) -> None:
    with_the_switch(estate, change_id, "look")
    command = signed(estate, toggling(estate, change_id, "refuse"))
    strike(estate, command, change_id, BACK)
    code, out = estate.run(command, change_id)
    assert code != 0
    assert Counter(estate.steps(change_id))["acme:rolled_back"] == 1, out[-4000:]
    assert (stored(estate), seen(estate)) == ([("look",)], "look")
    assert_closed(estate, change_id, "failed")


def test_a_tenant_that_is_through_can_be_put_back_while_the_change_is_open(estate: Estate, change_id: str) -> None:
    with_the_switch(estate, change_id)
    change = toggling(estate, change_id, "warn")
    signed(estate, change)
    for name in ("approve", "apply"):
        stage(estate, change, name)
    assert {name: seen(estate, name) for name in TENANTS} == dict.fromkeys(TENANTS, "warn")
    somebody_sets(estate, "look", "bravo")
    _code, out = estate.run(estate.change_command(change, playbook="change_rollback"), f"{change_id}-rollback")
    assert of(estate, change_id, "acme") == [*ALONE, "failed", "rolled_back"], out[-4000:]
    assert (stored(estate), seen(estate)) == ([], None)
    assert stored(estate, "bravo") == [("look",)], "what somebody set since stays"
    assert evidence(estate, change_id, "rolled_back", "bravo")["parameters"] == {STRICT: "look"}
    assert_closed(estate, change_id, "failed")


def test_beside_a_release_the_feature_comes_after_the_code(estate: Estate, change_id: str) -> None:
    away_from_it(estate, change_id)
    somebody_sets(estate, None)
    code, out = run_bundle(estate, toggling(estate, change_id, "warn", release=True, **QUICK))
    assert code == 0, out[-6000:]
    assert [of(estate, change_id, name) for name in TENANTS] == [BESIDE, BESIDE]
    assert {name: seen(estate, name) for name in TENANTS} == dict.fromkeys(TENANTS, "warn")
    assert run_it(estate, TENANTS, LISTENS) == TENANTS
    assert_closed(estate, change_id, "succeeded")


def test_beside_a_release_a_bad_toggle_goes_and_the_code_stays(estate: Estate, change_id: str) -> None:
    away_from_it(estate, change_id)
    somebody_sets(estate, None)
    tried_only = estate.policy(change_id, without_comparison)  # the canary of the release is not what this is about
    code, out = run_bundle(estate, toggling(estate, change_id, "refuse", release=True), *tried_only)
    assert code != 0
    assert of(estate, change_id, "acme") == [*BESIDE[:9], "failed", "rolled_back"], out[-6000:]
    assert evidence(estate, change_id, "failed")["step"] == "tried"
    assert evidence(estate, change_id, "rolled_back")["layers"] == ["toggles"]
    assert (stored(estate), seen(estate)) == ([], None)
    assert run_it(estate, TENANTS, LISTENS) == ["acme"], "the canary cohort keeps the release, and later cohorts stay untouched"
    assert_closed(estate, change_id, "failed")


def without_comparison(policy: dict[str, Any]) -> None:
    for profile in policy["profiles"].values():  # of all: production may not be weaker than what comes before it
        if profile.get("strategy") == "canary":
            profile["strategy"] = "smoke"


def run_bundle(estate: Estate, change: dict[str, Any], *args: str) -> tuple[int, str]:
    """Code and configuration at once: two people approve."""
    _code, out = estate.run(estate.change_command(change, *args), f"{change['id']}-plan")
    assert estate.events(change["id"]), out[-4000:]
    for person in ("approver-1", "approver-2"):
        estate.sign(change["id"], by=person)
    return estate.run(estate.change_command(change, *args), change["id"])


def away_from_it(estate: Estate, change_id: str) -> None:
    """A change to the release that listens is a real one for every tenant of these tests."""
    if run_it(estate, TENANTS, LISTENS):
        away = new_release(estate, change_id.replace("TST", "GO"), tenants=":".join(TENANTS))
        code, out = estate.run_change(estate.change(change_id.replace("TST", "SET"), away, tenants=":".join(TENANTS), **QUICK))
        assert code == 0, out[-4000:]
