"""restore_drill with Odoo on the restored copy: files, neutralisation, transactions, a rehearsal; over the lab's repository in S3."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch import processes_in

from tests.lab import images
from tests.lab.parts.postgres import connect
from tests.lab.site import Site, wait_for
from tests.support import ansible
from tests.support.ansible import run_module
from tests.support.odoo_tenant import SECRETS, OdooTenant

pytestmark = pytest.mark.lab

PARTS = ["releases"]

DATABASE = "drill_test"
WRAPPER = """#!/bin/sh
# The release that ODOO_IMAGE names; what it is asked is noted.
echo "$ODOO_IMAGE $*" >>{notes}
{more}
exec {store}/"${{ODOO_IMAGE##*:}}"/bin/odoo "$@"
"""


@pytest.fixture(scope="module")
def tenant(site: Site) -> Iterator[OdooTenant]:
    """A tenant in the shared cluster's newest backup, with mails and payments that would go out."""
    made = OdooTenant.made(site, DATABASE, files=True)
    cluster = site.facts("postgres")["clusters"]["shared"]
    with connect(cluster, DATABASE) as db:
        db.execute("INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_authentication, active)"
                   " VALUES ('real', 'mail.example.com', 25, 'none', 'login', true)")  # fmt: skip
    made.backed_up()
    yield made
    made.gone()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "asked"


def wrapper(tenant: OdooTenant, tmp_path: Path, notes: Path, more: str = "") -> str:
    file = tmp_path / "odoo-of-image"
    store = tenant.site.folder("store") / "sha256"
    file.write_text(WRAPPER.format(notes=notes, more=more, store=store))
    file.chmod(0o755)
    return str(file)


def image(tenant: OdooTenant, release: str) -> str:
    return tenant.image(release).name


