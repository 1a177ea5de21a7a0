"""The role's objects, the project that AWX synchronises, and docs/awx.md fit each other and the collection."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_check import problems
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_rrule import rrule_problems

from tests.support import awx_rules
from tests.support.awx_objects import ESTATE, PLAYBOOKS, ROLE, ROOT, role_objects

PAGE = (ROOT / "docs" / "awx.md").read_text()
STARTED = re.compile(r"change_(plan|approve|apply|prove|close|rollback|standard|normal|emergency|data_impacting)\.yml")


def options() -> dict[str, Any]:
    return dict(yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"])


def test_the_roles_objects_are_what_awx_takes() -> None:
    found = role_objects()
    assert problems(found) == []
    for schedule in found["schedules"]:
        awx_rules.check_rrule(schedule["rrule"])
    for template in found["job_templates"] + found["workflow_job_templates"]:
        if "survey_spec" in template:
            awx_rules.check_survey(template["survey_spec"])


def test_every_job_template_starts_a_playbook_of_the_project() -> None:
    assert {template["playbook"] for template in role_objects()["job_templates"]} <= set(PLAYBOOKS)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_each_playbook_is_one_import_of_its_namesake(name: str) -> None:
    if name == "execution-environment.yml":
        return
    (play,) = yaml.safe_load((ESTATE / name).read_text())
    stem = name.removesuffix(".yml")
    assert play.pop("name")
    assert play == {"ansible.builtin.import_playbook": f"odoo_ops.change_control.{stem}"}
    assert (ROOT / "playbooks" / name).is_file()


def test_every_stage_and_class_can_be_started_from_the_project() -> None:
    """One that is missing is three lines: copy change_plan.yml of the estate template and write the other name."""
    there = {path.name for path in (ROOT / "playbooks").glob("*.yml") if STARTED.fullmatch(path.name)}
    assert there - set(PLAYBOOKS) == set()


def test_nothing_else_of_the_project_looks_like_a_playbook_to_awx() -> None:
    """AWX offers every YAML file with hosts or import_playbook at the beginning of a line."""
    others = [path for path in ESTATE.rglob("*.y*ml") if path.parent != ESTATE or path.name == "execution-environment.yml"]
    assert others
    for path in others:
        assert not re.search(r"^\s*-?\s*(hosts|\S*import_playbook|include):", path.read_text(), re.MULTILINE), path


def test_the_project_pins_this_version_of_the_collection_and_copies_no_inventory() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    (pinned,) = yaml.safe_load((ESTATE / "collections" / "requirements.yml").read_text())["collections"]
    assert pinned == {"name": "odoo_ops.change_control", "version": galaxy["version"]}
    assert not (ESTATE / "inventory").exists()
    assert "cp -r COLLECTION/inventories/example estate/inventory" in (ESTATE / "README.md").read_text()


def test_every_change_runs_by_the_gates_of_its_class() -> None:
    for workflow in role_objects()["workflow_job_templates"]:
        nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
        assert workflow["extra_vars"]["change_class"] in workflow["name"]
        parents = [name for name, node in nodes.items() if "apply" in node.get("success_nodes", [])]
        assert parents == ["verify"], "nothing leads to apply but the approvals"
        assert all(node.get("failure_nodes") == ["rollback"] for name, node in nodes.items() if name in ("apply", "prove"))


def test_nothing_but_the_change_can_be_said_at_launch() -> None:
    found = role_objects()
    for template in found["job_templates"] + found["workflow_job_templates"]:
        assert template["ask_variables_on_launch"] is False
        asked = [question["variable"] for question in template.get("survey_spec", {}).get("spec", [])]
        assert asked == (["change_id"] if "change:" in template["name"] else [])


def test_the_page_speaks_of_what_there_is() -> None:
    found = role_objects()
    for end in ("credential_types", "execution_environments", "projects", "schedules"):
        for obj in found[end]:
            assert f"`{obj['name']}`" in PAGE, obj["name"]
    for template in found["job_templates"]:
        assert re.search(rf"`({template['name']}|{template['name'].split(': ')[1]})`", PAGE), template["name"]
    assert set(re.findall(r"`(awx_\w+)`", PAGE)) - options().keys() <= {"awx_change_result"}
    assert set(options()) - set(re.findall(r"awx_\w+", PAGE)) <= {
        "awx_ca_path",
        "awx_galaxy_credentials",
        "awx_inventory_path",
        "awx_approval_timeout_s",
        "awx_sync_timeout_s",
    }


def test_the_pages_examples_are_read_by_the_code() -> None:
    variables = [
        yaml.safe_load(re.sub("^   ", "", block, flags=re.MULTILINE)) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    ]
    assert len(variables) == 2
    for given in variables:
        assert given.keys() - options().keys() == set()
    for schedule in variables[1]["awx_schedules"]:
        assert rrule_problems(schedule["rrule"]) == []
        awx_rules.check_rrule(schedule["rrule"])
    assert problems(role_objects(**variables[1])) == []
    names = [(one["name"], one["credential_type"]) for one in variables[0]["awx_credentials"]]
    assert names == [("Odoo ledger", "Odoo change ledger"), ("Estate vault", "Vault")]
