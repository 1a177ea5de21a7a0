"""change_record and change_approve as Ansible runs them: check mode, real, again; and what they refuse."""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import approval_document
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import signing

from tests.support import awx as stand_in
from tests.support.ansible import command, environment, run_module

CHANGE, PLAN = "CHG-2026-0142", "sha256:" + "a" * 64


@pytest.fixture
def args(tmp_path: Path) -> dict[str, Any]:
    signing.create_key(tmp_path / "key.pem")
    trust = {"ledger_key": str(tmp_path / "key.pem"), "ledger_trusted": str(tmp_path / "key.pem.pub")}
    return {"ledger": str(tmp_path / "ledger"), **trust, "change": CHANGE}


def files(args: dict[str, Any]) -> list[str]:
    root = Path(args["ledger"])
    return sorted(str(p.relative_to(root)) for p in root.rglob("*.json"))


def test_recorded_then_verified_then_damaged(args: dict[str, Any]) -> None:
    what = {**args, "event": "planned", "evidence": {"a": [1, None, "ü"]}}
    predicted = run_module("change_record", what, True)
    assert (predicted["changed"], files(args)) == (True, [])
    first = run_module("change_record", what)
    assert (first["changed"], first["seq"], first["event"]["actor"]) == (True, 1, getpass.getuser())
    again = run_module("change_record", what)
    assert (again["changed"], again["sha256"]) == (False, first["sha256"])
    assert run_module("change_record", what, True)["changed"] is False
    read = run_module("change_record", {**args, "ledger_key": None, "state": "read"})
    assert [e["evidence"] for e in read["events"]] == [{"a": [1, None, "ü"]}]
    proof = {**args, "ledger_key": None, "state": "verified"}
    assert run_module("change_record", proof)["verdict"] == "pass"
    entry = Path(args["ledger"], CHANGE, "000001-planned.json")
    entry.write_bytes(entry.read_bytes().replace(b"payload", b"paylaod", 1))
    failed = run_module("change_record", proof)
    assert (failed["failed"], failed["verdict"], failed["evidence"]["checks"][0]["code"]) == (True, "fail", "ALTERED")
    assert run_module("change_record", {**proof, "enforce": False})["failed"] is False
    assert run_module("change_record", {**args, "state": "read"})["failed"] is True


def test_shown_and_exported(args: dict[str, Any], tmp_path: Path) -> None:
    for event, evidence in (("planned", {}), ("gated", {"verdict": "pass"})):
        run_module("change_record", {**args, "event": event, "evidence": evidence})
    shown = run_module("change_record", {**args, "ledger_key": None, "state": "shown"})
    assert (shown["failed"], shown["verdict"], [row["verdict"] for row in shown["timeline"]]) == (False, "pass", [None, "pass"])
    assert shown["lines"][0] == "CHG-2026-0142: 2 events, each signed and linked"
    what = {**args, "state": "exported", "dest": str(tmp_path)}
    file = tmp_path / "CHG-2026-0142.bundle.json"
    predicted = run_module("change_record", what, True)
    assert (predicted["changed"], predicted["path"], file.exists()) == (True, str(file), False)
    first = run_module("change_record", what)
    assert (first["changed"], first["sha256"]) == (True, hashlib.sha256(file.read_bytes()).hexdigest())
    again = run_module("change_record", what)
    assert (again["changed"], again["sha256"]) == (False, predicted["sha256"])
    bundle = {**args, "ledger_key": None, "ledger": str(file)}
    assert run_module("change_record", {**bundle, "state": "verified"})["verdict"] == "pass"
    assert run_module("change_record", {**args, "ledger": str(file), "event": "closed"}, True)["failed"] is True
    file.write_bytes(file.read_bytes().replace(b"A", b"B", 1))
    refused = run_module("change_record", {**bundle, "state": "verified"})
    assert (refused["failed"], refused["verdict"], refused["code"]) == (True, "fail", "BUNDLE_BAD_SIGNATURE")


