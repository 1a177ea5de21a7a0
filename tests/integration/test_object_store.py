"""What pg_backup_verify and filestore_verify say of real buckets: their settings, delete markers, and whom they let in."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import dumps
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key

from tests.faults import repository_damage, s3_storms
from tests.lab.parts.postgres import connect
from tests.lab.parts.s3 import client
from tests.lab.site import Site
from tests.support.ansible import environment, run_module
from tests.support.damage_of_buckets import BUCKET_SCENES

pytestmark = pytest.mark.lab

PARTS = ["s3", "postgres"]

BUCKET = f"kept-{os.getpid()}"
DAY_S = 86_400


class Store:
    """A bucket of the tests' own, with a dump in it for each of two tenants."""

    def __init__(self, site: Site) -> None:
        self.facts = site.facts("s3")
        self.admin = client(self.facts, "admin")
        self.admin.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        for tenant in ("acme", "zeta"):
            self.dump(tenant)

    def dump(self, tenant: str, age_s: int = 60) -> dumps.Dump:
        at = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s)).replace(microsecond=0)
        body = b"a dump"
        taken = dumps.Dump(tenant, "1", "15", at, at, len(body), hashlib.sha256(body).hexdigest())
        for name, data in ((taken.file, body), (taken.label + dumps.MANIFEST, dumps.write_manifest(taken))):
            self.admin.put_object(Bucket=BUCKET, Key=f"{tenant}/{name}", Body=data)
        return taken

    def access(self, identity: str) -> dict[str, Any]:
        return {"endpoint_url": self.facts["endpoint"], "ca_bundle": self.facts["ca"], **self.facts[identity]}

    def verify(self, identity: str = "admin", tenant: str = "acme", **more: Any) -> dict[str, Any]:
        place = {"engine": "dump", "database": tenant, "location": f"s3://{BUCKET}/{tenant}", "s3": self.access(identity)}
        return run_module("pg_backup_verify", {**place, "enforce": False, **more})

    def remove(self) -> None:
        for page in self.admin.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
            for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                self.admin.delete_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"], BypassGovernanceRetention=True)
        self.admin.delete_bucket(Bucket=BUCKET)


@pytest.fixture(scope="module")
def store(site: Site) -> Iterator[Store]:
    made = Store(site)
    yield made
    made.remove()


def codes(result: dict[str, Any]) -> set[str]:
    return {check["code"] for check in result["evidence"]["checks"] if check["ok"] is not True}


def check_of(result: dict[str, Any], name: str) -> dict[str, Any]:
    return next(check for check in result["evidence"]["checks"] if check["id"] == name)


# -- settings --------------------------------------------------------------------------------------------------------------
def test_each_promise_that_is_not_kept_has_its_code(store: Store) -> None:
    month = {"retention": "P30D"}
    kept = store.verify(object_store=month)
    assert kept["verdict"] == "pass", kept["msg"]
    wanted = {**month, "lock": "governance", "lock_for": "P7D", "encrypted": True}
    assert codes(store.verify(object_store=wanted)) == {"BUCKET_NOT_LOCKED", "BUCKET_NOT_ENCRYPTED"}
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 7}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    store.admin.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=lock)
    by_default = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    store.admin.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": by_default})
    try:
        assert codes(store.verify(object_store=wanted)) == set()
        assert codes(store.verify(object_store={**wanted, "lock": "compliance"})) == {"BUCKET_NOT_LOCKED"}
        assert codes(store.verify(object_store={**wanted, "lock_for": "P8D"})) == {"BUCKET_NOT_LOCKED"}
    finally:
        store.admin.delete_bucket_encryption(Bucket=BUCKET)
        store.admin.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        pytest.param({"Expiration": {"Days": 29}}, {"BUCKET_EXPIRES"}, id="objects-too-soon"),
        pytest.param({"Expiration": {"Days": 30}}, set(), id="objects-in-time"),
        pytest.param({"NoncurrentVersionExpiration": {"NoncurrentDays": 29}}, {"BUCKET_RETENTION"}, id="versions-too-soon"),
        pytest.param({"NoncurrentVersionExpiration": {"NoncurrentDays": 30}}, set(), id="versions-in-time"),
        pytest.param({"Filter": {"Prefix": "zeta/"}, "Expiration": {"Days": 1}}, set(), id="another-prefix"),
    ],
)
def test_a_lifecycle_rule_that_removes_too_soon(store: Store, rule: dict[str, Any], code: set[str]) -> None:
    rules = [{"ID": "rule", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}]
    store.admin.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    try:
        assert codes(store.verify(object_store={"retention": "P30D"})) == code
    finally:
        store.admin.delete_bucket_lifecycle(Bucket=BUCKET)


