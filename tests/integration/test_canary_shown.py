"""What a canary shows: its chart, and what it says while it runs on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible import environment, run_module
from tests.support.fake_odoo import ACCOUNT, canary, serving


@pytest.fixture(scope="module")
def old() -> Iterator[str]:
    with serving(0.02) as url:
        yield url


@pytest.fixture(scope="module")
def slow() -> Iterator[str]:
    with serving(0.04) as url:
        yield url


def test_the_chart_is_written_whole_and_holds_no_secret(old: str, slow: str, tmp_path: Path) -> None:
    file = tmp_path / "canary.html"
    found = run_module("odoo_canary", canary(old, slow, chart=str(file)))
    assert (found["verdict"], found["failed"]) == ("fail", True), found["msg"]
    page = file.read_text()
    assert "login: fail (SLOWER)" in page and "Canary of tenant acme, CHG-2026-0142" in page
    assert found["sentence"] in page
    assert [path.name for path in tmp_path.iterdir()] == ["canary.html"]
    assert not any(ACCOUNT[name] in page for name in ("password", "api_key"))
    assert len(json.dumps(found["figures"])) < 5000


def test_in_check_mode_there_is_no_chart(old: str, slow: str, tmp_path: Path) -> None:
    found = run_module("odoo_canary", canary(old, slow, chart=str(tmp_path / "canary.html")), check=True)
    assert (found["verdict"], found["failed"], found["stopped"]) == ("unknown", False, "check_mode")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["nowhere/canary.html", "."])
def test_a_chart_that_cannot_be_written_is_refused_before_anything_is_done(tmp_path: Path, name: str) -> None:
    gone = "http://127.0.0.1:9"
    found = run_module("odoo_canary", canary(gone, gone, chart=str(tmp_path / name), ready_timeout_s=0.2))
    assert found["failed"]
    assert "tenant acme: chart: " in found["msg"] and "director" in found["msg"], found["msg"]


# -- the terminal ----------------------------------------------------------------------------------------------------------
def watched(options: dict[str, Any], tmp_path: Path, *, terminal: bool, variables: dict[str, Any] | None = None) -> tuple[str, str]:
    """What ansible-playbook prints, on a pseudo terminal or into a pipe, and what it writes to its log."""
    book, log = tmp_path / "book.yml", tmp_path / "ansible.log"
    tasks = [{"name": "Compare", "odoo_ops.change_control.odoo_canary": options}]
    book.write_text(
        json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables or {}, "tasks": tasks}])
    )
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(book)]
    env = environment({"ANSIBLE_LOG_PATH": str(log)})
    parent, child = pty.openpty() if terminal else os.pipe()
    said = b""
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=child, stderr=child) as running:
        os.close(child)
        while select.select([parent], [], [], 120)[0]:
            try:
                part = os.read(parent, 65536)
            except OSError:  # a terminal whose other end is closed
                break
            if not part:
                break
            said += part
        os.close(parent)
        running.wait(timeout=60)
    return said.decode(), log.read_text()


LONG = {"min_rounds": 2000, "max_rounds": 2000, "budget_s": 12, "enforce": False}  # nothing is decided in this time


def test_on_a_terminal_it_says_every_five_seconds_what_is_known(old: str, tmp_path: Path) -> None:
    told, log = watched(canary(old, old, **LONG), tmp_path, terminal=True)
    lines = [line for line in told.splitlines() if "rounds in" in line]
    assert len(lines) == 2, told
    pattern = r"canary of acme: \d+ rounds in \d+ s; login open, [\d.]+ \([\d.]+ to [\d.]+\) over \d+ pairs, about \d+ more"
    assert all(re.fullmatch(pattern, line) for line in lines), told
    assert told.index(lines[-1]) < told.index("localhost | SUCCESS"), "while it runs, not afterwards"
    assert "rounds in" not in log
    assert not any(ACCOUNT[name] in told for name in ("password", "api_key"))


def other_interpreter(folder: Path) -> dict[str, Any]:
    """One that is not the process of Ansible: then the work is done by a module."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    path.chmod(0o755)
    return {"ansible_python_interpreter": str(path)}


@pytest.mark.parametrize(("terminal", "module"), [(False, False), (True, True)], ids=["into-a-pipe", "as-a-module"])
def test_elsewhere_it_says_nothing(old: str, tmp_path: Path, terminal: bool, module: bool) -> None:
    variables = other_interpreter(tmp_path) if module else {}
    told, _log = watched(canary(old, old, **{**LONG, "budget_s": 7}), tmp_path, terminal=terminal, variables=variables)
    assert "localhost | SUCCESS" in told and '"stopped": "budget"' in told
    assert "rounds in" not in told
