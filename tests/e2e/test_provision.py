"""tenant_provision on the whole site: a second run, check mode, an image that stays, and no secret in the output."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.parts.postgres import connect
from tests.lab.site import Site
from tests.support.estate import Estate
from tests.support.unwritten import nothing_written

pytestmark = pytest.mark.lab

NEW = "echo"


@pytest.fixture(scope="module")
def people(lab: Site) -> Estate:
    return Estate(lab)


def changes(out: str) -> dict[str, int]:
    """Changed tasks by tenant, from the recap."""
    return {name: int(count) for name, count in re.findall(r"^(\w+)\s+: ok=\d+\s+changed=(\d+)", out, re.MULTILINE)}


@pytest.fixture
def with_a_new_tenant(people: Estate, tmp_path: Path) -> Iterator[Path]:
    """The lab's inventory with one tenant more, and nothing of it anywhere."""
    inventory = tmp_path / "inventory"
    shutil.copytree(people.inventory, inventory)
    hosts = inventory / "hosts.ini"
    hosts.write_text(hosts.read_text().replace("[multi_tenant]\n", f"[multi_tenant]\n{NEW}\n"))
    variables = yaml.safe_load((inventory / "host_vars" / "acme.yml").read_text())
    named = yaml.safe_dump(variables).replace("acme", NEW)
    (inventory / "host_vars" / f"{NEW}.yml").write_text(named)
    (inventory / "host_vars" / f"{NEW}.yml").chmod(0o600)
    yield inventory
    with connect(people.site.facts("postgres")["clusters"]["shared"]) as db:
        db.execute(f"DROP DATABASE IF EXISTS {NEW} WITH (FORCE)")


def command(people: Estate, *args: str, inventory: Path | None = None) -> list[str]:
    argv = people.command("tenant_provision", *args)
    return [str(inventory) if inventory and a == str(people.inventory) else a for a in argv]


def test_tenants_answer(people: Estate) -> None:
    assert {name: people.answers(name) for name in people.tenants} == dict.fromkeys(people.tenants, 200)


def test_a_second_run_changes_nothing(people: Estate) -> None:
    with nothing_written(people.site):
        code, out = people.run(command(people), "provision-again")
    assert code == 0, out[-4000:]
    assert changes(out) == dict.fromkeys(people.tenants, 0), out[-4000:]


def test_images_move_by_a_change_only(people: Estate) -> None:
    runs = {name: people.images(name) for name in people.tenants}
    other = next(r["image"] for r in people.releases.values() if r["image"] not in runs["acme"].values())
    code, out = people.run(command(people, "-e", f"tenant_release_image={other}", "--limit", "acme"), "provision-other-image")
    assert code == 0, out[-4000:]
    assert changes(out) == {"acme": 0}
    assert {name: people.images(name) for name in people.tenants} == runs


def test_check_mode_of_a_tenant_that_is_not_there_writes_nothing(people: Estate, with_a_new_tenant: Path) -> None:
    with nothing_written(people.site):
        code, out = people.run(command(people, "--check", "--diff", "--limit", NEW, inventory=with_a_new_tenant), "provision-check")
    assert code == 0, out[-4000:]
    assert changes(out)[NEW] == 4, "database, filestore, objects, canary company"


def test_no_secret_in_the_most_talkative_output(people: Estate, with_a_new_tenant: Path) -> None:
    """In what is shown of a new tenant's objects, and in the debugging output of every task."""
    variables = yaml.safe_load((with_a_new_tenant / "host_vars" / f"{NEW}.yml").read_text())
    code, out = people.run(command(people, "--check", "--diff", "-vvv", "--limit", NEW, inventory=with_a_new_tenant), "provision-vvv")
    assert code == 0, out[-4000:]
    secrets = list(strings(variables, lambda key: bool(re.search("password|secret|api_key|PASSWORD|SECRET", key))))
    assert len(secrets) >= 6
    assert [s for s in secrets if s in out] == []


def strings(value: Any, wanted: Callable[[str], bool], key: str = "") -> Iterator[str]:
    """The texts whose own key is wanted."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, wanted, str(name))
    elif isinstance(value, str) and wanted(key) and len(value) > 6:
        yield value


def test_a_tag_is_refused_before_anything_is_touched(people: Estate) -> None:
    code, out = people.run(command(people, "-e", "tenant_release_image=registry.lab/odoo:latest", "--limit", "acme"), "provision-tag")
    assert code != 0
    assert "write the digest" in out
    assert changes(out) == {"acme": 0}