def test_a_bucket_that_forgets(store: Store) -> None:
    store.admin.create_bucket(Bucket=f"{BUCKET}-plain")
    try:
        found = store.verify(location=f"s3://{BUCKET}-plain/acme", object_store={"lock": "governance"})
        assert codes(found) == {"NO_BACKUP", "BUCKET_NOT_VERSIONED", "BUCKET_NOT_LOCKED"}
    finally:
        store.admin.delete_bucket(Bucket=f"{BUCKET}-plain")


def test_what_may_not_be_asked_is_unknown(store: Store, site: Site) -> None:
    found = run_module("pg_backup_verify", {**repository(site, "filestore"), "enforce": False})
    assert (found["verdict"], codes(found)) == ("unknown", {"S3_REFUSED"})


# -- what is deleted -------------------------------------------------------------------------------------------------------
def repository(site: Site, identity: str = "backup", **wanted: Any) -> dict[str, Any]:
    """The dedicated cluster's, in the lab's bucket for backups."""
    cluster, facts = site.facts("postgres")["clusters"]["dedicated"], site.facts("s3")
    access = {"endpoint_url": facts["endpoint"], "ca_bundle": facts["ca"], **facts[identity]}
    place = {"bucket": facts["buckets"]["backups"], "prefix": f"/pgbackrest/{cluster['stanza']}", **wanted}
    return {"stanza": cluster["stanza"], "command": cluster["pgbackrest"], "s3": access, "object_store": place}


@contextmanager
def deleted(site: Site, key: str) -> Iterator[None]:
    """An object behind a delete marker."""
    admin, bucket = client(site.facts("s3"), "admin"), site.facts("s3")["buckets"]["backups"]
    marker = admin.delete_object(Bucket=bucket, Key=key)["VersionId"]
    try:
        yield
    finally:
        admin.delete_object(Bucket=bucket, Key=key, VersionId=marker)


def keys(site: Site, part: str) -> list[str]:
    facts, stanza = site.facts("s3"), site.facts("postgres")["clusters"]["dedicated"]["stanza"]
    start = f"pgbackrest/{stanza}/{part}"
    found = client(facts, "backup").list_objects_v2(Bucket=facts["buckets"]["backups"], Prefix=start).get("Contents", [])
    return sorted(one["Key"] for one in found)


def test_the_labs_own_bucket_promises_what_it_should(site: Site) -> None:
    wanted = {"lock": "governance", "lock_for": "P1D", "retention": "P30D"}
    found = run_module("pg_backup_verify", repository(site, **wanted))
    assert found["verdict"] == "pass", found["msg"]
    assert codes(run_module("pg_backup_verify", {**repository(site, "admin", encrypted=True), "enforce": False})) == {
        "BUCKET_NOT_ENCRYPTED"
    }


def test_the_role_asks_what_its_variables_say(site: Site, tmp_path: Path) -> None:
    create_key(tmp_path / "ledger.pem")
    given = repository(site, lock="governance", lock_for="P2D")
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "change_ledger": str(tmp_path / "ledger"),
        "change_ledger_key": str(tmp_path / "ledger.pem"),
        "change_ledger_trusted": str(tmp_path / "ledger.pem.pub"),
        "tenant_database_name": "acme",
        "tenant_backup_stanza": given["stanza"],
        "tenant_backup_command": given["command"],
        "backup_gate_object_store": given["object_store"],
        "backup_gate_object_store_others": [{"bucket": "filestore", "prefix": "acme", "object": "here"}],
        "backup_gate_object_store_s3": given["s3"],
    }
    role = {"name": "odoo_ops.change_control.backup_gate"}
    keep = {"dest": str(tmp_path / "result.json"), "content": "{{ backup_gate_result | to_json }}", "mode": "0600"}
    play = {"hosts": "localhost", "gather_facts": False, "vars": variables}
    tasks = [{"ansible.builtin.include_role": role}, {"ansible.builtin.copy": keep}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{**play, "tasks": tasks}]))
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(tmp_path / "play.yml")]
    done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "result.json").read_text())
    assert codes(found) == {"BUCKET_NOT_LOCKED", "RESTORE_STALE", "READ_STALE"}
    assert check_of(found, "others_refused")["ok"]
    assert given["s3"]["secret_key"] not in done.stdout + done.stderr


