"""The class playbooks are one path with different policy: no tasks of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.policy import CLASSES

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
STAGES = ["change_plan", "change_approve", "change_apply", "change_prove", "change_close"]


def plays(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text()))


@pytest.mark.parametrize("change_class", CLASSES)
def test_a_class_is_the_stages_with_a_name(change_class: str) -> None:
    *before, last = plays(f"change_{change_class}")
    assert last["ansible.builtin.import_playbook"] == "change_stages.yml"
    assert last["vars"] == {"change_class": change_class}
    rehearsal = ["change_rehearse.yml"] if change_class == "data_impacting" else []
    assert [play["ansible.builtin.import_playbook"] for play in before] == rehearsal


def test_the_stages_come_in_their_order() -> None:
    assert [play["ansible.builtin.import_playbook"] for play in plays("change_stages")] == [f"{stage}.yml" for stage in STAGES]