def options(here: OdooTenant, scratch: Path, command: str, *, odoo: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    cluster = here.site.facts("postgres")["clusters"]["shared"]
    serve = {
        "command": command,
        "image": image(here, "2"),
        "run_as": "root",  # the lab's Odoo lies in root's folder
        "login": SECRETS["CANARY_LOGIN"],
        "password": SECRETS["CANARY_PASSWORD"],
        "api_key": SECRETS["CANARY_API_KEY"],
    }
    return {
        "stanza": cluster["stanza"],
        "command": cluster["pgbackrest"],
        "scratch": str(scratch),
        "databases": [DATABASE],
        "odoo": {**serve, **(odoo or {})},
        "filestore": {"path": str(here.files)},
        **more,
    }


def drill(here: OdooTenant, scratch: Path, command: str, **more: Any) -> dict[str, Any]:
    found = run_module("restore_drill", options(here, scratch, command, **more))
    assert SECRETS["CANARY_API_KEY"] not in json.dumps(found)
    return found


def bad(found: dict[str, Any]) -> set[str]:
    return {check["code"] for check in found["evidence"]["checks"] if check["ok"] is not True}


def test_odoo_works_on_the_copy_and_reaches_nobody(tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path) -> None:
    found = drill(tenant, scratch, wrapper(tenant, tmp_path, notes))
    assert found["verdict"] == "pass", found["msg"]
    seen = {check["id"]: check["observed"] for check in found["evidence"]["checks"]}
    assert seen["no_route_outside"] == ["lo"]
    assert seen["neutralised"] == "nothing acts by itself"
    assert {"errors:login", "errors:invoice.post", "errors:timesheet.create", "clean"} <= set(seen)
    assert found["odoo"]["modules"][images.ADDON] == images.version("2")
    assert {"filestore_s", "neutralise_s", "odoo_s"} <= set(found["phases"])
    asked = [line.split()[1] for line in notes.read_text().splitlines()]
    assert asked[0] == "neutralize"
    with connect(tenant.site.facts("postgres")["clusters"]["shared"], DATABASE) as db:  # the source is as it was
        assert db.execute("SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host = 'mail.example.com'").fetchone() == (1,)


def test_a_copy_that_is_not_neutralised_is_not_started(tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path) -> None:
    """The command says that it has done it, and has not."""
    lazy = 'case "$1" in neutralize) exit 0 ;; esac'
    found = drill(tenant, scratch, wrapper(tenant, tmp_path, notes, lazy))
    assert (found["verdict"], bad(found)) == ("fail", {"NEUTRAL"}), found["msg"]
    assert "outgoing mail servers" in found["msg"]
    assert "scheduled actions" in found["msg"]
    assert [line.split()[1] for line in notes.read_text().splitlines()] == ["neutralize"]


@pytest.mark.parametrize(
    ("more", "odoo", "code"),
    [
        pytest.param('case "$1" in neutralize) echo "cannot" >&2; exit 3 ;; esac', {}, "NEUTRAL", id="neutralisation-fails"),
        pytest.param('case "$*" in *--http-port*) echo "ValueError: no" >&2; exit 3 ;; esac', {}, "ODOO_START", id="odoo-does-not-start"),
        pytest.param("", {"password": "wrong", "login": "somebody"}, "TRANSACTIONS", id="a-user-that-is-not-there"),
    ],
)
def test_odoo_that_does_not_work_fails_the_drill(
    tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path, more: str, odoo: dict[str, Any], code: str
) -> None:
    found = drill(tenant, scratch, wrapper(tenant, tmp_path, notes, more), odoo=odoo)
    assert found["verdict"] != "pass"
    assert bad(found) == {code}, found["msg"]


def test_files_that_are_gone_or_damaged_fail_the_drill(tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path) -> None:
    copy = tmp_path / "filestore"
    shutil.copytree(tenant.files, copy)
    first, second = sorted(p for p in copy.rglob("*") if p.is_file())[:2]
    first.unlink()
    second.write_bytes(second.read_bytes() + b"x")
    found = drill(tenant, scratch, wrapper(tenant, tmp_path, notes), filestore={"path": str(copy)})
    assert (found["verdict"], bad(found)) == ("fail", {"FILESTORE_MISSING", "FILESTORE_CORRUPT"}), found["msg"]
    assert not notes.exists()


def test_a_change_is_rehearsed_on_the_copy(tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path) -> None:
    update = {"image": image(tenant, "2.1"), "modules": [images.ADDON], "digest": "sha256:abc", "max_time": "PT5M"}
    found = drill(tenant, scratch, wrapper(tenant, tmp_path, notes), kind="single_tenant", odoo={"update": update})
    assert found["verdict"] == "pass", found["msg"]
    seen = found["rehearsal"]
    assert (seen["digest"], seen["modules"]) == ("sha256:abc", images.ADDON)
    assert 0 < seen["seconds"] < 300
    assert seen["rows"]["ir_module_module"]["updated"] > 0
    assert found["odoo"]["modules"][images.ADDON] == images.version("2.1")
    assert sum(image(tenant, "2.1") in line for line in notes.read_text().splitlines()) >= 2


def test_a_change_that_breaks_the_copy_fails_its_rehearsal(tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path) -> None:
    update = {"image": image(tenant, "4"), "modules": [images.ADDON]}
    found = drill(tenant, scratch, wrapper(tenant, tmp_path, notes), kind="single_tenant", odoo={"update": update})
    assert (found["verdict"], bad(found)) == ("fail", {"TRANSACTIONS"}), found["msg"]
    assert "invoice.post" in found["msg"]


# -- a rebuild -----------------------------------------------------------------------------------------------------------


def parts(tenant: OdooTenant, place: Path, **more: Any) -> dict[str, Any]:
    """What the lab's tenant is made of."""
    for name in ("configuration", "manifests", "infrastructure"):
        (place / name).mkdir(parents=True, exist_ok=True)
        (place / name / "all.yml").write_text(f"what: {name}\n")
    full = tenant.site.facts("releases")["releases"]["2"]["image"]
    return {
        "tenant": DATABASE,
        "location": str(place / "recovery"),
        **{name: str(place / name) for name in ("configuration", "manifests", "infrastructure")},
        "modules": str(tenant.image("2") / "addons"),
        "release": {"image": full, "odoo": "19.0", "modules": {images.ADDON: images.version("2")}},
        "secret_references": [{"name": "role", "kept_in": "vault:odoo/drill#role"}],
        **more,
    }


def rebuild(here: OdooTenant, scratch: Path, tmp_path: Path, notes: Path, **more: Any) -> dict[str, Any]:
    command = wrapper(here, tmp_path, notes)
    where = {"bundle": str(tmp_path / "recovery" / DATABASE), "max_rto": "PT10M"}
    return drill(here, scratch, command, kind="rebuild", odoo={"image": "not-this-one"}, **{**where, **more})


def test_a_tenant_is_built_anew_from_what_is_kept(tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path) -> None:
    made = run_module("recovery_bundle", parts(tenant, tmp_path))
    assert made["changed"], made["msg"]
    found = rebuild(tenant, scratch, tmp_path, notes)
    assert found["verdict"] == "pass", found["msg"]
    phases = found["phases"]
    assert found["rto_s"] > phases["configuration_s"] + phases["restore_s"] + phases["filestore_s"]
    asked = notes.read_text().splitlines()
    assert all(image(tenant, "2") in line.split()[0] for line in asked), "the image of the bundle"
    assert all("--addons-path=" in line for line in asked if "--db_host" in line), "the modules of the bundle"
    late = rebuild(tenant, scratch, tmp_path, notes, max_rto="PT1S")
    assert (late["verdict"], bad(late)) == ("fail", {"RTO"}), late["msg"]


def test_what_is_kept_does_not_make_the_tenant(tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path) -> None:
    """No bundle, one that is damaged, one of another tenant, one of another release."""
    found = rebuild(tenant, scratch, tmp_path, notes)
    assert bad(found) == {"NO_BUNDLE"}, found["msg"]
    whole = Path(run_module("recovery_bundle", parts(tenant, tmp_path))["bundle"])
    packed = whole / "modules.tar.gz"
    data = packed.read_bytes()
    packed.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    assert bad(rebuild(tenant, scratch, tmp_path, notes)) == {"CHECKSUM"}
    packed.write_bytes(data)
    assert bad(rebuild(tenant, scratch, tmp_path, notes, tenant="globex")) == {"TENANT"}
    assert not notes.exists()
    release = {"image": tenant.site.facts("releases")["releases"]["2"]["image"], "modules": {images.ADDON: "19.0.1.0.0"}}
    time.sleep(1.1)  # bundles are called after the second
    assert run_module("recovery_bundle", parts(tenant, tmp_path, release=release))["changed"]
    found = rebuild(tenant, scratch, tmp_path, notes)
    assert bad(found) == {"RELEASE"}, found["msg"]


# -- kills ---------------------------------------------------------------------------------------------------------------

PHASES = {
    "configuration": "kit/*",
    "restore": "data/*",
    "start": "data/postmaster.pid",
    "filestore": "odoo/data/filestore/*/*",
    "neutralize": "odoo/reached-neutralize",
    "update": "odoo/reached-update",
    "serving": "odoo/odoo.log",
}
STAYS = 'case "$*" in neutralize*) touch reached-neutralize; sleep {n} ;; *--update=*) touch reached-update; sleep {u} ;; esac'


def test_killed_at_any_phase_the_next_drill_leaves_nothing(tenant: OdooTenant, scratch: Path, tmp_path: Path, notes: Path) -> None:
    run_module("recovery_bundle", parts(tenant, tmp_path))
    before: Path | None = None
    for phase, marker in PHASES.items():
        stays = STAYS.format(n=60 if phase == "neutralize" else 0, u=60 if phase == "update" else 0)
        update = {"image": image(tenant, "2.1"), "modules": [images.ADDON]}
        given = options(tenant, scratch, wrapper(tenant, tmp_path, notes, stays), odoo={"update": update})
        argv = ansible.command("restore_drill", {**given, "kind": "rebuild", "bundle": str(tmp_path / "recovery" / DATABASE)})
        process = subprocess.Popen(argv, env=ansible.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            found = wait_for(lambda m=marker: next(scratch.glob(f"shared.*.*/{m}"), None), what=phase, timeout_s=120, every_s=0.01)
            folder = scratch / found.relative_to(scratch).parts[0]
            assert before is None or not before.exists(), "the drill before is cleaned up first"
            pid = int(folder.name.split(".")[1])
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda p=pid: not Path(f"/proc/{p}").exists(), what="the module to die")
        finally:  # what it started may hold its output open for a while
            process.kill()
            process.wait()
        before = folder
    found = drill(tenant, scratch, wrapper(tenant, tmp_path, notes))
    assert (found["verdict"], found["cleaned"]) == ("pass", [str(before)]), found["msg"]
    assert before and processes_in(before) == []
