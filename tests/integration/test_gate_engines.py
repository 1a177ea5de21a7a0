"""The role backup_gate for tenants whose backups Barman, pg_basebackup or tenant_dump write: measured, read, recorded, refused."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._dumps import Order, take
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Folder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key, trust_only

from tests.support.ansible import environment
from tests.support.barman import Barman
from tests.support.basebackups import BaseBackups

ROLE = "odoo_ops.change_control.backup_gate"


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


class Estate:
    """Tenants with an engine each, and a play over them."""

    def __init__(self, root: Path, tenants: dict[str, dict[str, Any]]) -> None:
        self.root, self.tenants = root, tenants
        signer = create_key(root / "ledger.pem")
        self.ledger = Ledger(DirectoryStore(root / "ledger"), trust=trust_only(signer), signer=signer)
        (root / "memory").mkdir()
        for name, more in tenants.items():
            more.setdefault("tenant_backup_stanza", name)
            more.setdefault("tenant_database_name", "postgres")

    def drilled(self) -> None:
        evidence = {"verdict": "pass", "rto_s": 10, "rpo_s": 5, "size_bytes": 1 << 40}
        for name, more in self.tenants.items():
            told = {"stanza": more["tenant_backup_stanza"], **evidence}
            self.ledger.append(f"DRILL-{now():%Y-%j}", "drilled", actor="cron", at=now(), tenant=name, once=False, evidence=told)

    def play(self, tasks_from: str) -> dict[str, Any]:
        """What became of each tenant: the fact backup_gate_result, or what the role said when it failed."""
        (self.root / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": self.tenants}}))
        keep = {
            "ansible.builtin.copy": {
                "content": "{{ {'result': backup_gate_result if backup_gate_result is defined else none,"
                " 'said': ansible_failed_result.msg if ansible_failed_result is defined else ''} | to_json }}",
                "dest": f"{self.root}/{{{{ inventory_hostname }}}}.json",
            }
        }
        role = {
            "ansible.builtin.include_role": {"name": ROLE, "tasks_from": tasks_from},
            "vars": {"__backup_gate_work": "read_cluster.yml"},
        }
        play = {"hosts": "all", "gather_facts": False, "tasks": [{"block": [role, keep], "rescue": [keep]}]}
        (self.root / "play.yml").write_text(yaml.safe_dump([play]))
        variables = {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "change_ledger": str(self.root / "ledger"),
            "change_ledger_key": str(self.root / "ledger.pem"), "change_ledger_trusted": str(self.root / "ledger.pem.pub"),
            "backup_gate_memory": str(self.root / "memory"),
        }  # fmt: skip
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.root / "inventory.yml"), str(self.root / "play.yml")]
        argv += ["-e", json.dumps(variables)]
        done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        found = {name: json.loads(path.read_text()) for name in self.tenants if (path := self.root / f"{name}.json").is_file()}
        assert found.keys() == self.tenants.keys(), done.stdout[-4000:] + done.stderr[-2000:]
        return found

    def recorded(self, event: str) -> dict[str, dict[str, Any]]:
        events = [one for change in self.ledger.changes() for one in self.ledger.events(change) if one.event == event]
        return {str(one.evidence["stanza"]): dict(one.evidence) for one in events}


@pytest.fixture(scope="module")
def backups() -> Iterator[dict[str, Path]]:
    """A backup of each engine, of two clusters that have ended since."""
    homes = {name: Path(tempfile.mkdtemp(prefix="gate-")) for name in "bpd"}  # short: sockets lie there
    for home in homes.values():
        home.chmod(0o755)
    barman, based = Barman(homes["b"]), BaseBackups(homes["p"])
    try:
        barman.make()
        based.make()
        based.take("tonight")
        take(Order(Server(str(homes["p"]), 5432, "postgres", None), "postgres", Folder(homes["d"])), now=now, check=False)
    finally:
        barman.stop()
        based.stop()
    yield {"barman": barman.location, "basebackup": based.location, "dump": homes["d"]}
    for home in homes.values():
        shutil.rmtree(home)


@pytest.fixture
def estate(backups: dict[str, Path], tmp_path: Path) -> Estate:
    return Estate(tmp_path, {f"t-{engine}": told(engine, place) for engine, place in backups.items()})


def told(engine: str, place: Path) -> dict[str, Any]:
    return {"tenant_backup_engine": engine, "tenant_backup_location": str(place)}


def codes(found: dict[str, Any]) -> set[str]:
    return {check["code"] for check in found["result"]["evidence"]["checks"] if check["ok"] is not True}


def test_a_gate_wants_what_it_wants_of_pgbackrest(estate: Estate) -> None:
    found = estate.play("main.yml")
    assert {name: codes(one) for name, one in found.items()} == {name: {"READ_STALE", "RESTORE_STALE"} for name in found}
    estate.drilled()
    assert {one["said"] for one in read(estate).values()} == {""}
    recorded = estate.recorded("backup_read")
    assert {name: one["verdict"] for name, one in recorded.items()} == dict.fromkeys(estate.tenants, "pass"), recorded
    assert all(one["content"] and one["backup"] for one in recorded.values())
    again = estate.play("main.yml")
    assert {name: (one["result"]["verdict"], codes(one)) for name, one in again.items()} == {name: ("pass", set()) for name in again}
    assert sorted(path.name for path in (estate.root / "memory").iterdir()) == sorted(f"backup-{name}" for name in estate.tenants)


def read(estate: Estate) -> dict[str, Any]:
    """The repositories alone, as read.yml does: these tenants have no filestore."""
    return estate.play("once.yml")


def test_damage_fails_the_reading_and_then_the_gate(estate: Estate, backups: dict[str, Path]) -> None:
    estate.drilled()
    dump = next(backups["dump"].glob("*.dump"))
    body = dump.read_bytes()
    try:
        dump.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
        assert "content_dump" in read(estate)["t-dump"]["said"]
    finally:
        dump.write_bytes(body)
    assert estate.recorded("backup_read")["t-dump"]["verdict"] == "fail"
    found = estate.play("main.yml")
    assert codes(found["t-dump"]) == {"READ_STALE"}
    assert codes(found["t-barman"]) == set()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"tenant_backup_location": ""}, "tenant_backup_location of acme is empty", id="no-place"),
        pytest.param({"tenant_backup_stanza": "t-dump"}, "and with dumps a tenant_backup_stanza for each tenant", id="dumps-of-two"),
        pytest.param({"tenant_backup_stanza": "t-barman"}, "wanted one engine and one place", id="two-engines"),
    ],
)
def test_what_does_not_fit_is_refused(estate: Estate, backups: dict[str, Path], more: dict[str, Any], said: str) -> None:
    acme = {"tenant_backup_stanza": "acme", "tenant_database_name": "acme", **told("dump", backups["dump"]), **more}
    estate.tenants = {**estate.tenants, "acme": acme}
    found = estate.play("main.yml")["acme"]
    assert said in found["said"]
    assert found["result"] is None


def test_a_repository_of_what_does_not_fit_is_not_read(estate: Estate, backups: dict[str, Path]) -> None:
    """read.yml asks first, and goes on to the filestore, which is not there."""
    login = {f"tenant_database_{name}": "127.0.0.1" for name in ("host", "owner", "password")}
    store = {"tenant_filestore_bucket": "x", "tenant_filestore_s3": {"endpoint_url": "http://127.0.0.1:1"}}
    both = {**login, **store, **told("dump", backups["dump"]), "tenant_backup_stanza": "shared", "tenant_database_port": 1}
    estate.tenants = {"acme": {**both, "tenant_database_name": "acme"}, "bravo": {**both, "tenant_database_name": "bravo"}}
    assert [bool(one["said"]) for one in estate.play("read.yml").values()] == [True, True]
    assert estate.recorded("backup_read") == {}
    assert len([one for change in estate.ledger.changes() for one in estate.ledger.events(change)]) == 2, "what the filestores showed"


def test_a_drill_of_another_engine_is_refused(estate: Estate) -> None:
    assert {"wanted pgbackrest for this drill" in one["said"] for one in estate.play("drill.yml").values()} == {True}
    assert estate.recorded("drilled") == {}
