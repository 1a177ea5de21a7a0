"""Ends a playbook with SIGKILL at a chosen place: workers and all, as a lost node does, or ``ansible-playbook`` alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.site import wait_for
from tests.support.estate import Estate

# A release whose migration leaves a row each time it runs
COUNTING = "6"
# Of two cohorts
TENANTS = ["acme", "bravo"]


@dataclass(frozen=True)
class Place:
    """Where to strike: ``tasks`` have begun one after the other, or ``event`` is recorded, and ``after_s`` seconds later.

    ``unrecorded`` is the step that must not be recorded when it was struck there: else the strike came too late to be one.
    ``alone``: only ``ansible-playbook`` is killed; its workers and their modules live on.
    """

    name: str
    tasks: tuple[str, ...] = ()
    event: str = ""
    after_s: float = 0.0
    unrecorded: str = ""
    alone: bool = False

    def log(self, change_id: str) -> str:
        return f"{change_id}-killed-{self.name.replace(' ', '-')}"


def kill_at(estate: Estate, command: Sequence[str], change_id: str, place: Place, *, timeout_s: float = 600) -> bool:
    """Runs the command and kills it at the place. False when it ended by itself, or never came there in time."""
    log = place.log(change_id)
    recorded = estate.steps(change_id).count(place.event)
    process = estate.start(command, log)
    reached = comes_to(estate, process, change_id, place, recorded, timeout_s=timeout_s)
    process.kill()
    if not place.alone or not reached:
        kill_all(log)
    process.wait()
    if place.unrecorded:
        assert place.unrecorded not in estate.steps(change_id), f"{place.name}: struck after {place.unrecorded} was recorded"
    return reached and process.returncode == -signal.SIGKILL


def comes_to(estate: Estate, process: subprocess.Popen[bytes], change_id: str, place: Place, recorded: int, *, timeout_s: float) -> bool:
    """Waits until the run is at the place, ``after_s`` included."""
    out, end = estate.logs / f"{place.log(change_id)}.log", time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < end:
        here = estate.steps(change_id).count(place.event) > recorded if place.event else begun(out.read_text(errors="replace"), place.tasks)
        if here:
            time.sleep(place.after_s)
            return True
        time.sleep(0.02)
    return False


def begun(out: str, tasks: Sequence[str]) -> bool:
    """Whether the output shows that all tasks have begun, in this order."""
    at = 0
    for task in tasks:
        at = out.find(f"{task}]", at) + 1
        if not at:
            return False
    return True


def kill_all(log: str) -> None:
    """Ansible's workers have sessions of their own and outlive their parent: a lost node takes them along.

    Until none is seen: one may have been about to start another, and a killed one is gone a moment later.
    """
    end = time.monotonic() + 10
    while (left := of_run(log)) and time.monotonic() < end:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def all_end(logs: Sequence[str], *, timeout_s: float = 60) -> None:
    """Waits until no process of these runs is left; LabError when one stays."""
    wait_for(lambda: not [pid for log in logs for pid in of_run(log)], what=f"the end of what {logs} left behind", timeout_s=timeout_s)


def of_run(log: str) -> list[int]:
    """All processes of one run: its mark is in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"ODOO_RUN={log}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def strike(estate: Estate, command: Sequence[str], change_id: str, places: Sequence[Place]) -> None:
    """Kills the command at each place in turn."""
    for place in places:
        assert kill_at(estate, command, change_id, place), f"{place.name}: it ended before, or never came there"


def signed(estate: Estate, change: dict[str, Any]) -> list[str]:
    """The command of a change that is planned and signed."""
    stage(estate, change, "plan")
    estate.sign(change["id"])
    return estate.change_command(change)


def stage(estate: Estate, change: dict[str, Any], name: str) -> None:
    code, out = estate.run(estate.change_command(change, playbook=f"change_{name}"), f"{change['id']}-{name}")
    assert code == 0, out[-4000:]


def updates(estate: Estate, name: str) -> int:
    """How often the migration of release 6 ran in the tenant's database, all committed."""
    if estate.sql(name, "SELECT to_regclass('acme_update_log')") == [(None,)]:
        return 0
    return int(estate.sql(name, "SELECT count(*) FROM acme_update_log")[0][0])


def assert_closed(estate: Estate, change_id: str, result: str) -> None:
    report = json.loads(estate.report(change_id).read_text())
    assert (report["result"], report["ledger"]["verdict"]) == (result, "pass")
    assert estate.steps(change_id).count("closed") == 1
