"""Where the work of a module is done whose host is the controller: in the task's own process, unless something sets that apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible import environment, run_module

NOBODY: dict[str, Any] = {"stanza": "shared", "max_rto": "PT1H", "host": "127.0.0.1", "port": 1, "login_password": "hunter2"}


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """Another interpreter, which notes that it was started."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\ntouch {tmp_path}/started\nexec {sys.executable} "$@"\n')
    path.chmod(0o755)
    return path


def told(result: dict[str, Any]) -> list[Any]:
    """What it comes to, without the time and what Ansible adds for a module."""
    return [result[key] for key in ("failed", "changed", "verdict", "msg", "database_bytes")] + [result["evidence"]["checks"]]


def test_both_places_say_the_same(interpreter: Path) -> None:
    here = run_module("recovery_check", NOBODY)
    assert not (interpreter.parent / "started").exists()
    elsewhere = run_module("recovery_check", NOBODY, variables={"ansible_python_interpreter": str(interpreter)})
    assert (interpreter.parent / "started").exists()
    assert told(here) == told(elsewhere)
    assert here["evidence"]["checks"][0]["code"] == "POSTGRES_UNREACHABLE"


@pytest.mark.parametrize(
    ("keyword", "elsewhere"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"environment": {"PGCONNECT_TIMEOUT": "3"}}, True, id="an-environment-of-its-own"),
        pytest.param({"environment": {}}, False, id="an-empty-environment"),
        pytest.param({"async": 60, "poll": 1}, True, id="it-may-go-on-alone"),
        *([pytest.param({"become": True, "become_user": "nobody"}, True, id="another-user")] if os.geteuid() == 0 else []),
    ],
)
def test_what_sets_it_apart(tmp_path: Path, keyword: dict[str, Any], elsewhere: bool) -> None:
    tasks = [{"odoo_ops.change_control.recovery_check": NOBODY, "ignore_errors": True, **keyword}]
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-vvv", "-i", "localhost,", str(book)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("Using module file" in done.stdout and "AnsiballZ_recovery_check" in done.stdout) == elsewhere, done.stdout
