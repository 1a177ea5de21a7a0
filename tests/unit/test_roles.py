"""A role's inputs are described once and have one default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(p for p in (Path(__file__).resolve().parents[2] / "roles").iterdir() if p.is_dir())


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("role", ROLES, ids=lambda p: p.name)
def test_defaults_are_those_of_the_argument_specs(role: Path) -> None:
    options = {}
    for entry in read(role / "meta" / "argument_specs.yml")["argument_specs"].values():
        options.update(entry.get("options", {}))
    defaults = read(role / "defaults" / "main.yml") or {}
    described = {name: spec["default"] for name, spec in options.items() if "default" in spec}
    assert defaults == described
    assert [name for name, spec in options.items() if spec.get("required") and name in defaults] == []


@pytest.mark.parametrize(
    "path", [p for role in ROLES for p in (role / "tasks").glob("*.yml")], ids=lambda p: f"{p.parent.parent.name}/{p.name}"
)
def test_task_files_are_short_and_hide_no_failure(path: Path) -> None:
    text = path.read_text()
    assert "ignore_errors" not in text
    assert "default(" not in text