def test_a_deleted_object_that_can_be_brought_back_is_named(site: Site) -> None:
    with connect(site.facts("postgres")["clusters"]["dedicated"]) as db:
        db.execute("SELECT pg_logical_emit_message(true, 'lab', 'something'); SELECT pg_switch_wal()")
    stanza = site.facts("postgres")["clusters"]["dedicated"]["stanza"]
    manifest = next(key for key in keys(site, "backup/") if key.endswith("F/backup.manifest.copy"))
    with deleted(site, manifest):
        found = run_module("pg_backup_verify", {**repository(site), "enforce": False})
        assert codes(found) == {"BUCKET_DELETED"}, "a copy is enough to restore, and only the marker tells that it is gone"
        told = check_of(found, "objects_not_deleted")["observed"]
        assert told == f"1 not: {manifest.removeprefix(f'pgbackrest/{stanza}/')}"
    newest = max(key for key in keys(site, "archive/") if "-" in key.rsplit("/", 1)[1])
    with deleted(site, newest):
        found = run_module("pg_backup_verify", {**repository(site), "enforce": False})
        assert "BUCKET_DELETED" in codes(found), "the newest segment: nothing else tells that it was there"
    assert codes(run_module("pg_backup_verify", {**repository(site), "enforce": False})) == set()


def test_deleted_dumps(store: Store) -> None:
    month = {"retention": "P30D"}
    for age_s, named in ((3 * DAY_S, True), (31 * DAY_S, False)):
        taken = store.dump("acme", age_s)
        for name in (taken.file, taken.label + dumps.MANIFEST):
            store.admin.delete_object(Bucket=BUCKET, Key=f"acme/{name}")
        found = store.verify(object_store=month)
        assert ("BUCKET_DELETED" in codes(found)) == named, found["msg"]
        for name in (taken.file, taken.label + dumps.MANIFEST):
            key = f"acme/{name}"
            for one in store.admin.list_object_versions(Bucket=BUCKET, Prefix=key)["DeleteMarkers"]:
                store.admin.delete_object(Bucket=BUCKET, Key=key, VersionId=one["VersionId"])
            for one in store.admin.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]:
                store.admin.delete_object(Bucket=BUCKET, Key=key, VersionId=one["VersionId"])


