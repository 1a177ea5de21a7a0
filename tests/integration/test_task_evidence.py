"""The callback in real runs: what is kept with forks, by a killed run, in check mode; and that nothing secret is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_change_close import ID, Closing, changed
from tests.support.ansible import environment

SECRET = "s3cret-of-a-task"
PLAYBOOK = f"""
- name: Patch
  hosts: all
  gather_facts: false
  tasks:
    - name: Fast
      ansible.builtin.command: {{cmd: "echo {SECRET}"}}
      changed_when: true
      environment: {{TOKEN: {SECRET}}}
    - name: "Quiet {SECRET}"
      ansible.builtin.command: {{cmd: "true"}}
      changed_when: false
      no_log: true
    - name: Decide
      ansible.builtin.set_fact: {{x: {SECRET}}}
    - name: Never
      ansible.builtin.command: {{cmd: "true"}}
      when: false
    - name: Slow
      ansible.builtin.command: {{cmd: "sleep {{{{ pause | default(0.5) }}}}"}}
      changed_when: false
    - name: Ask
      odoo_ops.change_control.blackout_check: {{tenants: [acme], calendars: [], enforce: false}}
    - name: Break
      ansible.builtin.fail: {{msg: {SECRET}}}
      when: inventory_hostname == 'h1'
"""
HOSTS = [f"h{n}" for n in range(1, 5)]


class Runs:
    def __init__(self, root: Path) -> None:
        self.folder = root / "tasks"
        (root / "patch.yml").write_text(PLAYBOOK)
        (root / "hosts.ini").write_text(
            "\n".join(f"{h} ansible_connection=local ansible_python_interpreter={sys.executable}" for h in HOSTS) + "\n"
        )
        self.argv = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-i",
            str(root / "hosts.ini"),
            str(root / "patch.yml"),
            "-f",
            "4",
        ]
        enabled = {"ANSIBLE_CALLBACKS_ENABLED": "odoo_ops.change_control.task_evidence", "ODOO_OPS_TASK_EVIDENCE": str(self.folder)}
        self.env = environment(enabled)

    def run(self, *args: str, **env: str) -> str:
        argv, given = [*self.argv, *args], {**self.env, **env}
        done = subprocess.run(argv, env=given, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
        return done.stdout + done.stderr

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([*self.argv, *args], env=self.env, start_new_session=True, **quiet)

    def entries(self, name: str) -> list[dict[str, Any]]:
        (path,) = self.folder.glob(name)
        assert SECRET not in path.read_text()
        return list(json.loads(path.read_text())["tasks"])


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


FOR_THE_CHANGE = ["-e", json.dumps({"change": {"id": ID}})]


def test_what_is_kept_of_each_task(runs: Runs) -> None:
    runs.run(*FOR_THE_CHANGE)
    found = runs.entries(f"{ID}.json")
    assert sorted((e["task"], e["host"]) for e in found) == sorted(
        [(task, host) for task in ("(no_log)", "Fast", "Slow", "Ask") for host in HOSTS] + [("Break", "h1")]
    )
    by = {(e["task"], e["host"]): e for e in found}
    assert by["Fast", "h2"]["action"] == "ansible.builtin.command" and by["Fast", "h2"]["changed"]
    assert not by["Slow", "h2"]["changed"] and by["Slow", "h2"]["seconds"] >= 0.5
    assert by["Ask", "h3"]["action"] == "odoo_ops.change_control.blackout_check" and by["Ask", "h3"]["verdict"] == "pass"
    assert (by["Break", "h1"]["outcome"], by["Break", "h1"]["verdict"]) == ("failed", None)
    assert {e["play"] for e in found} == {"Patch"}
    runs.run(*FOR_THE_CHANGE)
    again = runs.entries(f"{ID}.json")
    assert again[: len(found)] == found and len(again) == 2 * len(found)
    assert len({e["run"] for e in again}) == 2, "two runs of a change are in one document"


def test_a_run_without_a_change_has_a_document_of_its_own(runs: Runs) -> None:
    runs.run("-l", "h2")
    assert [e["task"] for e in runs.entries("patch-*.json")] == ["Fast", "(no_log)", "Slow", "Ask"]


def test_check_mode_writes_nothing(runs: Runs) -> None:
    runs.run("--check", *FOR_THE_CHANGE)
    assert not runs.folder.exists()


def test_it_keeps_nothing_unless_it_is_enabled_and_says_so_when_it_has_no_folder(runs: Runs) -> None:
    runs.run(ANSIBLE_CALLBACKS_ENABLED="")
    assert not runs.folder.exists()
    assert "task_evidence keeps nothing: folder is not set" in " ".join(runs.run(ODOO_OPS_TASK_EVIDENCE="").split())


def test_a_folder_that_cannot_be_written_stops_nothing(runs: Runs) -> None:
    runs.folder.write_text("a file")
    out = " ".join(runs.run("-l", "h2").split())
    assert "task_evidence keeps nothing more" in out and "failed=1" not in out
    assert runs.folder.read_text() == "a file"


def test_a_killed_run_leaves_what_it_did(runs: Runs) -> None:
    process = runs.start("-e", "pause=60", *FOR_THE_CHANGE)
    path, until = runs.folder / f"{ID}.json", time.monotonic() + 120
    while (not path.exists() or path.read_text().count("(no_log)") < len(HOSTS)) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = runs.entries(f"{ID}.json")
    assert sorted(e["task"] for e in left) == ["(no_log)"] * 4 + ["Fast"] * 4
    runs.run("-l", "h2", *FOR_THE_CHANGE)
    assert runs.entries(f"{ID}.json")[: len(left)] == left


def test_closing_a_change_records_what_its_tasks_did(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    runs, closing = Runs(tmp_path / "runs"), Closing(tmp_path)
    closing.succeed()
    runs.run(*FOR_THE_CHANGE)
    code, out = closing.close(change_task_evidence=str(runs.folder))
    assert code == 0, out
    (event,) = [e for e in closing.ledger.events(ID) if e.event == "tasks"]
    assert event.evidence["counts"] == {"tasks": 17, "changed": 4, "failed": 1}
    slow = next(group for group in event.evidence["tasks"] if group["task"] == "Slow")
    assert sorted(host["host"] for host in slow["hosts"]) == HOSTS
    assert SECRET not in json.dumps(event.evidence)
    runs.run("-l", "h2", *FOR_THE_CHANGE)
    code, out = closing.close(change_task_evidence=str(runs.folder))
    assert (code, changed(out)) == (0, 0), out
    code, out = closing.close(change_task_evidence=str(tmp_path / "nosuch"))
    assert (code, changed(out)) == (0, 0), out
