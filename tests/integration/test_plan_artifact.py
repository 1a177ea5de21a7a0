"""What AWX keeps of the stage plan: the digest of the plan that was recorded, whatever a variable says."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.integration.test_change_plan import Place

FORGED = "sha256:" + "f" * 64


def custom_stats(out: str) -> dict[str, object]:
    return dict(json.JSONDecoder().raw_decode(out.rpartition("CUSTOM STATS:")[2].partition("RUN: ")[2])[0])


def test_a_variable_cannot_name_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "ansible.builtin.default")
    monkeypatch.setenv("ANSIBLE_SHOW_CUSTOM_STATS", "1")
    place = Place(tmp_path)
    (tmp_path / "run.yml").write_text(
        "- import_playbook: odoo_ops.change_control.change_targets\n"
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
        "    - include_role: {name: odoo_ops.change_control.change}\n      vars: {change_stage: plan}\n"
    )
    forged = {"digest": FORGED, "lines": [], "closed": None, "plan": {"gate_hosts": {}}}
    code, out = place.run(place.change(), __change_plan=forged)
    assert code == 0, out
    (entry,) = (tmp_path / "ledger" / "CHG-2026-0142").glob("*-planned.json")
    statement = json.loads(base64.b64decode(json.loads(entry.read_text())["payload"]))
    assert FORGED in out, "the variable was taken where people read it"
    assert custom_stats(out) == {"odoo_ops_plan": {"change": "CHG-2026-0142", "digest": statement["predicate"]["evidence"]["digest"]}}