def test_the_report_and_its_page_are_written_beside_the_record(args: dict[str, Any], tmp_path: Path) -> None:
    run_module("change_record", {**args, "event": "started", "tenant": "acme"})
    folder = tmp_path / "reports" / "of 2026"
    what = {**args, "state": "exported", "dest": str(folder), "report": True}
    assert (run_module("change_record", what, True)["changed"], folder.exists()) == (True, False)
    first = run_module("change_record", what)
    assert sorted(path.name for path in folder.iterdir()) == [f"{CHANGE}.bundle.json", f"{CHANGE}.html", f"{CHANGE}.json"]
    assert json.loads((folder / f"{CHANGE}.json").read_text()) == first["report"]
    assert (first["report"]["ledger"]["verdict"], first["lines"]) == ("pass", first["report"]["lines"])
    assert not run_module("change_record", what)["changed"]
    (folder / f"{CHANGE}.html").write_text("another")
    assert run_module("change_record", what)["changed"]
    assert "no folder can be made" in run_module("change_record", {**what, "dest": str(folder / f"{CHANGE}.json" / "x")})["msg"]


def test_a_damaged_record_is_shown_and_exported_on_demand_only(args: dict[str, Any], tmp_path: Path) -> None:
    for event in ("planned", "gated", "approved"):
        run_module("change_record", {**args, "event": event})
    Path(args["ledger"], CHANGE, "000002-gated.json").unlink()
    shown = run_module("change_record", {**args, "state": "shown"})
    assert (shown["failed"], len(shown["timeline"]), shown["lines"][-1]) == (True, 2, "  REMOVED 2: entry 2 is not there")
    what = {**args, "state": "exported", "dest": str(tmp_path / "bundle.json")}
    stopped = run_module("change_record", what)
    assert (stopped["failed"], (tmp_path / "bundle.json").exists()) == (True, False)
    forced = run_module("change_record", {**what, "enforce": False})
    assert (forced["failed"], forced["verdict"]) == (False, "fail")
    told = run_module("change_record", {**args, "ledger": forced["path"], "state": "shown"})
    assert (told["failed"], told["lines"]) == (True, shown["lines"])


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        pytest.param({"change": "../x"}, "CHG-2026-0142", id="change"),
        pytest.param({"event": None}, "event", id="no-event"),
        pytest.param({"event": "../x"}, "snake_case", id="event"),
        pytest.param({"digest": "1234"}, "not a SHA-256", id="digest"),
        pytest.param({"ledger_key": None}, "ledger_key", id="no-key"),
        pytest.param({"ledger_key": "/does/not/exist"}, "cannot be read", id="key-not-there"),
        pytest.param({"ledger": "s3://"}, "no bucket", id="no-bucket"),
        pytest.param({"ledger": __file__}, "Give a ledger folder", id="some-file"),
        pytest.param({"state": "exported"}, "dest", id="no-dest"),
        pytest.param({"state": "exported", "dest": "/does/not/exist/x", "enforce": False}, "cannot be written", id="dest-not-there"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(args: dict[str, Any], changed: dict[str, Any], wanted: str) -> None:
    result = run_module("change_record", {k: v for k, v in {**args, "event": "planned", **changed}.items() if v is not None})
    assert result["failed"] is True
    assert wanted in result["msg"]
    assert files(args) == []


def test_nothing_recorded_is_unknown(args: dict[str, Any]) -> None:
    result = run_module("change_record", {**args, "state": "verified"})
    assert (result["failed"], result["verdict"]) == (True, "unknown")


def test_approve(args: dict[str, Any], tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "alice")], check=True)
    (tmp_path / "signers").write_text(f"alice {(tmp_path / 'alice.pub').read_text()}")
    folder = tmp_path / "approvals"
    what = {**args, "digest": PLAN, "requester": "ops-1", "approvals": [str(folder)], "allowed_signers": str(tmp_path / "signers")}
    nobody = run_module("change_approve", what)
    assert (nobody["failed"], nobody["verdict"], nobody["seq"]) == (True, "fail", None)
    folder.mkdir()
    document = folder / "alice.json"
    document.write_bytes(approval_document(CHANGE, PLAN, "alice", dt.datetime.now(dt.UTC)))
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "odoo-ops-change", "-f", str(tmp_path / "alice"), str(document)], check=True)
    predicted = run_module("change_approve", what, True)
    assert (predicted["changed"], files(args)) == (True, [])
    done = run_module("change_approve", what)
    assert (done["changed"], done["verdict"], done["seq"], done["approvers"]) == (True, "pass", 1, ["alice"])
    again = run_module("change_approve", what)
    assert (again["changed"], again["seq"]) == (False, 1)
    for refused in ({"requester": "Alice"}, {"executor": "ALICE"}, {"digest": "sha256:" + "b" * 64}, {"required": 2}):
        result = run_module("change_approve", {**what, **refused})
        assert (result["failed"], result["verdict"], result["changed"]) == (True, "fail", False)
    assert len(files(args)) == 2
    back = folder / "back.json"
    back.write_bytes(approval_document(CHANGE, PLAN, "alice", dt.datetime.now(dt.UTC), decision="withdraw"))
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "odoo-ops-change", "-f", str(tmp_path / "alice"), str(back)], check=True)
    for check, changed, written in ((True, True, 2), (False, True, 3), (False, False, 3)):
        taken = run_module("change_approve", what, check)
        assert (taken["verdict"], taken["changed"], taken["withdrawn"], len(files(args))) == ("fail", changed, ["alice"], written)


