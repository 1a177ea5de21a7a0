"""A policy that compares with the tenant's own record, because the old release cannot run beside the new one."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.canary_record import Record, Run, encode

from tests.support.estate import QUICK, Estate
from tests.support.starting import new_release

pytestmark = pytest.mark.lab

RECORD = "odoo_release_canary_record"


def by_record(policy: dict[str, Any]) -> None:
    for profile in policy["profiles"].values():
        if profile["strategy"] == "canary":
            profile |= {"strategy": "record", "rollback": {"tolerance": 2}}


def remembered(folder: Path, tenant: str, seconds: float) -> None:
    """A record of five days on which a timesheet line took so long."""
    now = dt.datetime.now(dt.timezone.utc)
    days = [
        Run(
            change=f"CHG-2026-000{day}",
            release=f"of day {day}",
            measured_at=(now - dt.timedelta(days=9 - day)).isoformat(timespec="seconds"),
            steps={"timesheet.create": [seconds * (1 + day / 500 + k / 100) for k in range(60)]},
        )
        for day in range(5)
    ]
    (folder / f"{tenant}.json").write_bytes(encode(Record(tenant, tuple(days))))


def test_a_tenant_is_held_against_its_own_record(estate: Estate, change_id: str, tmp_path: Path) -> None:
    change = estate.change(change_id, new_release(estate, change_id, tenants="acme"), tenants="acme", **QUICK)
    policy, place = estate.policy(change_id, by_record), ["-e", f"{RECORD}={tmp_path}"]
    code, out = estate.run_change(change, *policy)
    assert code != 0
    assert f"and {RECORD} is empty. Set it to where the canaries of earlier changes left theirs" in out, out[-4000:]
    assert "stopped, untouched, after 'started'" in out
    code, out = estate.run(estate.change_command(change, *policy, *place), change_id)
    assert code != 0
    assert "no earlier run is recorded" in out and "stopped, untouched, after 'started'" in out, out[-4000:]
    assert "acme:started" not in estate.steps(change_id)

    remembered(tmp_path, "acme", 5.0)
    code, out = estate.run(estate.change_command(change, *policy, *place), change_id)
    assert code == 0, out[-4000:]
    (proved,) = (e["evidence"] for e in estate.events(change_id) if e["event"] == "proved")
    assert (proved["verdict"], proved["baseline"]["kind"], proved["baseline"]["runs"]) == ("pass", "record", 5)
    runs = json.loads((tmp_path / "acme.json").read_text())["runs"]
    assert [run["change"] for run in runs[5:]] == [change_id], "what passed belongs to the record"


def test_a_release_that_is_slower_than_the_record_is_taken_back(estate: Estate, change_id: str, tmp_path: Path) -> None:
    change = estate.change(change_id, new_release(estate, change_id, tenants="acme"), tenants="acme", **QUICK)
    remembered(tmp_path, "acme", 0.002)
    before = estate.images("acme")
    code, out = estate.run_change(change, *estate.policy(change_id, by_record), "-e", f"{RECORD}={tmp_path}")
    assert code != 0
    assert "rolled back after 'proved'" in out and "timesheet.create takes" in out, out[-4000:]
    assert estate.images("acme") == before
    assert len(json.loads((tmp_path / "acme.json").read_text())["runs"]) == 5, "what failed is no baseline for anybody"
