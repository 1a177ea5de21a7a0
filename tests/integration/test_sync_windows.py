"""The role sync_windows on files: it renders, leaves alone what is right, and writes nothing where it cannot read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.ansible import environment, run_module

CALENDAR = [
    {
        "name": "production",
        "timezone": "Europe/Brussels",
        "rules": [{"name": "nights", "effect": "allow", "weekly": {"days": ["sat", "sun"], "from": "20:00", "until": "04:00"}}],
    }
]
PROJECT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "acme", "namespace": "argocd"},
    "spec": {"sourceRepos": ["https://git.example.org/acme"], "syncWindows": []},
}


class Place:
    def __init__(self, root: Path) -> None:
        self.file, self.calendars = root / "acme.yml", root / "calendars.yml"
        self.calendars.write_text(yaml.safe_dump(CALENDAR))

    def variables(self, **other: Any) -> dict[str, Any]:
        return {"change_calendars": [str(self.calendars)], "change_sync_windows": [{"project": "acme", "file": str(self.file)}], **other}

    def run(self, *args: str, **other: Any) -> tuple[int, str]:
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "odoo_ops.change_control.argocd_sync_windows", "-i", "localhost,"]
        argv += ["-e", yaml.safe_dump(self.variables(**other), default_flow_style=True, width=10**6), *args]
        env = environment({"ANSIBLE_STDOUT_CALLBACK": "default"})
        done = subprocess.run(argv, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
        return done.returncode, done.stdout + done.stderr

    def drift(self, **other: Any) -> dict[str, Any]:
        args = {"project": "acme", "file": str(self.file), "calendars": [str(self.calendars)], "enforce": False, **other}
        return run_module("sync_windows_check", args)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def codes(result: dict[str, Any]) -> list[str]:
    return [check["code"] for check in result["evidence"]["checks"] if check["ok"] is not True]


def test_renders_once_and_keeps_the_rest_of_the_project(place: Place) -> None:
    place.file.write_text(yaml.safe_dump(PROJECT))
    assert codes(place.drift()) == ["OPEN_BEYOND"]
    before = place.file.read_bytes()
    code, out = place.run("--check", "--diff")
    assert code == 0, out
    assert "changed=1" in out
    assert place.file.read_bytes() == before
    code, out = place.run()
    assert code == 0, out
    written = yaml.safe_load(place.file.read_text())
    assert written["spec"]["sourceRepos"] == PROJECT["spec"]["sourceRepos"]  # type: ignore[index]
    assert {window["kind"] for window in written["spec"]["syncWindows"]} == {"allow"}
    assert place.drift()["verdict"] == "pass"
    code, out = place.run()
    assert code == 0, out
    assert "changed=0" in out, "a second run changes nothing"


def test_a_calendar_that_changed_is_drift_and_is_rendered(place: Place) -> None:
    place.run()
    freeze = {"name": "freeze", "effect": "deny", "rrule": "FREQ=DAILY", "start": "2026-01-01T21:00", "duration": "PT1H"}
    CALENDAR[0]["rules"].append(freeze)  # type: ignore[attr-defined]
    place.calendars.write_text(yaml.safe_dump(CALENDAR))
    CALENDAR[0]["rules"].pop()  # type: ignore[attr-defined]
    result = place.drift(enforce=True)
    assert result["failed"]
    assert codes(result) == ["OPEN_BEYOND"]
    assert place.run()[0] == 0
    assert place.drift()["verdict"] == "pass"


def test_a_project_that_is_not_there_is_made(place: Place) -> None:
    assert codes(place.drift()) == ["NO_PROJECT"]
    assert place.run()[0] == 0
    assert place.drift()["verdict"] == "pass"


@pytest.mark.parametrize(
    ("file", "calendars", "wanted"),
    [
        pytest.param("kind: AppProject\nmetadata: {name: other}\n", None, "holds no AppProject acme", id="another-project"),
        pytest.param("a: 1\na: 2\n", None, "the key 'a' is there twice", id="no-yaml"),
        pytest.param(None, "- {name: x}\n", "calendar", id="a-calendar-with-an-error"),
    ],
)
def test_what_cannot_be_read_is_unknown_and_not_written_over(place: Place, file: str | None, calendars: str | None, wanted: str) -> None:
    if file is not None:
        place.file.write_text(file)
    if calendars is not None:
        place.calendars.write_text(calendars)
    result = place.drift()
    assert result["verdict"] == "unknown"
    assert wanted in result["msg"]
    code, out = place.run()
    assert code != 0
    assert wanted in out
    assert (place.file.read_text() if file is not None else place.file.exists()) == (file if file is not None else False)


def test_a_horizon_that_is_too_near_is_an_error(place: Place) -> None:
    code, out = place.run(sync_windows_horizon="P14D")
    assert code != 0
    assert "Write a horizon that is at least a day longer" in out
