"""The stages plan, gates and approve as Ansible runs them, without a site: what each class of change comes to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import signing

from tests.conftest import ROOT
from tests.support.ansible import environment

IMAGE, TARGET = (f"registry.example.org/odoo@sha256:{digit * 64}" for digit in "ab")
CHECKS = ["backup_exists", "wal_age_s", "content_read_age_s", "restore_drill_age_s"]
PLAYBOOK = """
- import_playbook: odoo_ops.change_control.change_targets
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - include_role: {name: odoo_ops.change_control.change}
      vars: {change_stage: plan}
- hosts: change_gate_hosts
  gather_facts: false
  tasks:
    - set_fact: {backup_gate_result: "{{ measured }}"}
- hosts: change_targets
  gather_facts: false
  tasks:
    - set_fact: {backup_gate_filestore_result: "{{ attachments }}"}
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - set_fact: {break_glass_gates: ["{{ swept }}"]}
    - include_role: {name: odoo_ops.change_control.change}
      vars: {change_stage: "{{ item }}"}
      loop: [gates, approve]
"""


def passed(subject: str, checks: list[str]) -> dict[str, Any]:
    """The result of a gate that a site would measure."""
    found = [{"id": c, "ok": True, "observed": 1, "expected": 1, "hint": "", "code": ""} for c in checks]
    evidence = {"schema": 1, "subject": subject, "measured_at": "2026-01-01T00:00:00Z", "checks": found}
    return {"verdict": "pass", "msg": "", "evidence": evidence}


class Place:
    """A small estate in a folder: three tenants, a ledger, two trees of content."""

    def __init__(self, root: Path) -> None:
        self.root = root
        signing.create_key(root / "key.pem")
        (root / "run.yml").write_text(PLAYBOOK)
        (root / "signers").write_text("")
        for name in ("before", "after"):
            self.put(name, "addons/acme_screens/__manifest__.py", "{'depends': ['base'], 'version': '1'}")
        self.put("after", "addons/acme_screens/views/form.xml", "<odoo/>")
        self.inventory()

    def put(self, tree: str, path: str, text: str) -> None:
        file = self.root / tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def inventory(self) -> None:
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "tenant_namespace": "odoo-{{ inventory_hostname }}",
            "tenant_database_name": "{{ inventory_hostname }}",
            "tenant_current_image": IMAGE,
            "measured": passed("the cluster", CHECKS),
            "attachments": passed("filestore of {{ inventory_hostname }}", ["attachments_present"]),
            "swept": passed("break-glass", ["break_glass_leftover"]),
            "change_ledger": str(self.root / "ledger"),
            "change_ledger_key": str(self.root / "key.pem"),
            "change_ledger_trusted": str(self.root / "key.pem.pub"),
            "change_allowed_signers": str(self.root / "signers"),
            "change_approvals": str(self.root / "approvals"),
            "change_report_dir": str(self.root / "reports"),
        }
        hosts = {"acme": (1, "shared", "multi_tenant"), "bravo": (2, "shared", "multi_tenant"), "delta": (3, "own", "dedicated")}
        groups = {
            tier: {"hosts": {n: {"tenant_cohort": c, "tenant_backup_stanza": s} for n, (c, s, t) in hosts.items() if t == tier}}
            for tier in ("multi_tenant", "dedicated")
        }
        (self.root / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": common, "children": groups}}))

    def change(self, **other: Any) -> dict[str, Any]:
        return {
            "id": "CHG-2026-0142",
            "title": "Screens",
            "class": "normal",
            "domain": "application",
            "streams": ["code"],
            "environment": "production",
            "requester": "bob",
            "owner": "bob",
            "tenants": "multi_tenant",
            "impact": "A form",
            "release": {"image": TARGET, "modules": ["acme_screens"], "content": {n: str(self.root / n) for n in ("before", "after")}},
            "rollback": {"strategy": "previous_image", "point_of_no_return": "released"},
            "verification": {"transactions": ["login"]},
            "window": {"start": "2099-12-05T20:00:00Z", "duration": "PT2H"},
            "readiness": {"on_call": "dan", "connectors": []},
            **other,
        }

    def run(self, change: dict[str, Any], *args: str, playbook: str = "", **variables: Any) -> tuple[int, str]:
        """The stages plan, gates and approve; or a playbook of the collection."""
        what = f"odoo_ops.change_control.{playbook}" if playbook else str(self.root / "run.yml")
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.root / "hosts.yml"), what]
        argv += ["-e", json.dumps({"change": change, **variables}), *args]
        done = subprocess.run(argv, env=environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600, check=False)
        return done.returncode, done.stdout + done.stderr

    def events(self) -> list[str]:
        return [path.stem.partition("-")[2] for path in sorted((self.root / "ledger" / "CHG-2026-0142").glob("0*.json"))]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def standard(place: Place) -> dict[str, Any]:
    return place.change(**{"class": "standard", "catalogue_entry": "module-deployment"})


def test_a_standard_change_within_its_entry_needs_nobody(place: Place) -> None:
    code, out = place.run(standard(place), change_class="standard")
    assert code == 0, out
    assert "approved in advance as module-deployment by the defaults of this collection" in out
    assert place.events() == ["planned", "gated"]
    code, out = place.run(standard(place), change_class="standard")
    assert (code, place.events()) == (0, ["planned", "gated", "gated"]), out


def test_check_mode_tells_the_same_and_writes_nothing(place: Place) -> None:
    code, out = place.run(standard(place), "--check", change_class="standard")
    assert code == 0, out
    assert "approved in advance as module-deployment" in out
    assert not (place.root / "ledger").exists()


def test_a_standard_change_beyond_its_entry_is_refused_with_the_reason(place: Place) -> None:
    place.put("after", "addons/acme_screens/models/form.py", "x = 1")
    code, out = place.run(standard(place), playbook="change_standard")
    assert code != 0
    assert "normal: not the pre-approved change: addons/acme_screens/models/form.py differ outside of the entry's paths" in out
    assert "Run the playbook change_normal instead" in out
    assert place.events() == []


def test_a_migration_makes_a_normal_change_data_impacting(place: Place) -> None:
    place.put("after", "addons/acme_screens/migrations/1/pre.py", "def migrate(cr, version): ...")
    code, out = place.run(place.change(bundle_justification="the form shows the column"), playbook="change_normal")
    assert code != 0
    assert "data_impacting: a migration script (addons/acme_screens/migrations/1/pre.py)" in out
    assert "Run the playbook change_data_impacting instead" in out
    assert place.events() == []


def test_the_stages_alone_raise_the_class_and_ask_for_its_approvals(place: Place) -> None:
    place.put("after", "addons/acme_screens/migrations/1/pre.py", "def migrate(cr, version): ...")
    change = place.change(bundle_justification="the form shows the column")
    code, out = place.run(change)
    assert code != 0
    assert "class data_impacting, raised from normal:" in out
    assert "'NOT_REHEARSED'" in out, "and for a rehearsal, before anybody is asked"
    assert place.events() == ["planned", "gated"]

    policy = yaml.safe_load((ROOT / "meta/policy.yml").read_text())
    policy["profiles"]["guarded"]["gates"].remove("rehearsal")
    (place.root / "policy.yml").write_text(yaml.safe_dump(policy))
    code, out = place.run(change, change_policy=str(place.root / "policy.yml"))
    assert code != 0
    assert re.search(r"approvals.*2 approvals of others", out)


def test_a_change_of_data_that_is_not_ready_is_stopped_by_its_gates(place: Place) -> None:
    place.put("after", "addons/acme_screens/migrations/1/pre.py", "def migrate(cr, version): ...")
    place.put("after", "addons/account_acme/__manifest__.py", "{'depends': ['account'], 'version': '1'}")
    change = place.change(bundle_justification="the form shows the column")
    del change["readiness"]
    code, out = place.run(change)
    assert code != 0
    text = " ".join(out.split())
    assert "Add invoice to change.verification.transactions." in text
    assert "List the connectors in change.readiness.connectors, each with name and owner." in text
    assert "approvals of others" not in text, "it is stopped before anybody is asked"
    assert place.events() == ["planned", "gated"]


@pytest.mark.parametrize(
    ("workload", "told", "events"),
    [
        pytest.param({}, None, ["planned", "gated"], id="nobody-to-ask"),
        pytest.param(
            {"url": "http://127.0.0.1:9"},
            "Advice, the expected load: workload_acme is http://127.0.0.1:9 gave no",
            ["planned", "gated"],
            id="advice",
        ),
    ],
)
def test_the_load_is_advice_by_the_shipped_policy(place: Place, workload: dict[str, str], told: str | None, events: list[str]) -> None:
    code, out = place.run(standard(place), change_workload=workload)
    assert (code, place.events()) == (0, events), out
    assert told in " ".join(out.split()) if told else "Advice" not in out


@pytest.mark.parametrize(("workload", "told"), [({}, "gate_workload is not measured"), ({"url": "http://127.0.0.1:9"}, "workload_acme is")])
def test_where_the_policy_requires_it_the_load_must_be_known(place: Place, workload: dict[str, str], told: str) -> None:
    policy = yaml.safe_load((Path(__file__).resolve().parents[2] / "meta" / "policy.yml").read_text())
    policy["profiles"]["pre_approved"]["gates"].append("workload")
    (place.root / "policy.yml").write_text(yaml.safe_dump(policy))
    code, out = place.run(standard(place), change_workload=workload, change_policy=str(place.root / "policy.yml"))
    assert code != 0
    assert "is stopped by its gates" in out
    assert told in out


def test_where_the_policy_requires_it_argo_cd_must_keep_to_the_calendars(place: Place) -> None:
    policy = yaml.safe_load((Path(__file__).resolve().parents[2] / "meta" / "policy.yml").read_text())
    policy["profiles"]["pre_approved"]["gates"].append("sync_windows")
    (place.root / "policy.yml").write_text(yaml.safe_dump(policy))
    projects = [{"project": name, "file": str(place.root / f"{name}.yml")} for name in ("acme", "bravo")]
    for project in projects:
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": project["project"]}, "spec": {}}
        Path(project["file"]).write_text(yaml.safe_dump(document))
    given = {"change_policy": str(place.root / "policy.yml"), "change_sync_windows": projects}
    code, out = place.run(standard(place), **given)
    assert code == 0, out
    Path(projects[1]["file"]).unlink()
    code, out = place.run(standard(place), **given)
    assert code != 0
    assert "sync_windows_project is not in" in out


def test_an_undeclared_bundle_is_refused(place: Place) -> None:
    place.put("after", "addons/acme_screens/migrations/1/pre.py", "def migrate(cr, version): ...")
    code, out = place.run(place.change(**{"class": "data_impacting"}), playbook="change_data_impacting")
    assert code != 0
    assert "the difference holds database as well" in out


def test_a_shared_object_is_everyones(place: Place) -> None:
    place.put(
        "after", "traefik/limit.yml", "{apiVersion: traefik.io/v1alpha1, kind: Middleware, metadata: {name: limit, namespace: traefik}}"
    )
    (place.root / "after/addons/acme_screens/views/form.xml").unlink()
    code, out = place.run(place.change(streams=["config"], domain="infrastructure"))
    assert code != 0
    assert "felt by others than the tenants below: delta" in out
    assert "among them 1 of ingress" in out
    assert "window_delta" in out, "the calendars of everyone who feels it count"


def test_without_content_the_requested_class_stands(place: Place) -> None:
    change = place.change(tenants="multi_tenant,dedicated")
    del change["release"]["content"]
    _code, out = place.run(change, change_class="normal")
    assert "no content given: nobody could look at the difference" in out
    assert "among them 1 of customer:delta" in out
    assert place.events() == ["planned", "gated"]


def stale_drill() -> dict[str, Any]:
    checks = [{"id": c, "ok": c != "restore_drill_age_s", "observed": 9, "expected": 1, "hint": "Drill.", "code": ""} for c in CHECKS]
    return {"verdict": "fail", "msg": "", "evidence": {"schema": 1, "subject": "the cluster", "measured_at": "x", "checks": checks}}


@pytest.mark.parametrize(
    ("change_class", "expires", "wanted"),
    [
        pytest.param("normal", "2100-01-01T00:00:00Z", "restore_drill_age_s is waived by alice until 2100-01-01T00:00:00Z", id="waived"),
        pytest.param("data_impacting", "2100-01-01T00:00:00Z", "nothing can be waived here", id="where-nothing-is-waived"),
        pytest.param("emergency", None, "All 5 checks that the policy requires passed", id="an-emergency-waits-for-no-drill"),
    ],
)
def test_waivers_and_gates_by_policy(place: Place, change_class: str, expires: str | None, wanted: str) -> None:
    waiver = {"check": "restore_drill_age_s", "reason": "the host is being moved", "owner": "alice", "expires": expires}
    change = place.change(**{"class": change_class, "waivers": [waiver] if expires else []})
    _code, out = place.run(change, measured=stale_drill(), change_class=change_class)
    assert wanted in out


def test_a_policy_of_the_estate(place: Place) -> None:
    policy = yaml.safe_load((Path(__file__).resolve().parents[2] / "meta" / "policy.yml").read_text())
    del policy["cells"]["normal"]["data"]
    (place.root / "policy.yml").write_text(yaml.safe_dump(policy))
    code, out = place.run(place.change(), change_policy=str(place.root / "policy.yml"))
    assert code != 0
    assert "policy.cells.normal.data is missing" in out
    assert place.events() == []


def test_an_unknown_class_is_refused_before_any_task(place: Place) -> None:
    code, out = place.run(place.change(), change_class="urgent")
    assert code != 0
    assert "value of change_class must be one of" in out
