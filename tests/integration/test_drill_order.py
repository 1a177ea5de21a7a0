"""drill_due over a real, signed ledger and an inventory, and the order in which the playbook goes by it."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key, trust_only

from tests.support.ansible import command, environment, parse

NOW = dt.datetime.now(dt.timezone.utc)
STANZAS = {"acme": "shared", "bravo": "shared", "delta": "dedicated", "echo": "new"}
TIERS = {"multi_tenant": ["acme", "bravo", "echo"], "high_compliance": ["delta"]}
OBJECTIVES = {
    "multi_tenant": {"rto": "PT4H", "rpo": "PT1H", "drill": "P30D"},
    "dedicated": {"rto": "PT2H", "rpo": "PT1H", "drill": "P30D"},
    "high_compliance": {"rto": "PT1H", "rpo": "PT30M", "drill": "P14D"},
}


class Estate:
    def __init__(self, root: Path) -> None:
        self.root = root
        signer = create_key(root / "ledger.pem")
        self.ledger = Ledger(DirectoryStore(root / "ledger"), trust=trust_only(signer), signer=signer)
        hosts: dict[str, Any] = {name: {"tenant_backup_stanza": stanza, "tenant_database_name": name} for name, stanza in STANZAS.items()}
        inventory = {"all": {"hosts": hosts, "children": {tier: {"hosts": dict.fromkeys(names)} for tier, names in TIERS.items()}}}
        (root / "inventory.yml").write_text(yaml.safe_dump(inventory))
        (root / "policy.yml").write_text(yaml.safe_dump({**read_policy(), "objectives": OBJECTIVES}))

    def drilled(self, stanza: str, *, days_ago: float, verdict: str = "pass") -> None:
        at = NOW - dt.timedelta(days=days_ago)
        evidence = {"stanza": stanza, "verdict": verdict}
        self.ledger.append(f"DRILL-{at:%Y-%j}", "drilled", actor="cron", at=at, tenant=stanza, once=False, evidence=evidence)

    @property
    def options(self) -> dict[str, Any]:
        names = {"ledger": "ledger", "ledger_trusted": "ledger.pem.pub", "policy": "policy.yml"}
        return {option: str(self.root / name) for option, name in names.items()}

    def due(self, **more: Any) -> dict[str, Any]:
        argv = command("drill_due", {**self.options, "tenants": "all", **more})
        argv[argv.index("-i") + 1] = str(self.root / "inventory.yml")
        done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        return {"failed": done.returncode != 0, "said": " ".join(done.stderr.split()), **parse(done.stdout)}


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def test_the_newest_drill_counts_and_the_tier_says_for_how_long(estate: Estate) -> None:
    estate.drilled("shared", days_ago=40, verdict="fail")
    estate.drilled("shared", days_ago=20)
    estate.drilled("dedicated", days_ago=20)
    estate.drilled("new", days_ago=3)
    estate.drilled("new", days_ago=2, verdict="fail")
    found = estate.due(within="P7D")
    assert not found["failed"]
    assert [(c["stanza"], c["state"], c["taken"]) for c in found["clusters"]] == [
        ("dedicated", "stale", True),  # P14D, and promised within an hour
        ("new", "stale", True),
        ("shared", "fresh", False),
    ]
    assert (found["hosts"], found["stanzas"]) == (["delta", "echo"], ["dedicated", "new"])
    assert found["clusters"][2]["tenants"] == ["acme", "bravo"]
    assert found["lines"][1] == "new: drilled now, its newest drill did not pass (fail)"


def test_a_stale_one_for_which_there_is_no_time_fails(estate: Estate) -> None:
    found = estate.due(within="P7D", at_most=2)
    assert (found["failed"], found["verdict"]) == (True, "fail")
    assert found["hosts"] == ["delta", "echo"]
    assert [(c["code"], c["observed"]) for c in found["evidence"]["checks"]] == [("DRILLS_LEFT", "shared: it was never drilled")]
    assert not estate.due(within="P7D", at_most=2, enforce=False)["failed"]


def test_a_schedule_that_cannot_keep_up_is_told_before_anything_is_stale(estate: Estate) -> None:
    for stanza in STANZAS.values():
        estate.drilled(stanza, days_ago=1)
    found = estate.due(within="P7D", at_most=1)
    assert found["verdict"] == "pass"
    assert "3 clusters need 1.5 drills every 7.0 days, and at_most is 1" in found["said"]


def test_a_record_that_was_altered_is_not_gone_by(estate: Estate) -> None:
    estate.drilled("shared", days_ago=1, verdict="fail")
    entry = next((estate.root / "ledger").glob("DRILL-*/*.json"))
    entry.write_bytes(entry.read_bytes().replace(b"payload", b"Payload"))
    found = estate.due()
    assert found["failed"]
    assert "clusters" not in found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"within": "a week"}, "option within: duration 'a week' is not understood", id="within"),
        pytest.param({"max_age": "P1M"}, "option max_age: duration 'P1M' is not understood", id="max-age"),
        pytest.param({"at_most": 0}, "option at_most is 0. Give 1 or more", id="none"),
        pytest.param({"tenants": "nowhere"}, "'nowhere' matches no tenant", id="nobody"),
    ],
)
def test_bad_input(estate: Estate, options: dict[str, Any], said: str) -> None:
    found = estate.due(**options)
    assert found["failed"]
    assert said in found["msg"]


def test_the_playbook_goes_by_it(estate: Estate) -> None:
    """In its order, each cluster once with all of its tenants; what is proved for longer is left. The tool writes down what it is asked."""
    estate.drilled("new", days_ago=1)
    tool = estate.root / "pgbackrest"
    tool.write_text(f'#!/bin/sh\necho "$@" >>{estate.root}/calls\nexit 1\n')
    tool.chmod(0o755)
    variables = {
        "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "change_ledger": str(estate.root / "ledger"),
        "change_ledger_key": str(estate.root / "ledger.pem"), "change_ledger_trusted": str(estate.root / "ledger.pem.pub"),
        "change_policy": str(estate.root / "policy.yml"), "drill_within": "P7D", "tenant_backup_command": str(tool),
        "backup_gate_scratch": str(estate.root / "scratch"),
    }  # fmt: skip
    playbook = [str(Path(sys.executable).parent / "ansible-playbook"), "odoo_ops.change_control.restore_drill"]
    argv = [*playbook, "-i", str(estate.root / "inventory.yml"), "-e", json.dumps(variables)]
    done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0, "no drill of a tool that fails passes"
    asked = [line for line in (estate.root / "calls").read_text().splitlines() if " info" in line]
    assert [next(name for name in set(STANZAS.values()) if f"--stanza={name}" in line) for line in asked] == ["dedicated", "shared"]
    recorded = [e for change in estate.ledger.changes() for e in estate.ledger.events(change) if e.actor != "cron"]
    # the drills have an order, their records are written side by side
    assert {(e.tenant, e.evidence["stanza"], e.evidence["verdict"]) for e in recorded} == {
        ("delta", "dedicated", "unknown"),
        ("acme", "shared", "unknown"),
    }, done.stdout[-3000:]
    assert len(recorded) == 2
    assert "new: not now, its newest drill counts for 29.0 days more" in done.stdout
