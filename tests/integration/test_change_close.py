"""The stage close as Ansible runs it, on a ledger that was filled beforehand: what lies in the folder of the reports, and when."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import signing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore

from tests.support.ansible import environment, run_module

ID = "CHG-2026-0142"
IMAGE, TARGET = (f"registry.example.org/odoo@sha256:{digit * 64}" for digit in "ab")
BEGAN = dt.datetime(2026, 12, 5, 19, tzinfo=dt.UTC)
CHANGE: dict[str, Any] = {
    "id": ID,
    "title": "Screens",
    "class": "normal",
    "domain": "application",
    "streams": ["code"],
    "environment": "production",
    "requester": "bob",
    "owner": "bob",
    "tenants": "multi_tenant",
    "impact": "A form",
    "release": {"image": TARGET, "modules": ["acme_screens"]},
    "rollback": {"strategy": "previous_image", "point_of_no_return": "released"},
    "verification": {"transactions": ["login"]},
    "window": {"start": "2026-12-05T19:00:00Z", "duration": "PT2H"},
}
POLICY: dict[str, Any] = {"version": "1", "cell": "normal/application/production", "gates": [], "approvals": 1, "groups": []}
CONTROLS = Path(__file__).resolve().parents[2] / "meta" / "controls.json"
POLICY["retro_approval"] = "PT0S"


class Closing:
    """A ledger, a folder for reports, and the stage."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.reports = root / "reports"
        signer = signing.create_key(root / "key.pem")
        self.ledger = Ledger(DirectoryStore(root / "ledger"), trust=signing.load_trust(root / "key.pem.pub"), signer=signer)
        acme = plans.Tenant("acme", "multi_tenant", 1, "odoo-acme", "acme", "shared", IMAGE)
        self.plan = plans.build_plan(CHANGE, [acme], policy=POLICY)
        self.seconds: Iterator[int] = iter(range(0, 86400, 60))
        (root / "run.yml").write_text(
            "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
            "    - include_role: {name: odoo_ops.change_control.change}\n      vars: {change_stage: close}\n"
        )

    def record(self, event: str, tenant: str | None = None, **evidence: Any) -> None:
        at = BEGAN + dt.timedelta(seconds=next(self.seconds))
        about = None if tenant else plans.plan_digest(self.plan)
        self.ledger.append(ID, event, actor="ops-1", at=at, tenant=tenant, evidence=evidence, plan_digest=about)

    def succeed(self) -> None:
        self.record("planned", plan=self.plan, digest=plans.plan_digest(self.plan))
        self.record("gated", verdict="pass", gates=[])
        self.record("approved", approvals=[{"name": "a", "approver": "alice", "key": "SHA256:x"}])
        for step in self.plan["steps"]:
            self.record(step, "acme")
        self.record("verified", verdict="pass")

    def close(self, *args: str, **variables: Any) -> tuple[int, str]:
        given = {
            "change": CHANGE,
            "change_ledger": str(self.root / "ledger"),
            "change_ledger_key": str(self.root / "key.pem"),
            "change_ledger_trusted": str(self.root / "key.pem.pub"),
            "change_allowed_signers": str(self.root / "signers"),
            "change_approvals": str(self.root / "approvals"),
            "change_report_dir": str(self.reports),
            "ansible_python_interpreter": sys.executable,
            **variables,
        }
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(self.root / "run.yml")]
        env = environment({"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"})
        argv += ["-e", json.dumps(given), *args]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
        return done.returncode, done.stdout + done.stderr

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.reports.iterdir()} if self.reports.is_dir() else {}

    def recorded(self) -> list[str]:
        return [event.event for event in self.ledger.events(ID)]


@pytest.fixture
def closing(tmp_path: Path) -> Closing:
    found = Closing(tmp_path)
    found.succeed()
    return found


def changed(out: str) -> int:
    return int(re.findall(r"changed=(\d+)", out.rpartition("PLAY RECAP")[2])[0])


def test_report_and_signed_bundle_are_written_once_and_written_again_when_they_are_gone(closing: Closing) -> None:
    code, out = closing.close()
    assert code == 0, out
    assert changed(out) > 0
    first = closing.files()
    assert {f"{ID}.json", f"{ID}.html", f"{ID}.bundle.json"} == first.keys()
    code, out = closing.close()
    assert (code, changed(out)) == (0, 0), out
    assert closing.files() == first
    for name in first:
        (closing.reports / name).unlink()
    code, out = closing.close()
    assert (code, changed(out)) == (0, 1), f"one task writes them all: {out}"
    assert closing.files() == first


def test_the_page_says_how_fast_the_last_drill_before_the_end_was(closing: Closing) -> None:
    def drill(change: str, rto_s: float, **other: Any) -> None:
        evidence = {"stanza": "shared", "verdict": "pass", "rto_s": rto_s, "rpo_s": 5, **other}
        closing.ledger.append(change, "drilled", actor="ops-1", at=BEGAN, tenant="acme", evidence=evidence, once=False)

    drill("DRILL-2026-330", 60)
    drill("DRILL-2026-337", 754.2)
    drill("DRILL-2026-337", 9, stanza="own")
    assert closing.close()[0] == 0
    first = closing.files()
    assert b"shared: restored in 12 min 34 s" in first[f"{ID}.html"] and b"own:" not in first[f"{ID}.html"]
    drill("DRILL-2026-344", 1)
    code, out = closing.close()
    assert (code, changed(out)) == (0, 0), out
    assert closing.files() == first, "a drill after the change says nothing about it"


def test_the_bundle_is_proved_without_the_ledger_and_tells_the_controls(closing: Closing) -> None:
    assert closing.close()[0] == 0
    given = {"ledger": str(closing.reports / f"{ID}.bundle.json"), "ledger_trusted": str(closing.root / "key.pem.pub"), "change": ID}
    proved = run_module("change_record", {**given, "state": "verified"})
    assert proved["verdict"] == "pass", proved["msg"]
    assert [event["event"] for event in run_module("change_record", {**given, "state": "read"})["events"]][-1] == "closed"
    envelope = json.loads((closing.reports / f"{ID}.bundle.json").read_bytes())
    mapped = {
        framework["id"]: {control["id"]: control["state"] for control in framework["controls"]}
        for framework in json.loads(base64.b64decode(envelope["payload"]))["controls"]
    }
    wanted = json.loads(CONTROLS.read_text())["frameworks"]
    assert {one["id"]: [control["id"] for control in one["controls"]] for one in wanted} == {name: list(m) for name, m in mapped.items()}
    assert (mapped["iso27001-2022"]["A.5.3"], mapped["soc2-tsc-2017"]["CC8.1"]) == ("shown", "shown")


def test_check_mode_predicts_and_writes_nothing(closing: Closing) -> None:
    before = closing.recorded()
    code, out = closing.close("--check")
    assert code == 0, out
    assert changed(out) > 0
    assert (closing.files(), closing.recorded()) == ({}, before)
    assert closing.close()[0] == 0
    code, out = closing.close("--check")
    assert (code, changed(out)) == (0, 0), out
