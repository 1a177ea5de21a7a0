"""recovery_bundle over real folders: what is written, what is refused, and what a gate finds."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import recovery_bundle_files as files

from tests.support.ansible import run_module

IMAGE = "registry/odoo@sha256:" + "ab" * 32


def given(place: Path, **more: Any) -> dict[str, Any]:
    for name in ("configuration", "manifests", "modules", "infrastructure"):
        if not (place / name).exists():
            (place / name / "deep").mkdir(parents=True)
            (place / name / "deep" / "file.yml").write_text(f"{name}: 1\n")
    return {
        "tenant": "acme",
        "location": str(place / "recovery"),
        **{name: str(place / name) for name in ("configuration", "manifests", "modules", "infrastructure")},
        "release": {"image": IMAGE, "modules": {"acme_billing": "19.0.2.0.0"}},
        "secret_references": [{"name": "role", "kept_in": "vault:odoo/acme#role"}],
        **more,
    }


def verified(place: Path, **more: Any) -> dict[str, Any]:
    return run_module("recovery_bundle", {"tenant": "acme", "location": str(place / "recovery"), "state": "verified", **more})


def bad(found: dict[str, Any]) -> set[str]:
    return {check["code"] for check in found["evidence"]["checks"] if check["ok"] is not True}


def test_it_is_written_once_and_again_when_something_changed(tmp_path: Path) -> None:
    would = run_module("recovery_bundle", given(tmp_path), check=True)
    assert (would["changed"], would["failed"], (tmp_path / "recovery").exists()) == (True, False, False)
    made = run_module("recovery_bundle", given(tmp_path))
    assert (made["changed"], made["verdict"]) == (True, "pass"), made["msg"]
    os.utime(tmp_path / "configuration/deep/file.yml", (1, 1))  # a time is no content
    assert run_module("recovery_bundle", given(tmp_path))["changed"] is False
    assert verified(tmp_path)["verdict"] == "pass"

    (tmp_path / "configuration/deep/file.yml").write_text("configuration: 2\n")
    sources = {key: given(tmp_path)[key] for key in ("configuration", "manifests")}
    stale = verified(tmp_path, **sources)
    assert (bad(stale), stale["other"], stale["failed"]) == ({"OUTDATED"}, ["configuration"], True)
    would = run_module("recovery_bundle", given(tmp_path), check=True)
    assert (would["changed"], would["other"]) == (True, ["configuration"])
    time.sleep(1.1)  # bundles are called after the second
    again = run_module("recovery_bundle", given(tmp_path, keep=1))
    assert again["changed"]
    assert [path.name for path in (tmp_path / "recovery/acme").glob("2*")] == [Path(again["bundle"]).name]
    assert verified(tmp_path, **sources)["verdict"] == "pass"
    into = tmp_path / "elsewhere"
    into.mkdir()
    kit = files.unpack(Path(again["bundle"]), into)
    assert (kit["configuration"] / "deep/file.yml").read_text() == "configuration: 2\n"
    assert json.loads(kit["release"].read_text())["image"] == IMAGE


def flip(bundle: Path) -> None:
    data = bytearray((bundle / "manifests.tar.gz").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "manifests.tar.gz").write_bytes(data)


def rewrite_document(bundle: Path) -> None:
    document = json.loads((bundle / "bundle.json").read_text())
    document["parts"].pop("infrastructure")
    (bundle / "bundle.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        pytest.param(flip, "CHECKSUM", id="a-flipped-bit"),
        pytest.param(lambda bundle: (bundle / "release.json").unlink(), "INCOMPLETE", id="a-lost-file"),
        pytest.param(lambda bundle: (bundle / "bundle.json").unlink(), "CHECKSUM", id="a-lost-document"),
        pytest.param(rewrite_document, "CHECKSUM", id="a-document-that-was-edited"),
        pytest.param(lambda bundle: (bundle / "modules.tar.gz").write_bytes(b""), "CHECKSUM", id="an-empty-file"),
        pytest.param(
            lambda bundle: shutil.copyfile(bundle / "modules.tar.gz", bundle / "manifests.tar.gz"),
            "CHECKSUM",
            id="swapped",
        ),
        pytest.param(shutil.rmtree, "NO_BUNDLE", id="none-left"),
        pytest.param(lambda bundle: bundle.parent.rename(bundle.parents[1] / "globex"), "NO_BUNDLE", id="of-another-tenant"),
    ],
)
def test_every_damage_has_its_code(tmp_path: Path, damage: Callable[[Path], Any], code: str) -> None:
    damage(Path(run_module("recovery_bundle", given(tmp_path))["bundle"]))
    found = verified(tmp_path)
    assert (found["verdict"], bad(found)) == ("fail", {code}), found["msg"]


def test_a_damaged_one_is_followed_by_a_good_one(tmp_path: Path) -> None:
    flip(Path(run_module("recovery_bundle", given(tmp_path))["bundle"]))
    time.sleep(1.1)
    assert run_module("recovery_bundle", given(tmp_path))["changed"]
    assert verified(tmp_path)["verdict"] == "pass"


def test_what_a_killed_run_left_counts_for_nothing(tmp_path: Path) -> None:
    home = tmp_path / "recovery/acme"
    left = home / ".new-4711"
    left.mkdir(parents=True)
    (left / "release.json").write_text("{}")
    assert bad(verified(tmp_path)) == {"NO_BUNDLE"}
    assert run_module("recovery_bundle", given(tmp_path))["changed"]
    assert not left.exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"configuration": "/nowhere"}, "configuration is /nowhere, which is not there", id="not-there"),
        pytest.param({"release": {"image": "registry/odoo:19"}}, "wanted one by its digest", id="a-tag"),
        pytest.param({"tenant": "../acme"}, "tenant is '../acme'", id="a-name-that-leads-away"),
        pytest.param({"keep": 0}, "keep is 0", id="keeps-none"),
        pytest.param({"secret_references": [{"name": "role", "kept_in": "it is hunter2"}]}, "may be a secret", id="a-secret-for-its-name"),
        pytest.param(
            {"secret_references": [{"name": "role", "kept_in": "https://u:pw@vault/odoo"}]},
            "an address with a password",
            id="password-in-address",
        ),
    ],
)
def test_bad_input_is_told_and_writes_nothing(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    found = run_module("recovery_bundle", given(tmp_path, **more))
    assert found["failed"]
    assert words in found["msg"]
    assert not (tmp_path / "recovery").exists()


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    args = given(tmp_path)
    (tmp_path / "modules/away").symlink_to("/etc/hostname")
    found = run_module("recovery_bundle", args)
    assert "leads out of" in found["msg"]
    assert not (tmp_path / "recovery").exists()


def test_a_tar_that_writes_elsewhere_is_not_unpacked(tmp_path: Path) -> None:
    bundle = Path(run_module("recovery_bundle", given(tmp_path))["bundle"])
    evil = tmp_path / "evil"
    evil.write_text("x")
    with tarfile.open(bundle / "modules.tar.gz", "w:gz") as tar:
        tar.add(evil, arcname="../escaped")
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(files.BundleError, match="cannot be unpacked"):
        files.unpack(bundle, into)
    assert not (tmp_path / "escaped").exists()
