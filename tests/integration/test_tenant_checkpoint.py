"""tenant_checkpoint against a real cluster and a real object store: made once, restored from wherever a run was killed."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils import _checkpoint as checkpoint
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import checkpoint as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import pg_dump, postgres
from ansible_collections.odoo_ops.change_control.plugins.modules import tenant_checkpoint as module

from tests.lab.parts.postgres import connect
from tests.lab.parts.s3 import client
from tests.lab.site import Site
from tests.support.ansible import run_module

pytestmark = pytest.mark.lab

PARTS = ["s3", "postgres"]

DB = f"checkpoint_{os.getpid()}"
FILES = [f"{n:02x}/{n:02x}{'0' * 38}" for n in range(3)]


class Tenant:
    """A tenant's database with what a restore must bring back: rows, owners, rights, settings, files."""

    def __init__(self, site: Site, change: str) -> None:
        self.s3_facts, self.cluster = site.facts("s3"), site.facts("postgres")["clusters"]["shared"]
        self.admin = client(self.s3_facts, "admin")
        keys = {"endpoint_url": self.s3_facts["endpoint"], "ca_bundle": self.s3_facts["ca"]}
        self.args: dict[str, Any] = {
            "tenant": "acme",
            "change": change,
            "database": DB,
            "host": self.cluster["host"],
            "port": self.cluster["port"],
            "admin_password": self.cluster["admin_password"],
            "destination": f"s3://backups/{DB}",
            "s3": {**keys, **self.s3_facts["backup"]},
            "filestore": {"bucket": "filestore", "prefix": None},
            "filestore_s3": {**keys, **self.s3_facts["filestore"]},
            "backup": False,
            "pgbackrest": self.cluster["pgbackrest"],
            "stanza": self.cluster["stanza"],
        }

    def build(self) -> None:
        self.clear()
        with connect(self.cluster) as db:
            for role in (DB, f"{DB}_ro"):
                db.execute(f"CREATE ROLE {role} LOGIN")
            db.execute(f"CREATE DATABASE {DB} OWNER {DB} TEMPLATE template0 CONNECTION LIMIT 40")
            db.execute(f"REVOKE CONNECT ON DATABASE {DB} FROM PUBLIC")
            db.execute(f"GRANT CONNECT ON DATABASE {DB} TO {DB}_ro WITH GRANT OPTION")
            db.execute(f'ALTER DATABASE {DB} SET search_path = "$user", public')
            db.execute(f"ALTER ROLE {DB} IN DATABASE {DB} SET work_mem = '8MB'")
            db.execute(f"COMMENT ON DATABASE {DB} IS 'Customer 17, it''s ours'")
        with connect(self.cluster, DB) as db:
            db.execute(f"SET ROLE {DB}")
            db.execute("CREATE TABLE ir_attachment (id serial PRIMARY KEY, store_fname text)")
            db.execute("CREATE TABLE account_move (id serial PRIMARY KEY, total numeric, note text)")
            db.execute("INSERT INTO account_move (total, note) SELECT n * 1.5, repeat(md5(n::text), 9) FROM generate_series(1, 20000) n")
            db.execute(f"GRANT SELECT ON account_move TO {DB}_ro")
            for name in [*FILES, FILES[0]]:
                db.execute("INSERT INTO ir_attachment (store_fname) VALUES (%s)", [name])
        for name in FILES:
            self.admin.put_object(Bucket="filestore", Key=f"{DB}/{name}", Body=name.encode())

    def clear(self) -> None:
        with connect(self.cluster) as db:
            for name in (DB, f"{DB}__restore", f"{DB}__before_restore"):
                db.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            for role in (DB, f"{DB}_ro"):
                db.execute(f"DROP ROLE IF EXISTS {role}")

    def task(self, state: str = "present", *, check: bool = False, **more: Any) -> dict[str, Any]:
        """As a playbook runs it."""
        return run_module("tenant_checkpoint", {**self.args, "state": state, **more}, check=check)

    def run(self, state: str = "present", *, check: bool = False, **more: Any) -> dict[str, Any]:
        """The same without Ansible around it, which takes seconds a task."""
        try:
            return {"failed": False, **module.perform(self.given(state=state, **more), check=check)}
        except ChangeError as exc:
            return {"failed": True, "msg": str(exc), **exc.facts}

    def given(self, **more: Any) -> dict[str, Any]:
        spec = {name: option.get("default") for name, option in module.SPEC.items()}
        return {**spec, **self.args, **more}

    def job(self) -> checkpoint.Job:
        """As the module would see it, for stopping between steps."""
        return module.job_of(self.given())

    def look(self) -> dict[str, Any]:
        """All that must be as before."""
        with connect(self.cluster) as db:
            names = [name for (name,) in db.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{DB}%"]).fetchall()]
            found = postgres.properties(db, DB)
            comment = postgres.comments(db, [DB])[DB]
        with connect(self.cluster, DB) as db:
            rows = db.execute("SELECT count(*), md5(string_agg(t::text, '' ORDER BY id)) FROM account_move t").fetchone()
            owners = db.execute("SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
            rights = db.execute("SELECT relacl::text FROM pg_class WHERE relname = 'account_move'").fetchone()
            path = db.execute("SHOW search_path").fetchone()
        found["rights"] = sorted(map(str, found["rights"]))
        return {"names": names, "properties": found, "other": core.read_comment(comment)[1], "rows": rows, "in": [owners, rights, path]}

    def spoil(self) -> None:
        """What a failed update leaves behind."""
        with connect(self.cluster, DB) as db:
            db.execute("DELETE FROM account_move WHERE id % 3 = 0")
            db.execute("ALTER TABLE account_move ADD COLUMN added int DEFAULT 7")


@pytest.fixture
def tenant(site: Site, request: pytest.FixtureRequest) -> Iterator[Tenant]:
    made = Tenant(site, f"CHG-2026-{abs(hash(request.node.name)) % 10**9}")
    made.build()
    yield made
    made.clear()


def test_made_once_with_a_backup_and_predicted_before(tenant: Tenant) -> None:
    foretold = tenant.task(check=True, backup=True)
    assert (foretold["changed"], foretold["checkpoint"]) == (True, None), foretold
    assert tenant.admin.list_objects_v2(Bucket="backups", Prefix=f"{DB}/{tenant.args['change']}")["KeyCount"] == 0
    made = tenant.task(backup=True)
    assert made["changed"], made
    point = made["checkpoint"]
    assert point["label"]
    assert "/" in point["lsn"]
    assert point["filestore"]["count"] == len(FILES)
    assert point["dump"]["bytes"] == tenant.admin.head_object(Bucket="backups", Key=point["dump"]["key"])["ContentLength"]
    again = tenant.task(backup=True)
    assert (again["changed"], again["checkpoint"]) == (False, point), again
    assert tenant.cluster["admin_password"] not in json.dumps([foretold, made, again])


def test_restored_is_as_before_and_a_new_attempt_gets_a_new_checkpoint(tenant: Tenant) -> None:
    before = tenant.look()
    point = tenant.run()["checkpoint"]
    tenant.spoil()
    tenant.admin.delete_object(Bucket="filestore", Key=f"{DB}/{FILES[1]}")
    tenant.admin.put_object(Bucket="filestore", Key=f"{DB}/{FILES[2]}", Body=b"junk")
    foretold = tenant.task("restored", check=True)
    assert (foretold["steps"], foretold["copied_back"]) == (["make_copy", "swap", "drop_old"], 2), foretold
    assert tenant.look() != before
    done = tenant.task("restored")
    assert (done["changed"], done["steps"], done["copied_back"]) == (True, foretold["steps"], 2), done
    assert tenant.look() == before
    for name in FILES:
        assert tenant.admin.get_object(Bucket="filestore", Key=f"{DB}/{name}")["Body"].read() == name.encode()
    with connect(tenant.cluster, DB) as db:
        db.execute("INSERT INTO account_move (total) VALUES (1)")
    worked_on = tenant.look()
    again = tenant.run("restored")
    assert (again["changed"], again["steps"]) == (False, []), again
    assert tenant.look() == worked_on
    anew = tenant.run()
    assert anew["changed"]
    assert anew["checkpoint"]["digest"] != point["digest"]
    tenant.spoil()
    assert tenant.run("restored")["changed"]
    assert tenant.look() == worked_on


@pytest.mark.parametrize("stop", range(4))
def test_stopped_between_two_steps_and_run_again(tenant: Tenant, stop: int) -> None:
    before = tenant.look()
    tenant.run()
    tenant.spoil()
    job = tenant.job()
    manifest, digest = job.manifest() or pytest.fail("no manifest")
    with postgres.connect(job.server) as admin:
        for _dummy in range(stop):
            seen = postgres.comments(admin, [job.names.live, job.names.copy, job.names.old])
            checkpoint.restore_step(job, admin, core.next_restore_step(seen, job.names, digest), manifest, digest)
    done = tenant.run("restored")
    assert done["steps"] == ["make_copy", "swap", "drop_old"][stop:], done
    assert tenant.look() == before


@pytest.mark.parametrize("inside", ["half-copy", "closed", "put-aside-by-hand"])
def test_stopped_inside_a_step_and_run_again(tenant: Tenant, inside: str) -> None:
    before = tenant.look()
    tenant.run()
    tenant.spoil()
    job = tenant.job()
    manifest, digest = job.manifest() or pytest.fail("no manifest")
    mark = core.write_comment(core.Mark("closed", digest), before["other"])
    with postgres.connect(job.server) as admin:
        if inside == "half-copy":
            postgres.create_hidden(admin, job.names.copy, manifest["properties"])
        else:
            checkpoint.restore_step(job, admin, core.MAKE_COPY, manifest, digest)
            postgres.set_open(admin, job.names.live, mark, opened=False)
        if inside == "put-aside-by-hand":
            admin.execute(f"ALTER DATABASE {job.names.live} RENAME TO {job.names.old}")
    assert not tenant.run("restored")["failed"]
    assert tenant.look() == before
    assert tenant.run("restored")["changed"] is False


def test_killed_at_any_moment_and_run_again(tenant: Tenant) -> None:
    before = tenant.look()
    tenant.run()
    tenant.spoil()
    code = f"import json, sys; from {module.__name__} import perform; perform(json.load(sys.stdin), check=False)"
    given = json.dumps(tenant.given(state="restored")).encode()
    env = {**os.environ, "PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]}
    for delay in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2):
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env) as process:
            assert process.stdin is not None
            process.stdin.write(given)
            process.stdin.close()
            time.sleep(delay)
            process.kill()
        with connect(tenant.cluster) as db:  # the server notices the end of a killed session when it next writes to it
            end = time.monotonic() + 20
            while db.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()[0] and time.monotonic() < end:
                time.sleep(0.05)
    assert not tenant.run("restored")["failed"]
    assert tenant.look() == before


def test_absent_gives_a_restore_up(tenant: Tenant) -> None:
    tenant.run()
    tenant.spoil()
    spoilt = tenant.look()
    job = tenant.job()
    manifest, digest = job.manifest() or pytest.fail("no manifest")
    with postgres.connect(job.server) as admin:
        checkpoint.restore_step(job, admin, core.MAKE_COPY, manifest, digest)
        postgres.set_open(admin, job.names.live, core.write_comment(core.Mark("closed", digest), spoilt["other"]), opened=False)
    refused = tenant.run()
    assert refused["code"] == "RESTORE_UNDER_WAY", refused
    assert tenant.run("absent", check=True)["steps"] == ["reopen", "drop_copy"]
    assert tenant.run("absent")["changed"]
    assert tenant.look() == spoilt
    assert tenant.run("absent")["changed"] is False


@pytest.mark.parametrize(("place", "says"), [(-20, ""), (17, "has SHA-256")], ids=["in-the-rows", "where-pg_restore-does-not-look"])
def test_a_flipped_byte_is_refused_and_the_live_database_stays(tenant: Tenant, place: int, says: str) -> None:
    tenant.run()
    tenant.spoil()
    spoilt = tenant.look()
    job = tenant.job()
    found = job.manifest() or pytest.fail("no manifest")
    part = found[0]["checkpoint"]["dump"]
    data = bytearray(job.store.read(part["key"], part["version_id"]) or b"")
    data[place] ^= 1
    written = job.store.write(part["key"], bytes(data))
    found[0]["checkpoint"]["dump"]["version_id"] = written.version_id
    job.store.write(job.keys.manifest, core.canonical(found[0]))
    refused = tenant.run("restored")
    assert refused["failed"], refused
    assert says in refused["msg"], refused
    assert tenant.look() == spoilt


def test_half_a_dump_is_not_uploaded_and_not_believed(tenant: Tenant, tmp_path: Any) -> None:
    job = tenant.job()
    with postgres.connect(job.server) as admin:
        tools = job.tools(admin)
    tenant.run()
    whole = job.store.read(job.keys.dump) or b""
    with pytest.raises(pg_dump.PgDumpError, match="cannot be restored"):
        pg_dump.read_whole(tools, [whole[: len(whole) // 2]], "half", timeout_s=60)
    fake = tmp_path / "pg_dump"
    fake.write_text(
        "#!/bin/sh\ncase $1 in --version) echo 'pg_dump (PostgreSQL) 15.1';; *) printf half; echo 'error: died' >&2; exit 3;; esac\n"
    )
    fake.chmod(0o755)
    refused = tenant.run(change="CHG-2026-999999", pg_bin=str(tmp_path))
    assert "ended with 3: error: died" in refused["msg"], refused
    assert tenant.admin.list_objects_v2(Bucket="backups", Prefix=f"{DB}/CHG-2026-999999")["KeyCount"] == 0


@pytest.mark.parametrize("check", [True, False])
def test_a_clock_that_is_not_the_clusters_stops_it(tenant: Tenant, monkeypatch: pytest.MonkeyPatch, check: bool) -> None:
    monkeypatch.setattr(module, "utc_now", lambda: dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2))
    found = tenant.run(check=check)
    assert found["code"] == "CLOCK_SKEW", found
    assert "(-120 s)" in found["msg"]
    assert tenant.admin.list_objects_v2(Bucket="backups", Prefix=f"{DB}/{tenant.args['change']}")["KeyCount"] == 0


def test_a_missing_file_stops_it(tenant: Tenant) -> None:
    tenant.admin.delete_object(Bucket="filestore", Key=f"{DB}/{FILES[1]}")
    for check in (True, False):
        refused = tenant.run(check=check)
        assert (refused["failed"], refused["code"], refused["missing"]) == (True, "FILESTORE_MISSING", [FILES[1]]), refused
    assert tenant.admin.list_objects_v2(Bucket="backups", Prefix=f"{DB}/{tenant.args['change']}")["KeyCount"] == 0


def test_a_checkpoint_whose_dump_is_gone_is_not_made_anew(tenant: Tenant) -> None:
    part = tenant.run()["checkpoint"]["dump"]
    tenant.admin.delete_object(Bucket="backups", Key=part["key"], VersionId=part["version_id"], BypassGovernanceRetention=True)
    for state in ("present", "restored"):
        assert tenant.run(state)["code"] == "CHECKPOINT_DAMAGED"


def test_check_mode_asks_whether_a_backup_could_be_taken(tenant: Tenant) -> None:
    assert not tenant.run(check=True, backup=True)["failed"]
    refused = tenant.run(check=True, backup=True, stanza="nowhere")
    assert refused["failed"] and "pgbackrest info of stanza nowhere" in refused["msg"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"s3": {"secret_key": "wrong"}}, "Check the secret key", id="secret"),
        pytest.param({"s3": {"access_key": "nobody"}}, "Check the access key", id="access-key"),
        pytest.param({"s3": {"endpoint_url": "https://localhost:1"}}, "Check that the object store runs", id="s3-down"),
        pytest.param({"s3": {"ca_bundle": None}}, "Check ca_bundle", id="certificate"),
        pytest.param({"destination": "s3://filestore/x"}, "AccessDenied", id="bucket-of-another"),
        pytest.param({"destination": "backups"}, "wanted s3://bucket/prefix", id="destination"),
        pytest.param({"admin_password": "wrong"}, "Check the administrator's name and password", id="password"),
        pytest.param({"port": 1}, "Check that the server runs", id="postgres-down"),
        pytest.param({"database": "nowhere"}, "database nowhere does not exist", id="database"),
        pytest.param({"pg_bin": "/nowhere"}, "no pg_dump of PostgreSQL", id="tools"),
        pytest.param({"backup": True, "stanza": "nowhere"}, "pgbackrest", id="stanza"),
    ],
)
def test_bad_input_has_one_clear_message(tenant: Tenant, change: dict[str, Any], says: str) -> None:
    given = {name: {**tenant.args[name], **value} if isinstance(value, dict) else value for name, value in change.items()}
    refused = tenant.run(**given)
    assert refused["failed"]
    assert says in refused["msg"], refused["msg"]
    for secret in (tenant.cluster["admin_password"], tenant.s3_facts["backup"]["secret_key"]):
        assert secret not in json.dumps(refused)
    assert tenant.admin.list_objects_v2(Bucket="backups", Prefix=f"{DB}/{tenant.args['change']}")["KeyCount"] == 0
