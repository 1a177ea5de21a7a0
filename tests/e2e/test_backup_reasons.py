"""Every reason that a backup, a drill or a reading can give stops a production change, which passes after the cure.

Each runs the stage ``change_plan``, which measures the gates and ends there, for ``delta``, alone on its cluster. The same command with the
same variables is stopped before the cure, and passes after it. A run takes seconds, so that a fault may give several reasons at once.

Made for real, on the lab's cluster and in its bucket: a backup job that was killed, full backups that expired, damaged pages, a segment
of WAL that is gone, a bit of the repository, a second repository that has no copy, proofs that were never made or that failed.
By limits that are stricter than the estate's, beside that: how old a backup may be, how many full backups and copies were promised.
In the ledger's record alone, because nobody waits for so long: drill and readings of 40 days ago, a drill that took half a day of 1 kB.

A backup that was due (S19), a lost attachment and an objective that no restore keeps (S24) stand in test_scenarios.py.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import open_ledger

from tests.lab.parts import s3
from tests.lab.parts.postgres import connect
from tests.lab.pgbackrest import owner
from tests.lab.site import wait_for
from tests.support.estate import QUICK, Estate, predicate

pytestmark = pytest.mark.lab

TENANT = "delta"
SEGMENT = re.compile(r"/[0-9A-F]{24}-[0-9a-f]{40}[^/]*$")
LONG_AGO = dt.timedelta(days=40)
YOUNG_S = 90  # a run on a busy machine takes half a minute until it has measured


class Cluster:
    """The tenant's cluster, its repository in the bucket, and a ledger of the test's own where it asks for one."""

    def __init__(self, estate: Estate, change_id: str, undo: ExitStack) -> None:
        self.estate, self.change_id, self.undo, self.site = estate, change_id, undo, estate.site
        self.facts = estate.site.facts("postgres")["clusters"][estate.tenants[TENANT]["cluster"]]
        self.stanza, self.wrapper = self.facts["stanza"], self.facts["pgbackrest"]
        self.tool = Pgbackrest([self.wrapper])
        self.ledger = estate.ledger

    # -- the repository ------------------------------------------------------------------------------------------------
    def backup(self, kind: str = "incr", *options: str) -> None:
        self.site.run([self.wrapper, *options, f"--type={kind}", "backup"])

    def age_s(self) -> float:
        newest = self.tool.info(self.stanza).newest()
        assert newest
        return time.time() - newest.stop.timestamp()

    def stored(self, below: str) -> list[dict[str, Any]]:
        """Objects of the repository, in the order of their names."""
        facts = self.site.facts("s3")
        place = {"Bucket": facts["buckets"]["backups"], "Prefix": f"pgbackrest/{self.stanza}/{below}"}
        pages = s3.client(facts, "admin").get_paginator("list_objects_v2").paginate(**place)
        return [one for page in pages for one in page.get("Contents", [])]

    @contextmanager
    def without(self, key: str) -> Iterator[None]:
        facts = self.site.facts("s3")
        bucket, place = s3.client(facts, "admin"), {"Bucket": facts["buckets"]["backups"], "Key": key}
        marker = bucket.delete_object(**place)["VersionId"]
        try:
            yield
        finally:
            bucket.delete_object(**place, VersionId=marker)

    @contextmanager
    def flipped(self, key: str) -> Iterator[None]:
        facts = self.site.facts("s3")
        bucket, place = s3.client(facts, "admin"), {"Bucket": facts["buckets"]["backups"], "Key": key}
        before = bucket.get_object(**place)["Body"].read()
        content = bytearray(before)
        content[len(content) // 2] ^= 0x10
        bucket.put_object(**place, Body=bytes(content))
        try:
            yield
        finally:
            bucket.put_object(**place, Body=before)  # the bucket is locked, no version can be taken away

    def archive_segments(self, count: int) -> None:
        with connect(self.facts) as db:
            for _number in range(count):
                db.execute("SELECT pg_logical_emit_message(false, 'test', 'work')")
                ((name,),) = db.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchall()
                wait_for(lambda name=name: any(name in one["Key"] for one in self.stored("archive/")), what=f"{name} in the archive")

    # -- the record -------------------------------------------------------------------------------------------------------
    def own_ledger(self) -> list[str]:
        self.ledger = Path(tempfile.mkdtemp(dir=self.estate.root, prefix=f"{self.change_id}-"))
        return ["-e", f"change_ledger={self.ledger}"]

    def latest(self, series: str, event: str) -> dict[str, Any]:
        """The newest such event of this tenant or its cluster in the estate's ledger."""
        entries = [predicate(path) for path in sorted(self.estate.ledger.glob(f"{series}-*/*-{event}.json"))]
        of_it = [e for e in entries if e["evidence"].get("stanza") == self.stanza or e["evidence"].get("filestore") == TENANT]
        return dict(max(of_it, key=lambda e: e["at"])["evidence"])

    def tell(self, series: str, event: str, at: dt.datetime, **other: Any) -> None:
        """Writes that event into the ledger of its own, at another time or with other values."""
        keys = self.estate.root / "keys"
        ledger: Ledger = open_ledger(
            {"ledger": str(self.ledger), "ledger_key": str(keys / "ledger.pem"), "ledger_trusted": str(keys / "ledger.pem.pub")}
        )
        evidence = {**self.latest(series, event), **other}
        ledger.append(f"{series}-{at:%Y-%j}", event, actor="test", at=at, tenant=TENANT, evidence=evidence, once=False)

    def tell_all(self, at: dt.datetime, **drilled: Any) -> None:
        self.tell("DRILL", "drilled", at, **drilled)
        for event in ("backup_read", "filestore_read"):
            self.tell("BACKUP", event, at)


