"""Who the policy lets request, waive, approve, deploy and override, as Ansible runs it. Nobody of them is let by being root."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key, trust_only
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import os_user

from tests.integration.test_change_plan import Place
from tests.integration.test_guard_approvals import planned
from tests.support.ansible import command, environment, parse, run_module
from tests.support.approvers import People

VERBS = {"requesters": ["request"], "approvers": ["approve"], "runners": ["deploy"], "on-call": ["override"], "owners": ["waive"]}
MEMBERS = {"requesters": ["bob"], "approvers": ["alice"], "runners": ["ops-2", os_user()], "on-call": ["dan"], "owners": ["carol"]}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    document = yaml.safe_load((Path(__file__).resolve().parents[2] / "meta" / "policy.yml").read_text())
    (tmp_path / "policy.yml").write_text(yaml.safe_dump({**document, "people": VERBS}))
    return found


def run(place: Place, change: dict[str, Any], members: dict[str, list[str]] | None = None) -> tuple[int, str]:
    given = {"change_policy": str(place.root / "policy.yml"), "change_approver_groups": MEMBERS if members is None else members}
    code, out = place.run(change, **given)
    return code, " ".join(out.split())


def waiver(owner: str) -> dict[str, str]:
    return {"check": "wal_age_s", "reason": "being moved", "owner": owner, "expires": "2100-01-01T00:00:00Z"}


def test_who_may_request_and_waive_gets_as_far_as_the_approvals(place: Place) -> None:
    _code, out = run(place, place.change(waivers=[waiver("carol")]))
    assert "approvals of others than the requester" in out
    assert place.events() == ["planned", "gated"]


@pytest.mark.parametrize(
    ("change", "members", "wanted"),
    [
        pytest.param(
            {"requester": "carol"}, None, "change.requester: 'carol' is in no group with the verb request (requesters)", id="request"
        ),
        pytest.param(
            {"requester": "root"}, None, "change.requester: 'root' is in no group with the verb request", id="root-is-nobody-special"
        ),
        pytest.param({"waivers": [waiver("bob")]}, None, "change.waivers.0.owner: 'bob' is in no group with the verb waive", id="waive"),
        pytest.param({}, {}, "change.requester: 'bob' is in no group", id="no-groups-at-all"),
        pytest.param({}, {"requesters": "bob"}, "group requesters holds a text. Write a list of names", id="groups-that-cannot-be-read"),
    ],
)
def test_who_may_not_is_refused_before_it_is_planned(
    place: Place, change: dict[str, Any], members: dict[str, list[str]] | None, wanted: str
) -> None:
    code, out = run(place, place.change(**change), members)
    assert code != 0
    assert wanted in out
    assert place.events() == []


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("people"))


@pytest.mark.parametrize(
    ("members", "rejected"),
    [
        pytest.param({"approvers": ["alice"]}, [], id="may"),
        pytest.param({"approvers": ["bob"]}, ["NO_VERB"], id="in-another-group"),
        pytest.param({}, ["NO_VERB"], id="nobody-may"),
    ],
)
def test_an_approval_counts_from_those_who_may_approve(people: People, members: dict[str, list[str]], rejected: list[str]) -> None:
    found = people.judge(people.approval("alice"), members=members, people={"approve": ["approvers"]})
    assert [one["code"] for one in found.rejected] == rejected
    assert [vote.approver for vote in found.accepted] == ([] if rejected else ["alice"])


@pytest.mark.parametrize(
    ("executor", "members", "code"),
    [
        pytest.param("ops-2", MEMBERS, "", id="may"),
        pytest.param("mallory", MEMBERS, "NO_VERB", id="may-not"),
        pytest.param("ops-2", {**MEMBERS, "runners": ["ops-2"]}, "NO_VERB", id="a-name-given-to-the-run-is-not-enough"),
        pytest.param("ops-2", {"runners": "ops-2"}, "BAD_GROUPS", id="groups-that-cannot-be-read"),
    ],
)
def test_the_guard_asks_who_carries_it_out(tmp_path: Path, executor: str, members: Any, code: str) -> None:
    now = dt.datetime.now(dt.UTC)
    plan = planned(now)
    plan["policy"] = {**plan["policy"], "people": {verb: [group] for group, (verb,) in VERBS.items()}}
    signer = create_key(tmp_path / "key.pem")
    book = Ledger(DirectoryStore(tmp_path / "ledger"), trust=trust_only(signer), signer=signer)
    book.append("CHG-2026-0142", "planned", actor="ops-2", at=now, evidence={"plan": plan, "digest": plans.plan_digest(plan)})
    args = {"ledger": str(tmp_path / "ledger"), "ledger_key": str(tmp_path / "key.pem"), "change": plan["change"], "tenant": "acme"}
    result = run_module("change_guard", {**args, "executor": executor, "approver_groups": members, "enforce": False}, True)
    (check,) = [one for one in result["evidence"]["checks"] if one["id"] == "executor_verb"]
    assert check["code"] == code
    assert (result["verdict"] == "pass") is (code == "")


@pytest.mark.parametrize(
    ("requester", "policy", "wanted"),
    [
        pytest.param("bob", True, "the requester 'bob' is in no group with the verb override (on-call)", id="may-not"),
        # past that question comes the one for the tenants' clusters, which are not there
        pytest.param("dan", True, "127.0.0.1", id="may"),
        pytest.param("bob", False, "127.0.0.1", id="nobody-is-asked-without-a-policy"),
    ],
)
def test_break_glass_is_for_those_who_may_override(place: Place, tmp_path: Path, requester: str, policy: bool, wanted: str) -> None:
    create_key(tmp_path / "bg.pem")
    tenant = {
        "tenant_database_host": "127.0.0.1",
        "tenant_database_port": 9,
        "tenant_database_admin_user": "postgres",
        "tenant_database_admin_password": "x",
        "tenant_database_name": "acme",
        "tenant_database_owner": "odoo_acme",
        "tenant_namespace": "odoo-acme",
        "tenant_kubeconfig": "/nonexistent",
    }
    (tmp_path / "tenants.json").write_text(json.dumps({"all": {"hosts": {"acme": tenant}}}))
    args = {
        "ledger": str(tmp_path / "bg"),
        "ledger_key": str(tmp_path / "bg.pem"),
        "state": "opened",
        "grant": "BG-2026-0007",
        "tenants": "acme",
        "requester": requester,
        "reason": "x",
        "incident": "INC-1",
        "password_file": str(tmp_path / "pass"),
        "approver_groups": MEMBERS,
        **({"policy": str(place.root / "policy.yml")} if policy else {}),
    }
    argv = [*command("break_glass", args), "-i", str(tmp_path / "tenants.json")]
    done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0
    assert wanted in parse(done.stdout)["msg"]
    assert not list((tmp_path / "bg").glob("BG*/0*"))