def test_approve_in_awx(args: dict[str, Any], tmp_path: Path) -> None:
    """Read back from AWX, recorded, found again; what variables say does not matter, and the token is shown nowhere."""
    found = stand_in.documents(CHANGE, PLAN)
    signers = {"approvals": [str(tmp_path / "none")], "allowed_signers": str(tmp_path / "signers")}
    with stand_in.Awx(found) as awx:
        option = {**stand_in.setup(workflow_job=None), "url": awx.url, "timeout_s": 5}
        now = dt.datetime.now(dt.UTC)
        awx.documents["jobs/501/"]["finished"] = (now - dt.timedelta(minutes=2)).isoformat().replace("+00:00", "Z")
        awx.documents["workflow_approvals/502/"]["finished"] = (now - dt.timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
        what = {**args, **signers, "digest": PLAN, "requester": "ops-1", "awx": option, "policy": {"approvals": 1}}
        inside = {"JOB_ID": "503", "AWX_HOST": "https://awx.example.org"}
        outside = run_module("change_approve", what, variables={"awx_workflow_job_id": 500, "tower_workflow_job_id": 500})
        assert (outside["verdict"], awx.asked) == ("fail", [])
        assert run_module("change_approve", what, True, env=inside)["changed"] is True
        assert files(args) == []
        done = run_module("change_approve", what, env=inside)
        assert (done["changed"], done["verdict"], done["seq"], done["approvers"]) == (True, "pass", 1, ["alice"]), done
        assert run_module("change_approve", what, env=inside)["changed"] is False
        loud = subprocess.run(
            [*command("change_approve", what), "-vvvvv"], env=environment(inside), capture_output=True, text=True, check=False
        )
        refused = run_module("change_approve", {**what, "requester": "ALICE"}, env=inside, variables={"approved_by": "bob"})
        assert (refused["verdict"], refused["rejected"][0]["code"]) == ("fail", "REQUESTER")
        awx.fault = stand_in.reply(302, Location="/login")
        down = run_module("change_approve", what, env=inside)
        assert (down["failed"], down["verdict"], down["evidence"]["checks"][0]["code"]) == (True, "unknown", "AWX_REDIRECT")
    # the command line is the test's own: a playbook's task has the token from a vault
    told = (loud.stdout + loud.stderr).replace(json.dumps(what), "")
    kept = "".join(path.read_text() for path in Path(args["ledger"]).rglob("*.json"))
    read = run_module("change_record", {**args, "ledger_key": None, "state": "read"})
    assert read["events"][0]["evidence"]["awx"]["users"]["7"] == {"id": 7, "username": "alice", "superuser": False}
    for text in (told, kept, json.dumps([outside, done, refused, down, read])):
        assert stand_in.TOKEN not in text
        assert "hunter2" not in text
