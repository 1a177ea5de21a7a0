"""The playbooks of the service catalogue as Ansible runs them, without a site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_change_plan import PLAYBOOK, Place

# The stages of a service without its reading of a cluster: those of the other tests stand in their place.
SERVICE = f"""
- import_playbook: odoo_ops.change_control.service_entry
  vars: {{service_playbook: odoo_ops.change_control.service_postgresql_maintenance}}
{PLAYBOOK}
- import_playbook: odoo_ops.change_control.service_not_carried_out
  vars: {{service_lacks: sets parameters of PostgreSQL}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    (tmp_path / "run.yml").write_text(SERVICE)
    return found


def settings(place: Place, **other: Any) -> dict[str, Any]:
    """A change of a PostgreSQL setting of the shared cluster."""
    (place.root / "after/addons/acme_screens/views/form.xml").unlink()
    place.put("after", "postgresql/shared.conf", "work_mem = 64MB\n")
    given = {"class": "standard", "catalogue_entry": "postgresql-maintenance", "domain": "infrastructure", "streams": ["config"], **other}
    change = place.change(**given)
    change["release"]["modules"] = []
    return change


def test_a_service_that_nothing_carries_out_is_recorded_and_refused(place: Place) -> None:
    code, out = place.run(settings(place), change_class="{{ __service.class }}")
    assert code != 0
    assert "approved in advance as postgresql-maintenance" in out
    assert "is planned, gated and approved, and nothing was changed: no role of this version sets parameters of PostgreSQL." in out
    assert place.events() == ["planned", "gated"]


def test_beyond_its_entry_it_is_refused_before_it_is_planned(place: Place) -> None:
    change = settings(place)
    place.put("after", "nginx/nginx.conf", "x 1;\n")
    code, out = place.run(change, change_class="{{ __service.class }}")
    assert code != 0
    assert "not the pre-approved change: nginx/nginx.conf differ outside of the entry's paths" in out
    assert place.events() == []


@pytest.mark.parametrize(
    ("entry", "playbook", "wanted"),
    [
        pytest.param(None, "service_core_update", "no change file with a catalogue_entry was given", id="no-entry"),
        pytest.param("core-updat", "service_core_update", "Did you mean core-update?", id="unknown-entry"),
        pytest.param("core-update", "service_module_deployment", "Run odoo_ops.change_control.service_core_update instead", id="another"),
        pytest.param("certificate-renewal", "service_ingress_change", "is not for the domain 'application'", id="another-domain"),
    ],
)
def test_the_playbook_of_another_entry_refuses(place: Place, entry: str | None, playbook: str, wanted: str) -> None:
    code, out = place.run(place.change(**({"catalogue_entry": entry} if entry else {})), playbook=playbook)
    assert code != 0
    assert wanted in " ".join(out.split())
    assert place.events() == []


def test_a_service_that_is_carried_out_takes_the_path_of_its_class(place: Place) -> None:
    """As far as it goes without a cluster: a change that its entry does not cover is refused as one of another class."""
    place.put("after", "addons/acme_screens/models/form.py", "x = 1")
    change = place.change(**{"class": "standard", "catalogue_entry": "module-deployment"})
    code, out = place.run(change, playbook="service_module_deployment")
    assert code != 0
    assert "Run the playbook change_normal instead" in out