Fault = Callable[[Cluster], AbstractContextManager[list[str]]]
"""Within it the cluster has the fault, after it the cure. It gives the variables of both runs."""


def limits(**variables: Any) -> list[str]:
    return ["-e", json.dumps({f"backup_gate_{name}": value for name, value in variables.items()})]


# -- on the cluster and in its repository ---------------------------------------------------------------------------------
@contextmanager
def a_backup_job_was_killed(cluster: Cluster) -> Iterator[list[str]]:
    """There is one full backup instead of two, it is older than it may be, and the job that should have made the next did not complete."""
    cluster.site.run([cluster.wrapper, "--repo1-retention-full=1", "expire"])
    wait_for(lambda: cluster.age_s() > YOUNG_S + 1, what="the newest backup to be old", timeout_s=YOUNG_S + 30)
    before = cluster.tool.info(cluster.stanza).backups
    locks = Path(cluster.facts["config"]).parent / "pgbackrest-lock"
    job = subprocess.Popen([cluster.wrapper, "--type=full", "backup"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: any(locks.glob("*backup*.lock")), what="the backup to begin", every_s=0.02)
    job.kill()
    assert job.wait(30) != 0
    assert cluster.tool.info(cluster.stanza).backups == before
    yield limits(max_age=f"PT{YOUNG_S}S", retention={"full": 2})
    cluster.tool.backup(cluster.stanza, "full", busy_timeout_s=60)


@contextmanager
def pages_were_damaged(cluster: Cluster) -> Iterator[list[str]]:
    """pgBackRest ends with 0, and with a backup of pages that failed their checksum."""
    with connect(cluster.facts) as db:
        db.execute("CREATE TABLE damaged WITH (autovacuum_enabled = off) AS SELECT repeat('x', 500) AS t FROM generate_series(1, 200)")
        ((path,),) = db.execute("SELECT pg_relation_filepath('damaged')").fetchall()
        db.execute("CHECKPOINT")
    with (Path(cluster.facts["data"]) / path).open("r+b") as file:
        file.seek(8192 + 5000)
        file.write(b"y")
    try:
        cluster.backup()
        yield []
    finally:
        with connect(cluster.facts) as db:
            db.execute("DROP TABLE damaged")
        cluster.backup()


@contextmanager
def wal_is_missing(cluster: Cluster) -> Iterator[list[str]]:
    """In mid chain, behind the newest backup."""
    cluster.archive_segments(3)
    segment = [one["Key"] for one in cluster.stored("archive/") if SEGMENT.search(one["Key"])][-2]
    with cluster.without(segment):
        yield []


@contextmanager
def no_second_copy(cluster: Cluster) -> Iterator[list[str]]:
    """Cured by a real second repository, which is taken away after the test."""
    yield limits(copies=2)
    config, folder = Path(cluster.facts["config"]), cluster.site.folder("pg", cluster.stanza, "repo2", user=owner(), mode=0o750)
    before = config.read_text()
    cluster.undo.callback(shutil.rmtree, folder)
    cluster.undo.callback(config.write_text, before)
    config.write_text(before.replace("[global]\n", f"[global]\nrepo2-path={folder}\nrepo2-retention-full=2\n", 1))
    cluster.site.run([cluster.wrapper, "stanza-create"])
    cluster.backup("full", "--repo=2")
    cluster.archive_segments(1)


# -- in the record ---------------------------------------------------------------------------------------------------------
@contextmanager
def proofs_are_old(cluster: Cluster) -> Iterator[list[str]]:
    """The drill passed, by the limits that it had. What it took and lacked is more than the tier was promised since."""
    args, now = cluster.own_ledger(), dt.datetime.now(dt.timezone.utc)
    cluster.tell_all(now - LONG_AGO, rto_s=43200.0, rpo_s=43200, size_bytes=1000)
    yield args
    cluster.tell_all(now)


CASES: dict[str, tuple[Fault, set[str]]] = {
    "a-backup-job-was-killed": (a_backup_job_was_killed, {"AGE", "RETENTION"}),
    "pages-were-damaged": (pages_were_damaged, {"INCOMPLETE"}),
    "wal-is-missing": (wal_is_missing, {"WAL_GAP"}),
    "no-second-copy": (no_second_copy, {"MISSING_COPY"}),
    "proofs-are-old": (proofs_are_old, {"RESTORE_STALE", "READ_STALE", "FILESTORE_STALE", "RTO", "RPO", "RTO_GROWN"}),
}


def planned(cluster: Cluster, args: list[str]) -> tuple[bool, dict[str, str]]:
    """Whether the stage came to its end, and the codes that the gates had against it with what was observed."""
    change = cluster.estate.change(cluster.change_id, "2", tenants=TENANT, **QUICK)
    code, out = cluster.estate.run(cluster.estate.change_command(change, *args, playbook="change_plan"), f"{cluster.change_id}-plan")
    entries = sorted((cluster.ledger / cluster.change_id).glob("*-gated.json"))
    assert entries, out[-4000:]
    checks = [check for gate in predicate(entries[-1])["evidence"]["gates"] for check in gate["checks"]]
    # readiness says again, with a code of its own, that a gate did not pass
    return code == 0, {c["code"]: str(c["observed"]) for c in checks if c["ok"] is not True and c["code"] != "NOT_PROVED"}


@pytest.fixture
def cluster(estate: Estate, change_id: str) -> Iterator[Cluster]:
    with ExitStack() as undo:
        yield Cluster(estate, change_id, undo)


@pytest.mark.parametrize("name", CASES)
def test_it_stops_a_production_change_until_it_is_cured(cluster: Cluster, name: str) -> None:
    fault, codes = CASES[name]
    with fault(cluster) as args:
        through, found = planned(cluster, args)
        assert (through, set(found)) == (False, codes)
    assert planned(cluster, args) == (True, {})


def prove(cluster: Cluster, args: list[str]) -> dict[str, int]:
    """The exit codes of a drill and a reading for this tenant, side by side."""
    hosts = {"restore_drill": "drill_hosts", "backup_verify": "backup_hosts"}
    commands = {name: cluster.estate.command(name, "-e", f"{hosts[name]}={TENANT}", *args) for name in hosts}
    running = {name: cluster.estate.start(command, f"{cluster.change_id}-{name}") for name, command in commands.items()}
    return {name: process.wait(600) for name, process in running.items()}


def test_proofs_that_were_never_made_or_that_failed(cluster: Cluster) -> None:
    """One bit of the newest backup is another one: its catalogue does not show that."""
    args = cluster.own_ledger()
    through, found = planned(cluster, args)
    assert (through, found) == (
        False,
        {"RESTORE_STALE": "no drill", "READ_STALE": "no reading", "FILESTORE_STALE": "no reading of the filestore"},
    )

    label = cluster.tool.info(cluster.stanza).newest()
    assert label
    files = [one for one in cluster.stored(f"backup/{cluster.stanza}/{label.label}/") if "backup.manifest" not in one["Key"]]
    with cluster.flipped(max(files, key=lambda one: one["Size"])["Key"]):
        assert all(code != 0 for code in prove(cluster, args).values())
        through, found = planned(cluster, args)
        assert (through, set(found)) == (False, {"RESTORE_STALE", "READ_STALE", "RTO", "RPO"}), "what failed tells no time either"
        assert found["RESTORE_STALE"] == found["READ_STALE"] == "verdict fail"
        (read,) = [predicate(path)["evidence"] for path in cluster.ledger.glob("BACKUP-*/*-backup_read.json")]
        assert "CHECKSUM" in {check["code"] for check in read["evidence"]["checks"] if check["ok"] is not True}

    assert prove(cluster, args) == {"restore_drill": 0, "backup_verify": 0}
    assert planned(cluster, args) == (True, {})
