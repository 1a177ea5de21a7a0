"""The deciding layer imports the standard library and itself, and does not look at the clock."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
CORE = sorted((PLUGINS / "module_utils" / "_core").glob("*.py"))
OWN = "ansible_collections.odoo_ops.change_control.plugins.module_utils._core"
EFFECTS = {"subprocess", "socket", "urllib", "http", "os", "shutil", "tempfile", "time", "pathlib", "threading"}


def imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(f"{OWN}.{node.module or ''}" if node.level == 1 else "." * node.level + (node.module or ""))
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.name)
def test_core_imports_only_the_standard_library_and_core(path: Path) -> None:
    names = imported(ast.parse(path.read_text()))
    strangers = {n for n in names if not n.startswith(OWN) and n.split(".")[0] not in sys.stdlib_module_names}
    assert strangers == set()
    assert {n for n in names if n.split(".")[0] in EFFECTS} == set()


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.name)
def test_core_does_not_look_at_the_clock(path: Path) -> None:
    calls = {ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)}
    assert {c for c in calls if c.endswith((".now", ".utcnow", ".today")) or c == "open"} == set()


def test_there_is_something_to_look_at() -> None:
    assert len(CORE) > 10
