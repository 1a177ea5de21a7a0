"""Where the collection's own tasks hand secrets to modules, and which options are kept from output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.leak_options import Option, is_action, names, options

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(p for p in (ROOT / "roles").iterdir() if (p / "tasks").is_dir())
PREFIX = "odoo_ops.change_control."
SECRET = {name for name in names() if any(option.no_log for option in options(name))}
BY_FILE = {PREFIX + name for name in SECRET if not is_action(name)}
"""Modules that get secrets. Ansible puts a module with its arguments into a file, unless it is handed over by standard input."""


@pytest.mark.parametrize("option", [o for name in names() for o in options(name) if o.looks_secret], ids=str)
def test_an_option_whose_name_speaks_of_a_secret_is_kept_from_output(option: Option) -> None:
    assert option.no_log, f"{option}: set no_log, or say in tests/support/leak_options.py why it is no secret"


def tasks(entries: Any, inherited: bool) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every task, with whether its module comes by standard input."""
    for task in entries or []:
        piped = (task.get("vars") or {}).get("ansible_pipelining", inherited) is True
        inner = [part for key in ("block", "rescue", "always") for part in task.get(key) or []]
        yield from tasks(inner, piped) if inner else [(task, piped)]


def patterns(task: dict[str, Any]) -> list[str]:
    """What the task includes; an asterisk for what only the run knows."""
    found = [task.get(f"ansible.builtin.{how}_tasks") for how in ("include", "import")]
    return [re.sub(r"\{\{.*?\}\}", "*", str(one["file"] if isinstance(one, dict) else one)) for one in found if one]


def included(task: dict[str, Any], folder: Path) -> list[Path]:
    return [path for pattern in patterns(task) for path in folder.glob(pattern)]


def unpiped(path: Path, inherited: bool, seen: frozenset[tuple[Path, bool]] = frozenset()) -> Iterator[str]:
    """The tasks of a file and of what it includes that would put secrets into files."""
    if (path, inherited) in seen:
        return
    for task, piped in tasks(yaml.safe_load(path.read_text()), inherited):
        if not piped and BY_FILE & set(task):
            yield f"{path.relative_to(ROOT)}: {task['name']}"
        for inner in included(task, path.parent):
            yield from unpiped(inner, piped, seen | {(path, inherited)})


def entries(role: Path) -> list[Path]:
    """The files that no other file of the role includes by name: those that a playbook can begin with, or that anything may include."""
    files = sorted((role / "tasks").glob("*.yml"))
    every = [(task, path.parent) for path in files for task, _piped in tasks(yaml.safe_load(path.read_text()), False)]
    named = {one for task, folder in every if not {"*", "*.yml"} & set(patterns(task)) for one in included(task, folder)}
    return [path for path in files if path not in named]


@pytest.mark.parametrize("path", [path for role in ROLES for path in entries(role)], ids=lambda p: f"{p.parent.parent.name}/{p.name}")
def test_modules_that_get_secrets_come_by_standard_input(path: Path) -> None:
    assert list(unpiped(path, False)) == []


def test_playbooks_call_no_module_that_gets_secrets() -> None:
    for path in (ROOT / "playbooks").glob("*.yml"):
        for play in yaml.safe_load(path.read_text()):
            every = [task for key in ("pre_tasks", "tasks", "post_tasks", "handlers") for task, _piped in tasks(play.get(key), False)]
            assert [task for task in every if BY_FILE & set(task)] == [], path.name


def test_there_is_something_to_look_at() -> None:
    main = ROOT / "roles" / "odoo_release" / "tasks" / "main.yml"
    assert {PREFIX + "tenant_checkpoint", PREFIX + "odoo_canary"} <= BY_FILE
    assert main in entries(main.parent.parent)
    assert len(list(unpiped(main.with_name("forward.yml"), False))) >= 2
