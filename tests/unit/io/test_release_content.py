from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.classify import classify
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import Changed, changed_objects
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.release_content import ContentError, read_content

RELEASES = Path(__file__).resolve().parents[2] / "lab" / "releases"
RULES = read_policy()["rules"]


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal folders."""
    for name in ("before", "after"):
        (tmp_path / name / "addons" / "acme").mkdir(parents=True)
        (tmp_path / name / "addons" / "acme" / "__manifest__.py").write_text("{'depends': ['base']}")
        (tmp_path / name / "addons" / "acme" / "model.py").write_text("x = 1\n")
    return tmp_path / "before", tmp_path / "after"


def read(trees: tuple[Path, Path]) -> Any:
    return read_content(*map(str, trees))


def test_equal_folders_do_not_differ(trees: tuple[Path, Path]) -> None:
    found = read(trees)
    assert (list(found.changed), found.manifests) == ([], {})
    assert found.before == found.after


def test_what_differs_is_found_with_its_module(trees: tuple[Path, Path]) -> None:
    (trees[1] / "addons/acme/model.py").write_text("x = 2\n")
    (trees[1] / "new.txt").write_text("new")
    (trees[0] / "gone.txt").write_text("gone")
    found = read(trees)
    assert list(found.changed) == [Changed("addons/acme/model.py", "x = 2\n"), Changed("gone.txt", ""), Changed("new.txt", "new")]
    assert found.manifests == {"addons/acme": ["{'depends': ['base']}", "{'depends': ['base']}"]}
    assert found.before != found.after


@pytest.mark.parametrize("name", [".git/HEAD", "addons/__pycache__/x.py", "addons/acme/model.pyc"])
def test_what_is_no_content_is_passed_over(trees: tuple[Path, Path], name: str) -> None:
    (trees[1] / name).parent.mkdir(exist_ok=True)
    (trees[1] / name).write_text("x")
    assert list(read(trees).changed) == []


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"text with \0 in it"])
def test_what_is_no_text_is_told(trees: tuple[Path, Path], data: bytes) -> None:
    (trees[1] / "blob.bin").write_bytes(data)
    assert list(read(trees).changed) == [Changed("blob.bin", readable=False)]


def test_a_link_is_compared_and_not_followed(trees: tuple[Path, Path]) -> None:
    (trees[1] / "outside").symlink_to("/etc")
    (trees[1] / "addons/acme/link.py").symlink_to("/etc/passwd")
    assert list(read(trees).changed) == [Changed("addons/acme/link.py", readable=False), Changed("outside", readable=False)]


def test_objects_of_yaml_files(trees: tuple[Path, Path]) -> None:
    one = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: odoo-acme}\nspec: {port: %d}\n"
    many = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n"
    (trees[0] / "web.yml").write_text(one % 1)
    (trees[1] / "web.yml").write_text(one % 2 + "---\n" + many + "---\njust text\n---\n")
    assert [(o["kind"], o["metadata"]["name"]) for o in changed_objects(read(trees))] == [("Secret", "s"), ("Service", "web")]


def test_yaml_that_cannot_be_read(trees: tuple[Path, Path]) -> None:
    (trees[1] / "chart.yaml").write_text("a: {{ template }}\nb: [")
    assert [file.objects for file in read(trees).changed] == [None]


@pytest.mark.parametrize("name", ["before", "after"])
def test_a_folder_that_is_not_there_or_empty(trees: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    shutil.rmtree(tmp_path / name)
    with pytest.raises(ContentError, match=f"change.release.content.{name} is '.*', which is no folder"):
        read(trees)
    (tmp_path / name).mkdir()
    with pytest.raises(ContentError, match=f"change.release.content.{name} is '.*', which is empty"):
        read(trees)


def test_what_is_no_file_is_refused(trees: tuple[Path, Path]) -> None:
    os.mkfifo(trees[1] / "pipe")
    with pytest.raises(ContentError, match="is neither a file nor a folder"):
        read(trees)


@pytest.mark.parametrize(
    ("release", "wanted", "reason"),
    [
        pytest.param("2", "data_impacting", "a migration script (addons/acme_billing/migrations/19.0.2.0.0/pre-settlement.py)", id="2"),
        pytest.param("3", "normal", "the accounting engine (addons/acme_billing depends on account", id="3"),
        pytest.param("4", "normal", "the accounting engine (addons/acme_billing depends on account", id="4"),
    ],
)
def test_the_releases_of_the_lab(tmp_path: Path, release: str, wanted: str, reason: str) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for folder, overlays in ((before, ["common"]), (after, ["common", release])):
        for overlay in overlays:
            shutil.copytree(RELEASES / overlay, folder, dirs_exist_ok=True)
    found = classify(
        {"class": "standard", "streams": ["code"], "release": {"modules": []}}, read_content(str(before), str(after)), rules=RULES
    )
    assert found.change_class == wanted
    assert f"{wanted}: {reason}" in " ".join(found.reasons)
    assert ("database" in found.streams) == (release == "2")
