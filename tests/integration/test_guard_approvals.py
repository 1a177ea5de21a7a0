"""change_guard as Ansible runs it: the approvals that are recorded are judged by the plan's policy, and by who launched the job."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key, trust_only
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import approval_evidence

from tests.support import awx as stand_in
from tests.support.ansible import run_module
from tests.support.approvers import People

IMAGE = "registry.lab/odoo@sha256:" + "a" * 64
POLICY = {"approvals": 1, "groups": [{"group": "dba", "count": 1}], "version": "4", "gate_max_age": "PT4H"}


def planned(now: dt.datetime) -> dict[str, Any]:
    change = {
        "id": "CHG-2026-0142",
        "title": "t",
        "class": "normal",
        "domain": "application",
        "streams": ["code"],
        "environment": "production",
        "requester": "ops-1",
        "release": {"image": IMAGE, "modules": []},
        "rollback": {"strategy": "previous_image", "point_of_no_return": "x"},
        "window": {"start": (now - dt.timedelta(hours=1)).isoformat(), "duration": "PT3H"},
    }
    return plans.build_plan(change, [plans.Tenant("acme", "multi_tenant", 1, "odoo-acme", "acme", "shared", IMAGE)], policy=POLICY)


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path)


def test_the_recorded_approvals_are_judged(people: People, tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    plan = planned(now)
    digest, signer = plans.plan_digest(plan), create_key(tmp_path / "key.pem")
    given = people.approval("alice", digest=digest, policy="4", at=now)
    judged = people.judge(given, digest=digest, policy="4", now=now)
    book = Ledger(DirectoryStore(tmp_path / "ledger"), trust=trust_only(signer), signer=signer)
    evidence = approval_evidence(judged.accepted, digest=digest, requester="ops-1", executor="ops-2")
    for event, what in (("planned", {"plan": plan, "digest": digest}), ("gated", {"verdict": "pass"}), ("approved", evidence)):
        book.append("CHG-2026-0142", event, actor="ops-2", at=now, evidence=what)
    args = {"ledger": str(tmp_path / "ledger"), "ledger_key": str(tmp_path / "key.pem"), "change": plan["change"], "tenant": "acme"}
    args |= {"allowed_signers": str(people.allowed), "approver_groups": {"dba": ["alice"]}, "enforce": False}

    def codes(env: dict[str, str] | None = None, **changed: Any) -> set[str]:
        result = run_module("change_guard", {**args, **changed}, True, env=env)
        return {
            check["code"] for check in result["evidence"]["checks"] if check["id"].startswith(("approval", "executor")) and not check["ok"]
        }

    assert codes() == set()
    assert codes(approver_groups={"dba": ["bob"]}) == {"GROUP_TOO_FEW"}
    with stand_in.Awx(stand_in.documents("CHG-2026-0142", digest)) as awx:
        option = {**stand_in.setup(), "url": awx.url}
        inside = {"JOB_ID": "503", "AWX_HOST": "https://awx.example.org"}
        assert codes(inside, awx=option) == set()
        awx.documents["workflow_jobs/500/"]["launched_by"] = stand_in.launched_by(7)
        assert codes(inside, awx=option) == {"EXECUTOR", "TOO_FEW", "GROUP_TOO_FEW"}
