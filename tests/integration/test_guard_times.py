"""change_guard as Ansible runs it, on a real ledger: after the window, during a soak, with a wrong clock, and overtaken by another run."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.action.change_guard import _moved

from tests.support.ansible import environment, run_module
from tests.support.recorded import CHANGE, RecordedChange, tenant

TENANTS = [tenant("acme", 1), tenant("bravo", 2), tenant("cedar", 2)]
Make = Callable[..., RecordedChange]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A change planned 20 minutes ago whose window opened then and ends so many minutes from now; acme is released since 10 minutes."""

    def of(ends_min: int = 60, **demands: Any) -> RecordedChange:
        at = now() - dt.timedelta(minutes=20)
        window = {"start": at.isoformat(), "duration": f"PT{20 + ends_min}M"}
        made = RecordedChange(tmp_path, TENANTS, at=at, window=window, **demands)
        made.release("acme", at=now() - dt.timedelta(minutes=10))
        return made

    return of


def codes(result: dict[str, Any]) -> set[str]:
    return {check["code"] for check in result["evidence"]["checks"] if check["ok"] is not True}


def test_the_next_tenant_may_start(make: Make) -> None:
    result = run_module("change_guard", make().guard("bravo", step="started"))
    assert (result["verdict"], result["token"], result["soak_left_s"]) == ("pass", 1, 0), result
    assert result["failed"] is False


def test_a_release_soaks_before_the_next_cohort_starts(make: Make) -> None:
    made = make(soak_s=900)
    result = run_module("change_guard", made.guard("bravo", step="started"))
    assert (result["failed"], codes(result)) == (True, {"SOAKING"})
    assert 280 < result["soak_left_s"] <= 300
    # the proof of what is released waits for it as well
    assert 280 < run_module("change_guard", made.guard("acme", purpose="state"))["soak_left_s"] <= 300
    assert made.ledger.lease("bravo") is None


def test_nobody_waits_for_a_soak_that_ends_after_the_window(make: Make) -> None:
    result = run_module("change_guard", make(4, soak_s=900).guard("bravo", step="started"))
    assert (codes(result), result["soak_left_s"]) == ({"SOAKING"}, 0)
    assert "change_close" in result["msg"]


@pytest.mark.parametrize(
    ("overrun", "begun", "untouched"),
    [
        ("roll_back", {"WINDOW_OVER"}, {"WINDOW_OVER"}),
        ("stop_before_next_cohort", set(), {"WINDOW_OVER"}),
        ("finish_cohort", set(), set()),
    ],
)
def test_what_goes_on_after_the_window(make: Make, overrun: str, begun: set[str], untouched: set[str]) -> None:
    made = make(-1, overrun=overrun)
    assert codes(run_module("change_guard", made.guard("bravo", step="started", enforce=False))) == {"WINDOW_OVER"}
    made.record("started", "bravo", at=now())
    result = run_module("change_guard", made.guard("bravo", step="held", enforce=False))
    assert codes(result) == begun
    assert ("OVERRUN" in {check["code"] for check in result["evidence"]["checks"]}) is not bool(begun)
    assert codes(run_module("change_guard", made.guard("cedar", step="started", enforce=False))) == untouched
    assert run_module("change_guard", made.guard("bravo", purpose="rollback"))["verdict"] == "pass"


def test_a_calendar_stops_whoever_is_untouched(make: Make) -> None:
    made = make(overrun="finish_cohort")
    made.record("started", "bravo", at=now())
    rule = {"name": "closed", "effect": "deny", "once": {"from": "2020-01-01T00:00", "until": "2099-01-01T00:00"}}
    calendars = [{"name": "closing", "timezone": "UTC", "rules": [rule]}]
    assert codes(run_module("change_guard", made.guard("bravo", step="held", calendars=calendars, enforce=False))) == set()
    assert codes(run_module("change_guard", made.guard("cedar", step="started", calendars=calendars, enforce=False))) == {"BLACKOUT"}


WRONG_CLOCK = """
import datetime, os
_off = datetime.timedelta(seconds=float(os.environ["CLOCK_OFF_S"]))
class _Wrong(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(super().now(datetime.timezone.utc).timestamp() + _off.total_seconds(), tz)
datetime.datetime = _Wrong
"""


