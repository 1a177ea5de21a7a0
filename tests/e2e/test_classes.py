"""The classes beside the normal one, each through the real site: what makes them different, and that the evidence is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.estate import QUICK, Estate, freeze, message
from tests.support.starting import new_release, start_elsewhere

pytestmark = pytest.mark.lab

NO_UPDATE = ["started", "held", "checkpointed", "deployed", "proved", "opened", "released"]


def run(estate: Estate, change: dict[str, Any], playbook: str, *args: str) -> tuple[int, str]:
    return estate.run(estate.change_command(change, *args, playbook=playbook), f"{change['id']}-{playbook}")


def refusal(estate: Estate, change: dict[str, Any], playbook: str, *args: str) -> str:
    code, out = run(estate, change, playbook, *args)
    assert code != 0, out[-4000:]
    return message(out)


def of(estate: Estate, change_id: str, event: str) -> list[dict[str, Any]]:
    return [e["evidence"] for e in estate.events(change_id) if e["event"] == event]


def report(estate: Estate, change_id: str) -> dict[str, Any]:
    return dict(json.loads(estate.report(change_id).read_text()))


# -- standard ----------------------------------------------------------------------------------------------------------
def standard(estate: Estate, change_id: str, before: str, after: str, **other: Any) -> dict[str, Any]:
    entry = {"class": "standard", "catalogue_entry": "module-deployment"}
    change = estate.change(change_id, after, tenants="bravo", **entry, **QUICK, **other)
    change["release"] |= {"modules": [], "content": estate.content(before, after)}
    return change


def test_a_standard_change_runs_unattended(estate: Estate, change_id: str) -> None:
    start_elsewhere(estate, change_id, "texts", tenants="bravo")
    change = standard(estate, change_id, "1", "texts")
    code, out = run(estate, change, "change_standard")
    assert code == 0, out[-6000:]
    assert estate.steps(change_id) == ["planned", "gated", *(f"bravo:{step}" for step in NO_UPDATE), "verified", "closed"]
    plan = estate.planned(change_id)["plan"]
    assert (plan["class"], plan["catalogue"]["entry"], plan["policy"]["approvals"]) == ("standard", "module-deployment", 0)
    assert of(estate, change_id, "proved")[0]["verdict"] == "pass"
    assert set(estate.images("bravo").values()) == {change["release"]["image"]}
    assert (report(estate, change_id)["result"], report(estate, change_id)["approved_by"]) == ("succeeded", [])


def test_a_migration_is_no_standard_change_whatever_it_is_called(estate: Estate, change_id: str) -> None:
    """R006: the class comes from the difference, and the reason names the file."""
    said = refusal(estate, standard(estate, change_id, "1", "2", bundle_justification="none"), "change_standard")
    assert "the change is 'data_impacting'" in said
    assert "a migration script (addons/acme_billing/migrations/19.0.2.0.0/pre-settlement.py)" in said
    assert "Run the playbook change_data_impacting instead" in said
    assert estate.events(change_id) == []


# -- data impacting ----------------------------------------------------------------------------------------------------
def short_soak(policy: dict[str, Any]) -> None:
    policy["profiles"]["guarded"]["soak"] = "PT5S"


@pytest.mark.quiet
def test_a_data_impacting_change_needs_two_people(estate: Estate, change_id: str) -> None:
    start_elsewhere(estate, change_id, "6", tenants="acme")
    bundle = {"streams": ["code", "database"], "bundle_justification": "the code reads the table that the migration makes"}
    change = estate.change(change_id, "6", tenants="acme", **bundle)
    change["release"]["content"] = estate.content("2", "6")
    assert "the change is 'data_impacting'" in refusal(estate, change, "change_normal")

    change["class"] = "data_impacting"
    policy = estate.policy(change_id, short_soak)
    said = refusal(estate, change, "change_plan", *policy)
    assert "rehearsal_age_s is {'acme': 'NOT_REHEARSED'}" in said
    command = estate.change_command(change, *policy, *estate.odoo_on_copies(), playbook="change_data_impacting")
    code, out = estate.run(command, f"{change_id}-plan")
    (rehearsed,) = of(estate, change_id, "rehearsed")
    assert (rehearsed["verdict"], rehearsed["tenant"]) == ("pass", "acme"), rehearsed["msg"]
    assert rehearsed["plan_digest"] == rehearsed["rehearsal"]["digest"] == estate.planned(change_id)["digest"]
    assert rehearsed["rehearsal"]["rows"]["acme_update_log"], "what the migration writes"
    assert code != 0, "nobody has approved it"
    assert "approvals is 0" in message(out)
    estate.sign(change_id)
    code, out = estate.run(command, f"{change_id}-one")
    assert code != 0
    assert "approved" not in estate.steps(change_id), "one person is not enough"
    assert "approvals is 1" in message(out)

    estate.sign(change_id, by="approver-2")
    code, out = estate.run(command, change_id)
    assert code == 0, out[-6000:]
    assert report(estate, change_id)["approved_by"] == ["approver-1", "approver-2"]
    assert estate.planned(change_id)["plan"]["policy"]["waivable"] == []
    assert [e["verdict"] for e in of(estate, change_id, "verified")] == ["pass"]
    assert of(estate, change_id, "checkpointed")[0]["checkpoint"]
    assert len(of(estate, change_id, "rehearsed")) == 1, "it counts for every later run"


def test_a_change_that_does_not_go_well_on_a_copy_is_stopped(estate: Estate, change_id: str) -> None:
    """Posting fails on the copy, so the tenant itself is not touched; and the failure stays in the way of the same plan."""
    change = {**estate.change(change_id, "4", tenants="cedar", streams=["database"]), "class": "data_impacting"}
    running = estate.images("cedar")
    said = refusal(estate, change, "change_data_impacting", *estate.odoo_on_copies())
    assert "invoice.post" in said
    assert estate.steps(change_id) == ["planned", "rehearsed"]
    assert of(estate, change_id, "rehearsed")[0]["verdict"] == "fail"
    said = refusal(estate, change, "change_plan")
    assert "REHEARSAL_FAILED" in said
    assert estate.images("cedar") == running


# -- emergency: S23, a critical patch inside a freeze --------------------------------------------------------------------
def owed_at_once(policy: dict[str, Any]) -> None:
    policy["profiles"]["urgent"]["approvals"]["retro"] = "PT1S"


def test_a_critical_patch_goes_through_a_freeze_and_is_owed_an_approval(estate: Estate, change_id: str) -> None:
    release = new_release(estate, change_id, tenants="cedar")
    numbers = [f"{change_id}{n}" for n in (1, 2)]
    closing = freeze("month end", emergency="allowed")

    normal = estate.change(numbers[0], release, tenants="cedar", **QUICK)
    said = refusal(estate, normal, "change_normal", *estate.calendars(numbers[0], closing))
    assert "month end" in said, "a normal change waits for the end of the freeze"
    assert estate.steps(numbers[0]) == ["planned", "gated"]

    patch = estate.change(change_id, release, tenants="cedar", **{"class": "emergency"}, impact="CVE-2026-0001 is being exploited")
    policy = estate.policy(change_id, owed_at_once)
    payroll = freeze("payroll")
    said = refusal(estate, patch, "change_emergency", *policy, *estate.calendars(change_id, closing, payroll))
    assert "payroll" in said and "month end" not in said, "only a rule that says so lets an emergency through"

    command = estate.change_command(patch, *policy, *estate.calendars(change_id, closing), playbook="change_emergency")
    estate.run(command, f"{change_id}-plan")
    assert "cedar:started" not in estate.steps(change_id), "an emergency is approved by a second person, too"
    estate.sign(change_id)
    try:
        code, out = estate.run(command, change_id)
        assert code == 0, out[-6000:]
        assert_same_evidence(estate, change_id, normal)
        steps = estate.steps(change_id)
        assert steps.index("debt_opened") < steps.index("cedar:started"), "the debt comes before what it excuses"
        assert estate.planned(change_id)["plan"]["policy"]["strategy"] == "smoke"
        assert "cedar:checkpointed" in steps, "never without a restore point"
        later = {**normal, "id": numbers[1]}
        said = refusal(estate, later, "change_normal")
        assert f"debt_{change_id}" in said, "overdue, it stops the next normal change of the estate"
    finally:
        settle(estate, patch, *policy)
    assert estate.steps(change_id).count("approved") == 2
    code, out = run(estate, later, "change_plan")
    assert code == 0, out[-4000:]


def settle(estate: Estate, change: dict[str, Any], *args: str) -> None:
    """Somebody who did not approve it before does so afterwards: all that comes later waits for it."""
    estate.sign(change["id"], by="approver-2")
    code, out = run(estate, change, "change_approve", *args)
    assert code == 0, out[-4000:]


def assert_same_evidence(estate: Estate, change_id: str, other: dict[str, Any]) -> None:
    """Equal fields in the report and in the gates, whatever the class (R007)."""
    code, out = run(estate, other, "change_close")
    assert code == 0, out[-4000:]
    mine, theirs = report(estate, change_id), report(estate, other["id"])
    assert mine.keys() == theirs.keys()
    assert mine["tenants"]["cedar"].keys() == theirs["tenants"]["cedar"].keys()
    assert mine["result"] == "succeeded"

    def checks(name: str) -> set[str]:
        return {check["id"] for gate in of(estate, name, "gated")[-1]["gates"] for check in gate["checks"]}

    assert checks(change_id) - checks(other["id"]) == set(), "an emergency leaves nothing else behind"
