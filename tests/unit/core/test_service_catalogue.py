"""What the lookup of the service catalogue tells, and that each entry's playbook is there."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.catalogue import not_standard, service
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.classify import Classified
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import Changed, Content
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import PolicyError, read_catalogue, read_policy

SERVICES, POLICY = read_catalogue(), read_policy()
PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"


def told(name: str = "core-update", *, services: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
    return service(name, services or SERVICES, POLICY, **{"domain": None, "environment": "production", **asked})


def test_an_entry_names_class_path_window_and_playbook() -> None:
    found = told()
    assert (found["class"], found["playbook"]) == ("standard", "odoo_ops.change_control.service_core_update")
    assert found["window"] == {"longest": "PT8H", "overrun": "roll_back"}
    assert (found["path"]["cell"], found["path"]["profile"]) == ("standard/application/production", "pre_approved")
    assert (found["path"]["approvals"], found["path"]["groups"]) == (0, {})
    assert found["limits"]["max_files"] == 2000


@pytest.mark.parametrize(
    ("name", "asked", "profile"),
    [
        pytest.param("postgresql-maintenance", {}, "standard/infrastructure/production", id="the-first-domain"),
        pytest.param("postgresql-maintenance", {"domain": "data"}, "standard/data/production", id="a-domain-that-is-asked-for"),
        pytest.param("core-update", {"environment": "staging"}, "standard/application/staging", id="an-environment-that-is-asked-for"),
    ],
)
def test_the_cell_is_that_of_the_question(name: str, asked: dict[str, str], profile: str) -> None:
    assert told(name, **asked)["path"]["cell"] == profile


@pytest.mark.parametrize(("limit", "wanted"), [("PT2H", "PT2H"), ("PT8H", "PT8H"), ("P1D", "PT8H")])
def test_the_shorter_of_entry_and_policy_is_the_window(limit: str, wanted: str) -> None:
    services = deepcopy(SERVICES)
    services["entries"]["core-update"]["limits"]["max_duration"] = limit
    assert told(services=services)["window"]["longest"] == wanted


def test_an_entry_of_a_higher_class_tells_its_approvals() -> None:
    services = deepcopy(SERVICES)
    services["entries"]["core-update"]["class"] = "data_impacting"
    path = told(services=services)["path"]
    assert (path["approvals"], path["customer"]) == (2, ["dedicated", "high_compliance"])


@pytest.mark.parametrize(
    ("name", "asked", "wanted"),
    [
        ("core-updat", {}, "Did you mean core-update?"),
        ("x", {}, "Write one of: core-update"),
        ("core-update", {"domain": "data"}, "is not for the domain 'data'. Ask for one of: application."),
    ],
)
def test_what_the_catalogue_does_not_have(name: str, asked: dict[str, str], wanted: str) -> None:
    with pytest.raises(ValueError, match="the entry") as caught:
        told(name, **asked)
    assert wanted in str(caught.value)


def test_an_entry_of_another_class_makes_nothing_standard() -> None:
    services = deepcopy(SERVICES)
    services["entries"]["core-update"]["class"] = "normal"
    change = {
        "catalogue_entry": "core-update",
        "domain": "application",
        "environment": "production",
        "release": {"modules": ["base"]},
        "window": {"duration": "PT1H"},
    }
    content = Content("a", "b", [Changed("odoo/http.py")], {})
    found = Classified("standard", (), ("code",), (), ())
    assert not_standard(change, content, found, SERVICES, tenants=["acme"]) == []
    assert not_standard(change, content, found, services, tenants=["acme"]) == ["the entry is for changes of the class normal"]


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("class", "urgent", "catalogue.entries.core-update.class is 'urgent'. Write one of"),
        ("playbook", "core update", "catalogue.entries.core-update.playbook is 'core update'. Write the playbook that carries"),
        ("playbook", None, "catalogue.entries.core-update.playbook is missing. Write the playbook that carries"),
    ],
)
def test_an_entry_without_class_or_playbook_is_an_error(tmp_path: Path, key: str, value: str | None, wanted: str) -> None:
    services = deepcopy(SERVICES)
    services["entries"]["core-update"][key] = value
    if value is None:
        del services["entries"]["core-update"][key]
    (tmp_path / "catalogue.yml").write_text(yaml.safe_dump(services))
    with pytest.raises(PolicyError) as caught:
        read_catalogue(str(tmp_path / "catalogue.yml"))
    assert wanted in str(caught.value)


@pytest.mark.parametrize("name", SERVICES["entries"])
def test_each_entry_that_ships_has_its_playbook(name: str) -> None:
    playbook = SERVICES["entries"][name]["playbook"]
    plays = yaml.safe_load((PLAYBOOKS / f"{playbook.rpartition('.')[2]}.yml").read_text())
    imports = [play["ansible.builtin.import_playbook"] for play in plays]
    assert plays[0]["vars"] == {"service_playbook": playbook}
    assert imports[0] == "service_entry.yml"
    assert imports[1:] in (["change_stages.yml"], ["change_plan.yml", "change_approve.yml", "service_not_carried_out.yml"])
    stages = [play for play in plays if play["ansible.builtin.import_playbook"].startswith("change_")]
    assert all(play["vars"] == {"change_class": "{{ __service.class }}"} for play in stages)
