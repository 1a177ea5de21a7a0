"""A normal change through the real site: what passes, what is stopped, and that everything is as before then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.lab.site import wait_for
from tests.support.estate import QUICK, Estate
from tests.support.starting import new_release
from tests.support.unwritten import files, nothing_written

pytestmark = pytest.mark.lab

STEPS = ["started", "held", "checkpointed", "updated", "deployed", "proved", "opened", "released"]


def test_check_mode_writes_nothing(estate: Estate, change_id: str) -> None:
    command = estate.change_command(estate.change(change_id, "2.1", tenants="acme:bravo"), "--check", "--diff")
    before = files(estate.root)
    with nothing_written(estate.site):
        code, out = estate.run(command, change_id)
        assert code == 0, out[-4000:]
    assert files(estate.root) == before, "ledger, leases, approvals, reports: the controller's own files"
    assert "acme:" in out
    assert "cohort 1 (canary)" in out


@dataclass(frozen=True)
class Stop:
    """Why a release is stopped: at which step, with which words, and by which check of a gate with which code."""

    step: str
    words: str
    checks: dict[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("release", "stop"),
    [
        pytest.param("3", Stop("proved", r"invoice\.post", {"latency:invoice.post": "SLOWER"}), id="slow", marks=pytest.mark.quiet),
        pytest.param("4", Stop("proved", r"invoice\.post", {"errors:invoice.post": "ERRORS"}), id="posting-fails"),
        pytest.param("5", Stop("deployed", "CrashLoopBackOff.*needs ACME_LEDGER_URL to serve"), id="ends-at-its-start"),
        pytest.param(
            "7", Stop("deployed", "ProgressDeadlineExceeded|still not ready after", args=("-e", "odoo_release_wait_s=45")), id="never-ready"
        ),
        pytest.param("missing", Stop("updated", "The image cannot be had"), id="missing"),
    ],
)
def test_a_bad_release_is_stopped_and_rolled_back(
    estate: Estate, change_id: str, state: Callable[[], dict[str, Any]], release: str, stop: Stop
) -> None:
    before = state()
    change = estate.change(change_id, "3" if release == "missing" else release)
    if release == "missing":
        change["release"]["image"] = f"{change['release']['image'].split('@')[0]}@sha256:{'0' * 64}"
    code, out = estate.run_change(change, *stop.args)
    assert code != 0
    steps = estate.steps(change_id)
    assert steps[-2:] == ["acme:rolled_back", "closed"], out[-4000:]
    assert not [s for s in steps if s.startswith(("bravo:", "cedar:", "delta:"))], "later cohorts must stay untouched"
    assert state() == before
    report = json.loads(estate.report(change_id).read_text())
    assert_stopped_by(report["tenants"]["acme"]["failure"], stop)
    assert report["result"] == "failed"
    assert report["ledger"]["verdict"] == "pass"


def assert_stopped_by(failure: dict[str, Any], stop: Stop) -> None:
    """By what this release does wrong, and not by a gate that could not tell."""
    assert failure["step"] == stop.step
    assert re.search(stop.words, failure["reason"]), failure["reason"]
    if stop.checks:
        found = {check["id"]: (check["ok"], check["code"]) for check in failure["checks"]}
        assert {name: found.get(name) for name in stop.checks} == {name: (False, code) for name, code in stop.checks.items()}
        assert failure["verdict"] == "fail"
        assert "invoice.post" in failure["figures"]


def test_a_good_release_goes_through_all_cohorts(estate: Estate, change_id: str) -> None:
    change = estate.change(change_id, new_release(estate, change_id), **QUICK)
    command = estate.change_command(change)
    assert_waits_for_its_approval(estate, command, change_id)
    estate.sign(change_id)
    code, out = run_and_look_in(estate, command, change_id)
    assert code == 0, out[-6000:]
    assert_released_everywhere(estate, change, list(estate.tenants))
    steps = estate.steps(change_id)
    assert steps.index("acme:released") < steps.index("bravo:started")
    assert max(steps.index("bravo:released"), steps.index("cedar:released")) < steps.index("delta:started")
    proof = next(e["evidence"] for e in estate.events(change_id) if e["event"] == "proved" and e["tenant"] == "acme")
    assert proof["verdict"] == "pass"
    assert proof["figures"]["timesheet.create"]["decision"] == "pass"
    assert steps[-2:] == ["verified", "closed"]

    code, out = estate.run(command, f"{change_id}-again")
    assert code == 0, out[-4000:]
    assert estate.steps(change_id) == steps, "a second run records nothing new"
    assert all(" changed=0 " in line for line in out.split("PLAY RECAP")[1].splitlines() if "changed=" in line)


def assert_waits_for_its_approval(estate: Estate, command: list[str], change_id: str) -> None:
    """A plan without approval stops and says how to go on."""
    code, out = estate.run(command, f"{change_id}-plan")
    assert code != 0
    assert estate.steps(change_id) == ["planned", "gated"]
    assert "approv" in out


def run_and_look_in(estate: Estate, command: list[str], change_id: str) -> tuple[int, str]:
    """Runs the change, and looks in as a user and as the change as soon as the first tenant is held."""
    process = estate.start(command, change_id)
    wait_for(lambda: process.poll() is not None or "acme:held" in estate.steps(change_id), what="acme:held", timeout_s=300, every_s=0.02)
    looked = estate.answers("acme"), estate.answers("acme", as_change=change_id), estate.answers("bravo")
    steps = estate.steps(change_id)
    code = process.wait(1200)
    assert looked == (503, 200, 200), "users wait outside of this tenant, the change itself gets in, and other tenants serve"
    assert "acme:updated" not in steps, "looked in too late"
    return code, (estate.logs / f"{change_id}.log").read_text(errors="replace")


def assert_released_everywhere(estate: Estate, change: dict[str, Any], tenants: list[str]) -> None:
    steps = estate.steps(change["id"])
    version = estate.releases[change["title"].split()[-1]]["version"]
    for name in tenants:
        assert [s.split(":")[1] for s in steps if s.startswith(f"{name}:")] == STEPS
        assert set(estate.images(name).values()) == {change["release"]["image"]}
        assert estate.answers(name) == 200
        assert estate.sql(name, "SELECT latest_version FROM ir_module_module WHERE name = 'acme_billing'") == [(version,)]
        jobs = [job["status"] for job in estate.jobs(name) if change["id"].lower() in job["metadata"]["name"]]
        assert [(status.get("succeeded"), status.get("failed")) for status in jobs] == [(1, None)]


def test_the_five_stages_are_five_processes(estate: Estate, change_id: str) -> None:
    """What the next one needs is in the ledger. The change is one tenant's, and leaves the others alone."""
    others = {name: estate.images(name) for name in estate.tenants if name != "delta"}
    change = estate.change(change_id, new_release(estate, change_id, tenants="delta"), tenants="delta", **QUICK)

    def stage(name: str) -> list[str]:
        """Runs it; what it recorded."""
        before = len(estate.steps(change_id))
        code, out = estate.run(estate.change_command(change, playbook=f"change_{name}"), f"{change_id}-{name}")
        assert code == 0, out[-4000:]
        return estate.steps(change_id)[before:]

    assert stage("plan") == ["planned", "gated"]
    estate.sign(change_id)
    assert stage("approve") == ["approved"]
    assert stage("apply") == [f"delta:{step}" for step in STEPS]
    assert_released_everywhere(estate, change, ["delta"])
    assert stage("prove") == ["verified"]
    assert not estate.report(change_id).exists()
    assert stage("close") == ["closed"]
    report = json.loads(estate.report(change_id).read_text())
    assert (report["result"], report["ledger"]["verdict"]) == ("succeeded", "pass")
    assert {name: estate.images(name) for name in others} == others
