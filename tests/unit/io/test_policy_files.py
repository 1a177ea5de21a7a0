from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import PolicyError, read_catalogue, read_policy

SHIPPED, SERVICES = read_policy(), read_catalogue()
Edit = Callable[[dict[str, Any]], Any]


def refused(path: Path, read: Any = read_policy) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        read(str(path))
    return caught.value


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    def write(document: Any) -> Path:
        path = tmp_path / "policy.yml"
        path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
        return path

    return write


def test_a_copy_of_what_ships_is_valid(write: Callable[[Any], Path]) -> None:
    assert read_policy(str(write(SHIPPED))) == SHIPPED
    assert read_catalogue(str(write(SERVICES))) == SERVICES


def add(*path: str, value: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        for folder in path[:-1]:
            document = document[folder]
        document[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        pytest.param(lambda d: d["cells"]["normal"].pop("data"), "policy.cells.normal.data is missing. Write the profile of", id="cell"),
        pytest.param(lambda d: d["cells"].pop("emergency"), "policy.cells.emergency is missing. Write its four domains", id="class"),
        pytest.param(
            lambda d: d["cells"]["normal"]["data"].pop("uat"),
            "policy.cells.normal.data.uat is missing. Write the name of",
            id="environment",
        ),
        pytest.param(
            lambda d: d["profiles"]["guarded"].pop("gates"),
            "policy.profiles.guarded.gates is missing. Write a list of: calendars",
            id="key",
        ),
        pytest.param(
            add("profiles", "free", "gate", value=[]), "policy.profiles.free.gate is not a known key. Did you mean gates?", id="unknown-key"
        ),
        pytest.param(
            add("profiles", "free", "strategy", value="yolo"), "policy.profiles.free.strategy is 'yolo'. Write one of", id="value"
        ),
        pytest.param(add("rules", value=[{"name": "x", "when": {}}]), "policy.rules.0", id="empty-rule"),
        pytest.param(add("rules", value=[{"name": "x", "when": {"shared": True}}]), "policy.rules.0 is", id="rule-without-consequence"),
        pytest.param(
            add("rules", value=[{"name": "x", "when": {"path": ["a"]}, "class": "normal"}]), "Did you mean paths?", id="condition"
        ),
    ],
)
def test_the_form_is_judged(write: Callable[[Any], Path], edit: Edit, wanted: str) -> None:
    document = deepcopy(SHIPPED)
    edit(document)
    error = refused(write(document))
    assert any(wanted in told for told in error.facts["errors"]), error


def test_every_error_is_named_at_once(write: Callable[[Any], Path]) -> None:
    document = deepcopy(SHIPPED)
    del document["cells"]["normal"]["data"], document["version"]
    document["profiles"]["free"]["soak"] = 3
    error = refused(write(document))
    assert len(error.facts["errors"]) == 3
    assert ": 3 errors:\n- " in str(error)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("", "policy is None. Write a mapping.", id="empty"),
        pytest.param("[]", "policy is []. Write a mapping.", id="a-list"),
        pytest.param("a: [", "is not valid YAML", id="broken"),
        pytest.param("schema: 1\nschema: 1", "the key 'schema' is there twice", id="a-key-twice"),
    ],
)
def test_what_is_no_policy(write: Callable[[Any], Path], text: str, wanted: str) -> None:
    assert wanted in str(refused(write(text)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read" in str(refused(tmp_path / "nosuch.yml"))
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe")
    assert "is not valid YAML" in str(refused(tmp_path / "binary.yml"))


def test_a_catalogue_is_judged_too(write: Callable[[Any], Path]) -> None:
    document = deepcopy(SERVICES)
    del document["entries"]["core-update"]["limits"]["max_files"]
    assert "catalogue.entries.core-update.limits.max_files is missing" in str(refused(write(document), read_catalogue))