@pytest.mark.parametrize(("off_s", "code"), [(0, None), (20, None), (60, "CLOCK_SKEW"), (-660, "CLOCK_BACKWARD")])
def test_a_clock_that_cannot_be_believed(make: Make, tmp_path: Path, off_s: int, code: str | None) -> None:
    """The controller's clock is off; that of the ledger, which is this machine's file system, is not."""
    made = make()
    folder = tmp_path / "wrong"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WRONG_CLOCK)
    env = {"PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}", "CLOCK_OFF_S": str(off_s)}
    result = run_module("change_guard", made.guard("bravo", step="started"), env=env)
    told = {check["code"] for check in result["evidence"]["checks"] if check["ok"] is None}
    assert (result["verdict"], told) == (("unknown", {code}) if code else ("pass", set())), result["msg"]
    assert run_module("change_guard", made.guard("bravo", purpose="rollback"), env=env)["verdict"] == "pass"


OVERTAKE = """
import datetime, sys
from tests import conftest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.lease import Holder, Process
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import lease_store
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import open_ledger
lease_store.alive = lambda process: None  # as another machine sees it
args = dict(ledger=sys.argv[1], ledger_key=sys.argv[2], ledger_trusted=sys.argv[2] + ".pub")
book, later = open_ledger(args), datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
lease = book.acquire_lease("bravo", Holder("CHG-2026-0142", "awx", Process("pod-1", "another boot", 1, "5")), ttl_s=60, now=later)
if sys.argv[3] == "done":
    book.release_lease(lease)
"""


