"""playbooks/awx_apply.yml as Ansible runs it, against a stand-in that refuses what AWX 24.6.1 refuses. No lab is needed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.ansible import environment, run_module
from tests.support.awx_server import READ_TOKEN, TOKEN, AwxServer

ROOT = Path(__file__).resolve().parents[2]
ESTATE = ROOT / "roles" / "awx" / "files" / "estate_template"
KEY, HOOK = "p3m-of-the-ledger", "h00k-passw0rd"
Json = dict[str, Any]


@pytest.fixture
def awx() -> Iterator[AwxServer]:
    with AwxServer([path.name for path in ESTATE.glob("*.yml")]) as server:
        yield server


@pytest.fixture
def variables(awx: AwxServer) -> Json:
    hook = {"url": "https://hooks.example.org/odoo", "http_method": "POST", "headers": {}, "password": HOOK}
    return {
        "awx_url": awx.url,
        "awx_token": TOKEN,
        "awx_project_url": "https://git.example.org/estate.git",
        "awx_execution_environment_image": "registry.example.org/odoo-changes:0.1.0",
        "awx_credentials": [
            {"name": "Ledger", "credential_type": "Odoo change ledger", "description": "", "inputs": {"ledger_key": KEY}},
        ],
        "awx_notifications": [{"name": "Operators", "notification_type": "webhook", "notification_configuration": hook}],
    }


class Run:
    """One run of the playbook: its exit code, its output, and the result of awx_apply."""

    def __init__(self, variables: Json, *args: str, folder: Path) -> None:
        (folder / "vars.json").write_text(json.dumps(variables))
        playbook = [str(Path(sys.executable).parent / "ansible-playbook"), "odoo_ops.change_control.awx_apply", "-i", "localhost,"]
        done = subprocess.run(
            [*playbook, "-e", f"@{folder / 'vars.json'}", *args],
            env=environment({"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=180,
        )
        self.code = done.returncode
        self.out = done.stdout + done.stderr

    @property
    def results(self) -> dict[str, list[str]]:
        text = self.out.split("Tell what became of the objects]", 1)[1].partition("=> ")[2]
        return dict(json.JSONDecoder().raw_decode(text)[0]["msg"])

    def recap(self) -> str:
        return self.out.rpartition("PLAY RECAP")[2]


@pytest.fixture
def run(variables: Json, tmp_path: Path) -> Any:
    def start(*args: str, **other: Any) -> Run:
        return Run({**variables, **other}, *args, folder=tmp_path)

    return start


def test_check_then_make_then_nothing(awx: AwxServer, run: Any) -> None:
    predicted = run("--check")
    assert predicted.code == 0, predicted.out
    assert awx.writes == 0, "check mode wrote"
    made = run()
    assert made.code == 0, made.out
    assert made.results == predicted.results
    assert made.results["changed"] == made.results["unchanged"] == []
    assert len(made.results["created"]) == 27
    before = awx.writes
    again = run()
    assert again.code == 0, again.out
    assert awx.writes == before, [entry for entry in awx.log[-200:] if entry[0] != "GET"]
    assert "changed=0" in again.recap()
    assert again.results["unchanged"] == made.results["created"]


def test_drift_is_put_back_and_the_difference_is_the_truth(awx: AwxServer, run: Any) -> None:
    assert run().code == 0
    awx.one("job_templates", "Odoo change: approve")["ask_variables_on_launch"] = True
    nodes = awx.nodes("Odoo change: normal change")
    nodes["plan"]["success_nodes"] = [nodes["apply"]["id"]]
    before = awx.writes
    predicted = run("--check", "--diff")
    assert (predicted.code, awx.writes) == (0, before)
    assert '"ask_variables_on_launch": true' in predicted.out and '"ask_variables_on_launch": false' in predicted.out
    done = run()
    assert done.results == predicted.results
    assert done.results["changed"] == ["job_templates 'Odoo change: approve'", "workflow_job_templates 'Odoo change: normal change'"]
    assert awx.one("job_templates", "Odoo change: approve")["ask_variables_on_launch"] is False
    assert awx.nodes("Odoo change: normal change")["plan"]["success_nodes"] == [nodes["approve"]["id"]]


def test_no_secret_in_the_most_talkative_output(awx: AwxServer, run: Any) -> None:
    """Made, told what differs, refused: with -vvv and --diff, and in the server's reasons."""
    said = run("--check", "--diff", "-vvv").out + run("-vvv", "--diff").out
    said += run("-vvv", awx_renew_secrets=True).out
    said += run("-vvv", awx_token=READ_TOKEN, awx_organization="Another").out
    assert "credentials 'Ledger'" in said and "secret:" in said and "403" in said
    assert [word for word in (TOKEN, READ_TOKEN, KEY, HOOK) if word in said] == []


def test_a_schedule_that_awx_would_refuse_is_told_before_anything_is_sent(awx: AwxServer, run: Any) -> None:
    bad = {"name": "Drill", "job": "restore_drill", "rrule": "DTSTART:20260104T030000Z RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=1MO"}
    done = run(awx_schedules=[bad])
    assert done.code != 0
    assert "schedules 'Drill': rrule: BYDAY=1MO has a number before a day" in done.out
    assert awx.log == []


@pytest.mark.parametrize(
    ("url", "wanted"),
    [pytest.param("awx.example.org", "wanted http", id="no-scheme"), pytest.param("http://127.0.0.1:9", "cannot be reached", id="down")],
)
def test_an_address_that_cannot_be_used(url: str, wanted: str) -> None:
    done = run_module("awx_apply", {"url": url, "token": TOKEN, "objects": {"organizations": [{"name": "o"}]}})
    assert done["failed"] and not done["changed"] and wanted in done["msg"]


def test_a_stage_runs_as_awx_runs_it(awx: AwxServer, run: Any, tmp_path: Path) -> None:
    """The estate's project with the example inventory, the job template's variables as a file, the survey's answer unsafe."""
    assert run().code == 0
    estate = tmp_path / "project"
    shutil.copytree(ESTATE, estate)
    shutil.copytree(ROOT / "inventories" / "example", estate / "inventory")
    change = {"id": "CHG-2026-0142", "tenants": "nosuch"}
    (estate / "changes" / "CHG-2026-0142.yml").write_text(yaml.safe_dump({"change": change}))
    text = awx.one("job_templates", "Odoo change: approve")["extra_vars"]
    survey = "change_id: !unsafe CHG-2026-0142\nawx_user_name: carol\nvault_ledger_access_key: a\nvault_ledger_secret_key: b\n"
    (tmp_path / "extravars").write_text(yaml.safe_dump(json.loads(text)) + survey)
    playbook = [str(Path(sys.executable).parent / "ansible-playbook"), "change_approve.yml", "-i", "inventory/hosts.ini"]
    done = subprocess.run(
        [*playbook, "-e", f"@{tmp_path / 'extravars'}"],
        cwd=estate,
        env=environment({"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode != 0
    assert "change CHG-2026-0142:" in done.stdout and "change.title is missing" in done.stdout, done.stdout