@pytest.mark.parametrize("way", BUCKET_SCENES)
def test_a_sample_of_damages_in_a_bucket_is_found(site: Site, scratch: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_NAME", site.root.name.removeprefix("odoo-lab-"))
    tallies, alarms = repository_damage.run(scratch, count=32, clean=4, ways=(way,))
    shutil.rmtree(scratch / "0")
    assert sum(tally.cases for tally in tallies.values()) == 32
    assert {kind: tally.missed for kind, tally in tallies.items() if tally.missed} == {}
    assert sum(tally.found for tally in tallies.values()) > 20
    assert alarms == 0


STORMS = ("500", "403", "request lost", "answer lost", "write swallowed", "body short", "wrong ETags", "no ETags", "listing ends early")


def test_nothing_passes_in_a_storm_that_was_not_read(site: Site, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_NAME", site.root.name.removeprefix("odoo-lab-"))
    home = scratch / "storms"
    home.mkdir()
    found = s3_storms.run(home, cases=len(STORMS) * len(s3_storms.TARGETS), seed=7, kinds=STORMS)
    shutil.rmtree(home)
    assert [told for tally in found.values() for told in tally.wrong] == []
    assert sum(tally.ends.total() for tally in found.values()) > 40


# -- segregation -----------------------------------------------------------------------------------------------------------
def confine(store: Store, rights: dict[str, str]) -> None:
    """Who may read which prefix. The lab's other identities stand for two tenants."""
    statements = []
    for identity, prefix in rights.items():
        who = {"AWS": f"arn:aws:iam::000000000000:user/{identity}"}
        listing = {"Action": ["s3:ListBucket", "s3:ListBucketVersions"], "Resource": f"arn:aws:s3:::{BUCKET}"}
        reading = {"Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{BUCKET}/{prefix}*"}
        within = {"Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}}}
        statements += [{"Effect": "Allow", "Principal": who, **listing, **within}, {"Effect": "Allow", "Principal": who, **reading}]
    policy = {"Version": "2012-10-17", "Statement": statements}
    store.admin.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))


def place(store: Store, tenant: str) -> dict[str, str]:
    found = store.admin.list_objects_v2(Bucket=BUCKET, Prefix=f"{tenant}/")["Contents"]
    return {"bucket": BUCKET, "prefix": tenant, "object": found[0]["Key"].removeprefix(f"{tenant}/")}


def test_a_tenant_sees_no_other(store: Store) -> None:
    confine(store, {"filestore": "acme/", "ledger": "zeta/"})
    for identity, tenant, other in (("filestore", "acme", "zeta"), ("ledger", "zeta", "acme")):
        others = [place(store, other), {"bucket": "backups", "prefix": "", "object": "pgbackrest/shared/backup/shared/backup.info"}]
        found = store.verify(identity, tenant, others=others)
        assert found["verdict"] == "pass", found["msg"]
        assert check_of(found, "others_refused")["observed"] == "refused at 2 places"


def test_an_identity_that_sees_more_is_found(store: Store) -> None:
    confine(store, {"filestore": "", "ledger": "zeta/"})
    found = store.verify("filestore", others=[place(store, "zeta")])
    assert (found["verdict"], codes(found)) == ("fail", {"SEGREGATION"})
    let_in = check_of(found, "others_refused")["observed"]
    assert let_in == {f"s3://{BUCKET}/zeta/": ["get", "head", "list", "list versions"]}


def test_what_is_no_refusal_proves_nothing(store: Store) -> None:
    confine(store, {"filestore": "acme/"})
    gone = {"bucket": BUCKET, "prefix": "acme-archive", "object": "gone"}
    nowhere = {**store.access("filestore"), "endpoint_url": "https://localhost:9"}
    assert codes(store.verify("filestore", others=[gone])) == set(), "a name that is not there is refused, too: it has to be there"
    found = store.verify("admin", others=[{"bucket": f"{BUCKET}-gone", "prefix": "x", "object": "x"}])
    assert (found["verdict"], codes(found)) == ("unknown", {"SEGREGATION_UNKNOWN"}), "404"
    assert store.verify("filestore", others=[place(store, "zeta")], s3=nowhere)["verdict"] == "unknown"
    found = store.verify("filestore", "zeta", others=[place(store, "acme")])
    assert (found["verdict"], codes(found)) == ("unknown", {"S3_REFUSED"}), "refused at home as well"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"others": [{"bucket": BUCKET, "prefix": "acme/2026", "object": "x"}]}, "this tenant's own", id="its-own"),
        pytest.param({"object_store": {"bucket": BUCKET}}, "neither bucket nor prefix", id="a-bucket-twice"),
        pytest.param({"object_store": {"retention": "a month"}}, "option retention", id="a-duration"),
        pytest.param({"location": "/tmp", "object_store": {"retention": "P1D"}}, "wanted dumps in s3://bucket/prefix", id="a-folder"),
        pytest.param({"engine": "barman", "location": "/tmp", "object_store": {}}, "object_store, database given", id="barman"),
        pytest.param(
            {"engine": "pgbackrest", "stanza": "x", "others": [{"bucket": "b", "prefix": "p", "object": "o"}]},
            "wanted object_store with a bucket",
            id="others-of-no-bucket",
        ),
    ],
)
def test_options_that_do_not_fit(store: Store, more: dict[str, Any], words: str) -> None:
    found = store.verify(**more)
    assert found["failed"]
    assert words in found["msg"], found["msg"]
