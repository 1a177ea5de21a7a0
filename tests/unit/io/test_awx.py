"""AWX read over HTTP from a stand-in: what is kept, and that no answer, or an odd one, is unknown and never an approval."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import awx
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.approver_groups import GroupsError, read_groups
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils import _awx
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import approval_evidence, judge, recorded_approval_checks

from tests.support import awx as stand_in
from tests.support.approvers import CHANGE, NOW, OTHER_PLAN, PLAN

WORKFLOW, APPROVAL, PLAN_JOB, JOB = (
    f"workflow_jobs/{stand_in.WORKFLOW}/",
    f"workflow_approvals/{stand_in.APPROVAL}/",
    "jobs/501/",
    "jobs/503/",
)
NODES = f"{WORKFLOW}workflow_nodes/"
ASKED = {"change": CHANGE, "digest": PLAN, "requester": "ops-1", "executor": "ops-9", "required": 1, "now": NOW}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[stand_in.Awx]:
    monkeypatch.setattr(awx, "PAUSE_S", 0.01)
    with stand_in.Awx(stand_in.documents(CHANGE, PLAN)) as running:
        yield running


def read(url: str, *, token: str = stand_in.TOKEN, job: int | None = None, workflow_job: int | None = stand_in.WORKFLOW) -> dict[str, Any]:
    client = awx.AwxClient(awx.Connection(url, token, timeout_s=0.3))
    return awx.read_workflow(client, workflow_job=workflow_job, job=job, plan_node="plan", approval_nodes=["approve"])


def judged(reading: dict[str, Any], **changed: Any) -> Any:
    setup = _awx.setup_of({"plan_node": "plan", "approval_nodes": ["approve"], **stand_in.setup()})
    return judge([], **{**ASKED, "allowed_signers": None, "revoked": None, "readings": [reading], "awx": setup, **changed})


def test_who_approved_is_read_and_nothing_that_may_be_secret_is_kept(server: stand_in.Awx) -> None:
    reading = read(server.url)
    found = judged(reading)
    assert [(vote.name, vote.approver, vote.key) for vote in found.accepted] == [("awx_approve", "alice", "awx:7")]
    assert found.checks[0].ok is True
    assert "hunter2" not in json.dumps(reading)
    assert stand_in.TOKEN not in json.dumps(reading)
    assert {line.split()[0] for line in server.asked} == {"GET"}


def test_the_job_that_runs_tells_its_workflow_job(server: stand_in.Awx) -> None:
    reading = read(server.url, job=stand_in.JOB, workflow_job=None)
    assert reading["workflow_job"]["id"] == stand_in.WORKFLOW
    assert [vote.approver for vote in judged(reading).accepted] == ["alice"]
    client = awx.AwxClient(awx.Connection(server.url, stand_in.TOKEN))
    assert awx.read_launchers(client, stand_in.JOB) == [{"type": "user", "id": 2, "name": "olga"}]


def test_a_job_outside_of_workflows_has_a_launcher_and_no_approvals(server: stand_in.Awx) -> None:
    server.documents[JOB] = {"id": stand_in.JOB, "launched_by": stand_in.launched_by(7), "summary_fields": {}}
    reading = read(server.url, job=stand_in.JOB, workflow_job=None)
    assert (reading["workflow_job"], reading["launchers"]) == (None, [{"type": "user", "id": 7, "name": "alice"}])
    assert judged(reading).accepted == ()


def test_workflows_around_workflows_end_somewhere(server: stand_in.Awx) -> None:
    around = {"id": stand_in.WORKFLOW, "name": "itself", "type": "workflow_job"}
    server.documents[WORKFLOW]["launched_by"] = around
    assert {check.code for check in judged(read(server.url)).checks} == {"AWX_NO_LAUNCHER"}


def test_nodes_are_read_from_all_pages(server: stand_in.Awx) -> None:
    nodes = stand_in.nodes_of(server.documents)
    path = f"/api/v2/{NODES}?page=2&page_size=200"
    server.documents[NODES] = {"results": nodes[:1], "next": path}
    server.documents[path.removeprefix("/api/v2/")] = {"results": nodes[1:], "next": None}
    assert len(judged(read(server.url)).accepted) == 1


FAULTS: dict[str, tuple[stand_in.Fault, str]] = {
    "token-not-accepted": (stand_in.reply(401), "AWX_REFUSED"),
    "forbidden": (stand_in.reply(403), "AWX_REFUSED"),
    "not-there": (stand_in.reply(404), "AWX_NOT_FOUND"),
    "login-page-by-redirect": (stand_in.reply(302, Location="/login"), "AWX_REDIRECT"),
    "moved-for-good": (stand_in.reply(308, Location="https://example.org/"), "AWX_REDIRECT"),
    "login-page": (stand_in.reply(200, b"<html>Log in</html>", "text/html"), "AWX_ODD_ANSWER"),
    "html-said-to-be-json": (stand_in.reply(200, b"<html>"), "AWX_ODD_ANSWER"),
    "empty": (stand_in.reply(200, b""), "AWX_ODD_ANSWER"),
    "a-list": (stand_in.reply(200, b"[]"), "AWX_ODD_ANSWER"),
    "null": (stand_in.reply(200, b"null"), "AWX_ODD_ANSWER"),
    "empty-object": (stand_in.reply(200), "AWX_ODD_ANSWER"),
    "a-key-twice": (stand_in.reply(200, b'{"id": 500, "id": 500}'), "AWX_ODD_ANSWER"),
    "deep": (stand_in.reply(200, b"[" * 200_000), "AWX_ODD_ANSWER"),
    "bytes": (stand_in.reply(200, b"\xff\xfe"), "AWX_ODD_ANSWER"),
    "too-large": (stand_in.reply(200, b" " * (awx.MAX_BYTES + 1)), "AWX_ODD_ANSWER"),
    "teapot": (stand_in.reply(418), "AWX_ODD_ANSWER"),
    "no-content": (stand_in.reply(204), "AWX_ODD_ANSWER"),
    "broken": (stand_in.reply(500), "AWX_UNREACHABLE"),
    "gateway": (stand_in.reply(502, b"<html>", "text/html"), "AWX_UNREACHABLE"),
    "busy": (stand_in.reply(429), "AWX_UNREACHABLE"),
    "hangs-up": (stand_in.hang_up, "AWX_UNREACHABLE"),
    "cut-off": (stand_in.cut_off, "AWX_UNREACHABLE"),
    "silent": (stand_in.silent, "AWX_UNREACHABLE"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("after", [0, 2], ids=["at-once", "after-two-answers"])
def test_no_answer_is_unknown(server: stand_in.Awx, fault: str, after: int) -> None:
    made, code = FAULTS[fault]

    def late(to: Any) -> None:
        if len(server.asked) > after:
            made(to)
        else:
            server.fault = None
            server.answer(to)
            server.fault = late

    server.fault = late
    reading = read(server.url)
    found = judged(reading)
    assert found.accepted == ()
    assert {check.ok for check in found.checks} == {None}
    assert code in {check.code for check in found.checks}
    assert stand_in.TOKEN not in repr(found) + json.dumps(reading)


def test_nobody_there(server: stand_in.Awx) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert {check.code for check in judged(read(url)).checks} == {"AWX_UNREACHABLE"}


def test_it_is_asked_again_when_it_was_busy(server: stand_in.Awx) -> None:
    server.fault = stand_in.then(2, stand_in.reply(503), server)
    assert len(judged(read(server.url)).accepted) == 1


def test_an_answer_that_drips_ends(server: stand_in.Awx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awx, "BUDGET_S", 0.5)
    server.fault = stand_in.drip
    began = time.monotonic()
    assert read(server.url)["problem"]["code"] == "AWX_UNREACHABLE"
    assert time.monotonic() - began < 3


def test_the_token_does_not_follow_a_redirect(server: stand_in.Awx) -> None:
    with stand_in.Awx({}) as elsewhere:
        server.fault = stand_in.reply(302, Location=f"{elsewhere.url}/api/v2/{WORKFLOW}")
        assert read(server.url)["problem"]["code"] == "AWX_REDIRECT"
        assert elsewhere.asked == []


ODD: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    (WORKFLOW, lambda d: d.pop("launched_by")),
    (WORKFLOW, lambda d: d.update(launched_by="olga")),
    (WORKFLOW, lambda d: d.update(launched_by={"id": "2", "name": "olga", "type": "user"})),
    (WORKFLOW, lambda d: d.update(id=True)),
    (WORKFLOW, lambda d: d.update(id=501)),
    (WORKFLOW, lambda d: d.pop("workflow_job_template")),
    (WORKFLOW, lambda d: d.update(summary_fields={})),
    (NODES, lambda d: d.pop("next")),
    (NODES, lambda d: d.update(results={})),
    (NODES, lambda d: d.update(results=["approve"])),
    (NODES, lambda d: d.update(next="https://example.org/")),
    (NODES, lambda d: d.update(next="/api/v2/workflow_jobs/7/workflow_nodes/?page=2")),
    (NODES, lambda d: d.update(next=f"/api/v2/{NODES}?page=1")),
    (NODES, lambda d: d["results"][1].pop("identifier")),
    (NODES, lambda d: d["results"][1].update(summary_fields={})),
    (PLAN_JOB, lambda d: d.pop("artifacts")),
    (PLAN_JOB, lambda d: d["artifacts"].update(odoo_ops_plan={"change": CHANGE})),
    (PLAN_JOB, lambda d: d.update(finished="yesterday")),
    (APPROVAL, lambda d: d.pop("status")),
    (APPROVAL, lambda d: d.pop("timed_out")),
    (APPROVAL, lambda d: d.update(timed_out="false")),
    (APPROVAL, lambda d: d.update(finished=None)),
    (APPROVAL, lambda d: d.update(finished="2026-12-05T18:30:00")),
    (APPROVAL, lambda d: d["summary_fields"].pop("source_workflow_job")),
    (APPROVAL, lambda d: d["summary_fields"].update(approved_or_denied_by="alice")),
    (APPROVAL, lambda d: d["summary_fields"].update(approved_or_denied_by={"id": 7})),
    ("users/7/", lambda d: d.pop("username")),
    ("users/7/", lambda d: d.update(id=8)),
]


@pytest.mark.parametrize(("path", "bend"), ODD, ids=[f"{n}-{path.replace('/', '-')}" for n, (path, _bend) in enumerate(ODD)])
def test_an_odd_document_is_unknown(server: stand_in.Awx, path: str, bend: Callable[[dict[str, Any]], Any]) -> None:
    bend(server.documents[path])
    found = judged(read(server.url))
    assert found.accepted == ()
    assert {check.code for check in found.checks} - {"TOO_FEW"} == {"AWX_ODD_ANSWER"}
    assert {check.ok for check in found.checks} == {None}


@pytest.mark.parametrize(
    "connection",
    [
        pytest.param({"url": "http://awx.example.org"}, id="in-the-clear"),
        pytest.param({"url": "http://127.0.0.1.example.org"}, id="no-loopback"),
        pytest.param({"url": "https://user:word@awx.example.org"}, id="user-in-it"),
        pytest.param({"url": "https://awx.example.org/?a"}, id="query"),
        pytest.param({"url": "https://awx.example.org:x"}, id="port"),
        pytest.param({"url": "file:///etc/passwd"}, id="file"),
        pytest.param({"url": "awx"}, id="no-url"),
        pytest.param({"token": ""}, id="no-token"),
        pytest.param({"token": "secret\r\nHost: x"}, id="token-of-two-lines"),
        pytest.param({"ca_file": "/does/not/exist"}, id="no-ca-file"),
    ],
)
def test_an_address_that_a_token_is_not_sent_to(connection: dict[str, Any]) -> None:
    with pytest.raises(ChangeError) as told:
        awx.AwxClient(awx.Connection(**{"url": "https://awx.example.org", "token": "t0ken", **connection}))
    assert not any(secret in str(told.value) for secret in ("t0ken", "secret", "word@"))


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        ({"JOB_ID": "7", "AWX_HOST": "https://awx"}, 7),
        ({"JOB_ID": "7"}, None),
        ({"AWX_HOST": "https://awx"}, None),
        ({"JOB_ID": "7/../8", "AWX_HOST": ""}, None),
        ({}, None),
    ],
)
def test_the_job_that_this_is(environment: dict[str, str], number: int | None) -> None:
    assert awx.running_job(environment) == number


def test_nothing_is_asked_without_reason(server: stand_in.Awx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOB_ID", raising=False)
    given = {**stand_in.setup(workflow_job=None), "url": server.url, "plan_node": "plan", "approval_nodes": ["approve"], "timeout_s": 5}
    assert _awx.read_approvals(None) is None
    assert _awx.read_approvals(given) is None
    assert _awx.read_launchers(given) is None
    assert server.asked == []


@pytest.mark.parametrize(
    "users",
    [
        [{"id": 7, "username": "alice", "person": "alice"}, {"id": 7, "username": "al", "person": "alice"}],
        [{"id": 7, "username": "alice", "person": "alice"}, {"id": 8, "username": "alice", "person": "bob"}],
        [{"id": 7, "username": "alice", "person": "\u0430lice"}],
        [{"id": 7, "username": "alice", "person": " "}],
    ],
)
def test_users_that_cannot_be(users: list[dict[str, Any]]) -> None:
    with pytest.raises(ChangeError, match="Write"):
        _awx.setup_of({**stand_in.setup(users=users), "plan_node": "plan", "approval_nodes": []})


# -- from the record -------------------------------------------------------------------------------------------------------
def test_the_guard_judges_what_was_read_anew(server: stand_in.Awx) -> None:
    reading = read(server.url)
    evidence = approval_evidence(judged(reading).accepted, digest=PLAN, requester="ops-1", executor="ops-9", reading=reading)
    event = type("Event", (), {"event": "approved", "tenant": None, "evidence": json.loads(json.dumps(evidence))})()
    option = {"plan_node": "plan", "approval_nodes": ["approve"], **stand_in.setup()}

    def codes(**changed: Any) -> set[str]:
        asked = {"change": {"id": CHANGE, "requester": "ops-1"}, "digest": PLAN, "executor": "ops-9", "now": NOW, "allowed_signers": None}
        setup = _awx.setup_of({**option, **changed.pop("option", {})})
        found = recorded_approval_checks([event], **{**asked, "policy": {"approvals": 1}, "awx": setup, **changed})
        return {check.code for check in found if check.ok is not True} - {"TOO_FEW"}

    assert codes() == set()
    assert codes(executor="Alice") == {"EXECUTOR"}
    assert codes(change={"id": CHANGE, "requester": "alice"}) == {"REQUESTER"}
    assert codes(digest=OTHER_PLAN) == {"OTHER_PLAN"}
    assert codes(policy={"approvals": 1, "approval_max_age": "PT1M"}) == {"TOO_OLD"}
    assert codes(launched={"launchers": [{"type": "user", "id": 7, "name": "alice"}]}) == {"EXECUTOR"}
    assert codes(option={"users": [user for user in option["users"] if user["id"] != 7]}) == {"AWX_UNKNOWN_USER"}
    assert codes(option={"workflow_templates": ["another"]}) == {"AWX_OTHER_WORKFLOW"}
    assert codes(awx=None) == {"AWX_NO_SETUP"}


# -- groups ----------------------------------------------------------------------------------------------------------------
def test_groups_are_read(tmp_path: Path) -> None:
    file = tmp_path / "groups.yml"
    file.write_text("dba: [alice, bob]\n'customer:acme': [carol]\n")
    assert read_groups(str(file)) == read_groups({"dba": ["alice", "bob"], "customer:acme": ["carol"]})
    assert read_groups(None) == read_groups({}) == {}
    for text, told in (("dba: [a]\ndba: [b]\n", "twice"), ("dba: [", "not valid YAML"), ("- dba\n", "mapping"), ("dba: a\n", "list")):
        file.write_text(text)
        with pytest.raises(GroupsError, match=told):
            read_groups(str(file))
    with pytest.raises(GroupsError, match="No such file"):
        read_groups(str(tmp_path / "none.yml"))
