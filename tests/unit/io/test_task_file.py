"""The file that keeps tasks: whole at any time, whoever writes, is killed, or writes at the same time."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import task_evidence
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.task_file import TaskFileError, add_entry, read_evidence


def one(task: str = "t", **other: Any) -> dict[str, Any]:
    given = {"run": "r", "play": "p", "action": "a.b.c", "host": "acme", "began": "x", "seconds": 1.23456, "outcome": "ok", "no_log": False}
    found = task_evidence.entry(**{**given, "task": task, "result": {"changed": True}, **other})
    assert found is not None
    return found


def tasks(path: Path) -> list[str]:
    return [entry["task"] for entry in json.loads(path.read_bytes())["tasks"]]


def test_it_is_a_document_after_each_entry(tmp_path: Path) -> None:
    path = tmp_path / "new" / "CHG-2026-0142.json"
    for n in range(3):
        add_entry(path, one(f"task {n}"))
        assert tasks(path) == [f"task {k}" for k in range(n + 1)]
    found = read_evidence(path)
    assert (found["counts"], found["runs"]) == ({"tasks": 3, "changed": 3, "failed": 0}, ["r"])
    assert found["tasks"][0]["hosts"] == [{"host": "acme", "began": "x", "seconds": 1.235, "outcome": "ok", "changed": True}]


def test_every_cut_is_mended_with_the_whole_entries(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    for n in range(3):
        add_entry(path, one(f"task {n}"))
    whole = path.read_bytes()
    ends = [whole.index(f'"task":"task {n}"'.encode()) for n in range(3)]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        left = sum(whole.index(b"}", end) < cut for end in ends)
        if cut:
            assert read_evidence(path)["counts"]["tasks"] == left, cut
        add_entry(path, one("more"))
        assert tasks(path) == [*(f"task {n}" for n in range(left)), "more"], cut


def _write(path: Path, name: str, count: int) -> None:
    for n in range(count):
        add_entry(path, one(f"{name} {n}"))


def test_two_runs_of_a_change_write_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=_write, args=(path, name, 200)) for name in ("one", "two", "three")]
    for process in running:
        process.start()
    for process in running:
        process.join()
    found = tasks(path)
    assert len(found) == 600
    for name in ("one", "two", "three"):
        assert [t for t in found if t.startswith(f"{name} ")] == [f"{name} {n}" for n in range(200)]


def test_a_writer_that_is_killed_leaves_a_document(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    for round_ in range(5):
        process = multiprocessing.get_context("fork").Process(target=_write, args=(path, f"round {round_}", 100_000))
        process.start()
        until = time.monotonic() + 30
        while (not path.exists() or f"round {round_} 20" not in path.read_text()) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        before = read_evidence(path)["counts"]["tasks"]
        add_entry(path, one("next"))
        assert len(tasks(path)) == before + 1


@pytest.mark.parametrize("text", ["", "[]", '{"schema":2,"tasks":[]}\n', "no JSON at all\n]}\n", '{"a long and pretty one": [\n1\n]}\n'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(TaskFileError, match="Name the"):
        read_evidence(path)
    if text:
        with pytest.raises(TaskFileError, match="another file"):
            add_entry(path, one())
        assert path.read_text() == text
    with pytest.raises(TaskFileError, match="cannot be read"):
        read_evidence(tmp_path / "nosuch.json")


# -- what is kept ----------------------------------------------------------------------------------------------------------
def test_nothing_of_arguments_and_results_is_kept() -> None:
    found = one(result={"changed": "s3cret", "verdict": "s3cret", "msg": "s3cret", "invocation": {"module_args": {"password": "s3cret"}}})
    assert "s3cret" not in json.dumps(found)
    assert (found["changed"], found["verdict"]) == (False, None)
    assert one("the name tells s3cret", no_log=True)["task"] == "(no_log)"
    assert one(result={"verdict": "fail"})["verdict"] == "fail"


@pytest.mark.parametrize(
    ("action", "outcome", "kept"),
    [
        ("odoo_ops.change_control.change_guard", "ok", True),
        ("odoo_ops.change_control.change_guard", "skipped", False),
        ("ansible.builtin.set_fact", "ok", False),
        ("ansible.builtin.assert", "failed", True),
        ("ansible.builtin.include_tasks", "unreachable", True),
        ("ansible.builtin.debug", "ignored", False),
        ("ansible.builtin.copy", "ok", True),
    ],
)
def test_which_tasks_are_kept(action: str, outcome: str, kept: bool) -> None:
    given = {"run": "r", "play": "p", "task": "t", "host": "h", "began": "x", "seconds": 0.0, "no_log": False, "result": {}}
    assert (task_evidence.entry(**given, action=action, outcome=outcome) is not None) is kept


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"change": {"id": "CHG-2026-0142"}}, "CHG-2026-0142"),
        ({"change_id": "CHG-2026-0142"}, "CHG-2026-0142"),
        ({"change": "{{ lookup('file') }}", "change_id": "CHG-2026-0142"}, "CHG-2026-0142"),
        ({"change": {"id": "../../etc/passwd"}}, None),
        ({"change_id": ["CHG-2026-0142"]}, None),
        ({}, None),
    ],
)
def test_change_of(variables: dict[str, Any], wanted: str | None) -> None:
    assert task_evidence.change_of(variables) == wanted
