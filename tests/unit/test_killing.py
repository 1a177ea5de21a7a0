"""A strike only counts where it hit: the fault tests hang on that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.killing import Place, all_end, begun, kill_at, of_run

# What ansible-playbook is here: it says that a task has begun, and its worker in another session stays
RUN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(4)"], start_new_session=True)
print("TASK [role : Act] ***", flush=True)
time.sleep(float(sys.argv[1]))
child.kill()
"""
HERE = Place("here", ("role : Act",), unrecorded="acme:held")


class Runs:
    """As much of an estate as a strike needs."""

    def __init__(self, logs: Path, *steps: str) -> None:
        self.logs, self.recorded = logs, list(steps)

    def steps(self, _change_id: str) -> list[str]:
        return self.recorded

    def start(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self.logs / f"{log}.log").open("wb") as out:
            return subprocess.Popen(command, env={**os.environ, "ODOO_RUN": log}, stdout=out, start_new_session=True)


def run_for(seconds: float) -> list[str]:
    return [sys.executable, "-c", RUN, str(seconds)]


@pytest.mark.parametrize("alone", [False, True])
def test_a_strike_ends_the_run_and_its_workers_unless_it_is_alone(tmp_path: Path, alone: bool) -> None:
    place = Place("here", ("role : Act",), alone=alone)
    assert kill_at(Runs(tmp_path), run_for(20), "TST-1", place, timeout_s=10)  # type: ignore[arg-type]
    assert len(of_run(place.log("TST-1"))) == (1 if alone else 0)
    all_end([place.log("TST-1")], timeout_s=15)


@pytest.mark.parametrize(
    ("seconds", "place"),
    [
        pytest.param(20, Place("elsewhere", ("role : Other",)), id="never-came-there-in-time"),
        pytest.param(20, Place("unrecorded", event="acme:held"), id="never-recorded-in-time"),
        pytest.param(0.1, Place("too late", ("role : Act",), after_s=1), id="ended-by-itself"),
    ],
)
def test_a_strike_that_did_not_hit_is_told(tmp_path: Path, seconds: float, place: Place) -> None:
    assert not kill_at(Runs(tmp_path), run_for(seconds), "TST-2", place, timeout_s=1.0)  # type: ignore[arg-type]
    assert of_run(place.log("TST-2")) == []


def test_a_strike_after_the_step_was_recorded_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="struck after acme:held was recorded"):
        kill_at(Runs(tmp_path, "acme:held"), run_for(20), "TST-3", HERE, timeout_s=10)  # type: ignore[arg-type]


def test_tasks_must_begin_one_after_the_other() -> None:
    out = "TASK [role : Apply | route]\nTASK [role : Act (released)]\n"
    assert begun(out, ["Act (released)"])
    assert not begun(out, ["Act (released)", "Apply | route"])
    assert begun(f"{out}TASK [role : Apply | route]\n", ["Act (released)", "Apply | route"])