def run_play(tmp_path: Path, play: dict[str, Any]) -> None:
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")]
    done = subprocess.run(
        [*command, "-e", f"ansible_python_interpreter={sys.executable}"], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def play(tmp_path: Path, made: RecordedChange, overtaker: str) -> list[dict[str, Any]]:
    """One run: the guard of two steps with a takeover between them, the record of a step, the way back, and a run from the start."""
    (tmp_path / "overtake.py").write_text(OVERTAKE)
    takeover = [sys.executable, str(tmp_path / "overtake.py"), str(tmp_path / "ledger"), str(tmp_path / "ledger.pem"), overtaker]
    mine = {"token": "{{ first.token | int }}"}
    book = {key: made.guard("bravo")[key] for key in ("ledger", "ledger_key", "ledger_trusted")}
    lenient = {"ignore_errors": True}
    tasks: list[dict[str, Any]] = [
        {"odoo_ops.change_control.change_guard": made.guard("bravo", step="started"), "register": "first"},
        {"odoo_ops.change_control.change_guard": made.guard("bravo", step="started", **mine), "register": "again"},
        {"ansible.builtin.command": {"argv": takeover}, "when": bool(overtaker)},
        {"odoo_ops.change_control.change_guard": made.guard("bravo", step="started", **mine), "register": "late", **lenient},
        {
            "odoo_ops.change_control.change_record": {
                **book,
                "change": CHANGE,
                "tenant": "bravo",
                "event": "started",
                "leased": True,
                **mine,
            },
            "register": "told",
            **lenient,
        },
        {"odoo_ops.change_control.change_guard": made.guard("bravo", purpose="rollback", **mine), "register": "back", **lenient},
        {
            "ansible.builtin.copy": {
                "dest": str(tmp_path / "out.json"),
                "content": "{{ [first, again, late, told, back] | to_json }}",
                "mode": "0600",
            }
        },
    ]
    run_play(tmp_path, {"hosts": "localhost", "gather_facts": False, "tasks": tasks})
    return list(json.loads((tmp_path / "out.json").read_text()))


@pytest.mark.parametrize("overtaker", ["at work", "done"])
def test_a_run_that_was_overtaken_does_and_records_nothing_more(make: Make, tmp_path: Path, overtaker: str) -> None:
    made = make()
    first, again, late, told, back = play(tmp_path, made, overtaker)
    assert (first["token"], again["token"]) == (1, 1)
    assert (late["failed"], codes(late)) == (True, {"LEASE_LOST"})
    assert "fencing token 1" in late["msg"]
    assert (told["failed"], told["code"]) == (True, "LEASE_LOST")
    assert (back["failed"], codes(back)) == (True, {"LEASE_LOST"})
    lease = made.ledger.lease("bravo")
    assert lease is not None
    assert (lease.token, lease.released, lease.holder.executor) == (2, overtaker == "done", "awx")
    assert not [event for event in made.ledger.events(CHANGE) if event.tenant == "bravo"]


def test_what_was_recorded_since_the_ledger_was_read_is_seen(make: Make) -> None:
    made = make()
    events = made.ledger.events(CHANGE)
    assert not _moved(made.ledger, CHANGE, "bravo", events)
    made.record("started", "cedar")
    assert not _moved(made.ledger, CHANGE, "bravo", events), "of others"
    made.record("started", "bravo")
    assert _moved(made.ledger, CHANGE, "bravo", events)


def test_a_run_that_keeps_its_lease_goes_on(make: Make, tmp_path: Path) -> None:
    made = make()
    _first, again, late, told, back = play(tmp_path, made, "")
    assert [one["token"] for one in (again, late, back)] == [1, 1, 1]
    assert told["changed"] is True


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_a_run_waits_for_what_is_left_of_the_soak(make: Make, tmp_path: Path, check: bool) -> None:
    made = make(soak_s=620)
    options = made.guard("bravo")
    variables = {f"change_{key}": options[key] for key in ("ledger", "ledger_key", "ledger_trusted")}
    tasks = [
        {
            "odoo_ops.change_control.change_guard": {key: options[key] for key in ("ledger", "ledger_trusted", "change", "tenant")}
            | {"purpose": "state"},
            "register": "__odoo_release_state",
        },
        {
            "ansible.builtin.include_role": {"name": "odoo_ops.change_control.odoo_release", "tasks_from": "soak.yml"},
            "when": "__odoo_release_state.soak_left_s > 0",
        },
        {"odoo_ops.change_control.change_guard": {**options, "step": "started"}, "when": "not ansible_check_mode"},
    ]
    play = {
        "hosts": "bravo",
        "gather_facts": False,
        "tasks": tasks,
        "vars": {**variables, "change_ledger_s3": {}, "change": options["change"]},
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "bravo,", "-c", "local", str(tmp_path / "play.yml")]
    env = environment({"ANSIBLE_STDOUT_CALLBACK": "default"})
    done = subprocess.run([*command, *(["--check"] if check else [])], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("RETRYING" in done.stdout) is not check
    assert "is watched until" in done.stdout
    assert ((lease := made.ledger.lease("bravo")) is None) is check, lease


RESCUE = yaml.safe_load((Path(__file__).resolve().parents[2] / "roles/odoo_release/tasks/forward.yml").read_text())[0]["rescue"]


def test_a_run_that_was_overtaken_leaves_the_way_back_to_the_other(make: Make, tmp_path: Path) -> None:
    """The rescue of the role, behind each kind of failure: only a lost lease makes it leave the tenant alone."""
    made = make(-1)
    options = made.guard("bravo")
    book = {key: options[key] for key in ("ledger", "ledger_key", "ledger_trusted")}
    event = {**book, "change": CHANGE, "tenant": "bravo", "event": "started", "leased": True, "token": 7}
    failures = {
        "the guard is refused the lease": {"odoo_ops.change_control.change_guard": made.guard("bravo", purpose="rollback", token=7)},
        "the record is refused": {"odoo_ops.change_control.change_record": event},
        "the window is over": {"odoo_ops.change_control.change_guard": made.guard("bravo", step="started")},
        "a module fails": {"ansible.builtin.fail": {"msg": "no"}},
        "a command fails": {"ansible.builtin.command": {"argv": ["false"]}},
    }
    keep, back = RESCUE[0], RESCUE[1]
    assert (list(keep), back["when"]) == (["name", "ansible.builtin.set_fact", "vars"], "not __odoo_release_lost")
    out = {"dest": str(tmp_path / "out"), "content": "{{ found | to_json }}", "mode": "0600"}
    tell = {"ansible.builtin.set_fact": {"found": "{{ found + [[__odoo_release_lost, __odoo_release_failure.reason]] }}"}}
    tasks = [{"block": [task], "rescue": [keep, tell]} for task in failures.values()]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"found": [], "__odoo_release_step": "held"},
        "tasks": [*tasks, {"ansible.builtin.copy": out}],
    }
    run_play(tmp_path, play)
    found = json.loads((tmp_path / "out").read_text())
    assert dict(zip(failures, [lost for lost, _reason in found], strict=True)) == {
        "the guard is refused the lease": True,
        "the record is refused": True,
        "the window is over": False,
        "a module fails": False,
        "a command fails": False,
    }
    assert all(reason for _lost, reason in found)
