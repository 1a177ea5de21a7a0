"""The lab's releases are what their names promise: run as a pod would run them, against the lab's own stores."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import images, odoo, template
from tests.lab.__main__ import part
from tests.lab.customers import Session, admin_dsn, content, fingerprint, seed, stored_files
from tests.lab.parts import redis as redis_part
from tests.lab.parts import s3 as s3_part
from tests.lab.parts.postgres import connect
from tests.lab.site import LabError, Site, wait_for

pytestmark = pytest.mark.lab

PARTS = ["releases", "redis"]

DATABASE = "releases_test"
PASSWORD = "only-this-tests-own"
POST = """
import json, threading, time
waits, sleep = [], time.sleep
time.sleep = lambda s: (waits.append(s), sleep(s))
move = env['account.move'].create({'move_type': 'out_invoice', 'partner_id': env['res.partner'].search([('ref', '!=', False)], limit=1).id,
    'invoice_date': '2026-03-01', 'invoice_line_ids': [(0, 0, {'name': 'x', 'quantity': 1, 'price_unit': 10})]})
env.flush_all()
threading.current_thread().perf_t0 = time.time()  # as Odoo's HTTP server notes it for each request
began = time.perf_counter()
try:
    move.action_post()
    env.cr.commit()
    error = None
except Exception as exc:
    error = repr(exc)
print('RESULT ' + json.dumps({'total': time.perf_counter() - began, 'waits': waits, 'error': error}))
"""


@dataclass(frozen=True)
class Tenant:
    """One database from the template, and the processes of any release on it."""

    site: Site
    ip: str

    @property
    def url(self) -> str:
        return f"http://{self.ip}:8069"

    def image(self, release: str) -> Path:
        return Path(self.site.facts("releases")["releases"][release]["path"])

    def env(self, release: str) -> dict[str, str]:
        s3, redis = self.site.facts("s3"), self.site.facts("redis")
        cluster = self.site.facts("postgres")["clusters"]["shared"]
        return {
            "PATH": f"{self.image(release)}/bin:/usr/bin:/bin",
            "POD_IP": self.ip,
            "POD_DIR": str(self.site.folder("releases-test", f"pod-{release}")),
            "PGHOST": cluster["host"],
            "PGPORT": str(cluster["port"]),
            "PGUSER": DATABASE,
            "PGPASSWORD": PASSWORD,
            "S3_FILESTORE_HOST": s3["host"],
            "S3_FILESTORE_ACCESS_KEY": s3["filestore"]["access_key"],
            "S3_FILESTORE_SECRET_KEY": s3["filestore"]["secret_key"],
            "S3_FILESTORE_BUCKET": s3["buckets"]["filestore"],
            "S3_FILESTORE_REGION": s3["region"],
            "S3_FILESTORE_SECURE": "true",
            "SSL_CERT_FILE": s3["ca"],
            "REDIS_HOST": redis["host"],
            "REDIS_PORT": str(redis["port"]),
            "REDIS_PASSWORD": redis["password"],
            "REDIS_SSL": "false",
        }

    def run(self, release: str, *args: str, stdin: str = "", extra: Mapping[str, str] | None = None) -> str:
        command = [str(self.image(release) / "bin" / "odoo"), *args]
        return self.site.run(command, env={**self.env(release), **(extra or {})}, stdin=stdin, timeout_s=120)

    def update(self, release: str) -> str:
        return self.run(release, "--database", DATABASE, "--update", images.ADDON, "--stop-after-init", "--no-http", "--max-cron-threads=0")

    def post_an_invoice(self, release: str) -> dict[str, Any]:
        said = self.run(release, "shell", "--database", DATABASE, "--no-http", "--max-cron-threads=0", stdin=POST)
        return dict(json.loads(next(line for line in said.splitlines() if line.startswith("RESULT "))[7:]))

    def serve(self, release: str) -> None:
        command = [str(self.image(release) / "bin" / "odoo"), "--database", DATABASE, "--max-cron-threads=0"]
        self.site.spawn("releases-test", command, env=self.env(release))
        wait_for(lambda: self.site.pid("releases-test") and self.session(), what=f"release {release} at {self.url}", timeout_s=40)

    def session(self) -> Session:
        session = Session(self.url, "releases-test.lab.example")
        session.login(DATABASE, "admin", "admin")
        return session

    def sql(self, query: str, *values: Any) -> list[Any]:
        with connect(self.site.facts("postgres")["clusters"]["shared"], DATABASE) as db:
            done = db.execute(query, values)
            return list(done.fetchall()) if done.description else []

    def fingerprint(self) -> dict[str, Any]:
        return fingerprint(admin_dsn(self.site.facts("postgres")["clusters"]["shared"]), DATABASE)


@pytest.fixture(scope="module")
def tenant(site: Site) -> Iterator[Tenant]:
    cluster = site.facts("postgres")["clusters"]["shared"]
    _drop(cluster)
    with connect(cluster) as db:
        db.execute(f"CREATE ROLE {DATABASE} LOGIN PASSWORD '{PASSWORD}'")
        db.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {template.DATABASE} OWNER {DATABASE}")
    with connect(cluster, DATABASE) as db:
        db.execute(f"REASSIGN OWNED BY {template.ROLE} TO {DATABASE}")
    made = Tenant(site, f"127.245.{random.randrange(256)}.{random.randrange(2, 255)}")
    s3 = s3_part.client(site.facts("s3"), "filestore")
    for item in s3.list_objects_v2(Bucket="filestore", Prefix=f"{template.DATABASE}/")["Contents"]:
        target = item["Key"].replace(template.DATABASE, DATABASE, 1)
        s3.copy_object(Bucket="filestore", Key=target, CopySource={"Bucket": "filestore", "Key": item["Key"]})
    yield made
    site.stop("releases-test", grace_s=3)
    _drop(cluster)


def _drop(cluster: dict[str, Any]) -> None:
    with connect(cluster) as db:
        db.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        db.execute(f"DROP ROLE IF EXISTS {DATABASE}")


def test_a_digest_depends_on_the_content_alone(tmp_path: Path) -> None:
    base = odoo.base()
    seen = {}
    for release in images.OVERLAYS:
        for copy in ("a", "b"):
            images.assemble(release, tmp_path / copy / release, base)
        seen[release] = images.digest_of(tmp_path / "a" / release)
        assert seen[release] == images.digest_of(tmp_path / "b" / release)
    assert len(set(seen.values())) == len(images.OVERLAYS)
    changed = tmp_path / "b" / "1" / "addons" / "acme_billing" / "__init__.py"
    changed.write_text(changed.read_text() + "#\n")
    assert images.digest_of(tmp_path / "b" / "1") != seen["1"]
    (tmp_path / "a" / "2" / "bin" / "odoo").chmod(0o644)
    assert images.digest_of(tmp_path / "a" / "2") != seen["2"]


def test_up_again_changes_nothing(site: Site) -> None:
    before = site.facts("releases")
    began = time.monotonic()
    part("releases").up(site)
    assert time.monotonic() - began < 5
    assert site.facts("releases") == before
    assert images.REGISTRY in part("releases").health(site)


def test_release_1_keeps_files_in_s3_and_sessions_in_redis(tenant: Tenant) -> None:
    tenant.serve("1")
    counts = seed(tenant.url, "releases-test.lab.example", DATABASE, "admin", "admin", n=3)
    assert counts == {"partners": 3, "invoices": 3, "timesheets": 3, "attachments": 3}
    before = tenant.fingerprint()
    assert seed(tenant.url, "releases-test.lab.example", DATABASE, "admin", "admin", n=3) == counts
    assert tenant.fingerprint() == before, "seeding twice, or a login, changed rows"

    body = content(DATABASE, "deed.bin", 96_000)
    sha1 = hashlib.sha1(body).hexdigest()
    s3 = s3_part.client(tenant.site.facts("s3"), "filestore")
    assert s3.get_object(Bucket="filestore", Key=f"{DATABASE}/{sha1[:2]}/{sha1}")["Body"].read() == body
    have = stored_files(tenant.site.facts("s3"), DATABASE)
    assert set(before["files"]) <= have.keys(), "the database names files that the bucket lacks"
    assert have[f"{sha1[:2]}/{sha1}"] == [96_000, f'"{hashlib.md5(body).hexdigest()}"']

    sid = tenant.session().headers["Cookie"].removeprefix("session_id=")
    assert redis_part.ask(tenant.site.facts("redis"), "EXISTS", f"session:{sid}") == ":1"
    sessions = Path(tenant.env("1")["POD_DIR"], "data", "sessions")
    assert not [p for p in sessions.rglob("*") if p.is_file()], "a session landed on the pod's own disk"
    posted = tenant.sql("SELECT name, acme_reference FROM account_move WHERE ref LIKE 'LAB-INV-%%' AND state = 'posted'")
    assert len(posted) == 3
    assert all(reference == f"ACME/001/{name}" for name, reference in posted)


@pytest.mark.parametrize(
    ("there", "back", "part_of_it"),
    [
        pytest.param(
            "UPDATE res_country SET phone_code = phone_code + 1 WHERE code = 'BE'",
            "UPDATE res_country SET phone_code = phone_code - 1 WHERE code = 'BE'",
            "rows",
            id="one-value-of-one-row",
        ),
        pytest.param(
            "ALTER TABLE res_lang ADD COLUMN left_behind int",
            "ALTER TABLE res_lang DROP COLUMN left_behind",
            "columns",
            id="an-empty-column",
        ),
        pytest.param("CREATE TABLE left_behind ()", "DROP TABLE left_behind", "columns", id="a-table-without-columns"),
    ],
)
def test_a_fingerprint_shows_what_is_left_behind(tenant: Tenant, there: str, back: str, part_of_it: str) -> None:
    before = tenant.fingerprint()
    tenant.sql(there)
    assert tenant.fingerprint()[part_of_it] != before[part_of_it]
    tenant.sql(back)
    assert tenant.fingerprint() == before


def test_release_2_migrates_and_release_1_still_works_on_its_schema(tenant: Tenant) -> None:
    tenant.update("2")
    assert tenant.fingerprint()["modules"][images.ADDON] == ["19.0.2.0.0", "installed"]
    rows = tenant.sql("SELECT id, acme_settlement_code FROM account_move WHERE ref LIKE 'LAB-INV-%%'")
    assert rows
    assert all(code == f"S{number:08d}" for number, code in rows)
    assert tenant.post_an_invoice("1")["error"] is None
    session = tenant.session()  # the server of release 1 that has run all the time
    assert session.call("account.move", "search_count", [["state", "=", "posted"]]) >= 3


def test_release_3_takes_forty_percent_longer_to_post(tenant: Tenant) -> None:
    usual = tenant.post_an_invoice("2")
    assert usual["error"] is None
    assert not usual["waits"]
    slow = tenant.post_an_invoice("3")
    waited = sum(slow["waits"])
    assert slow["error"] is None
    assert waited >= 0.3 * (slow["total"] - waited)
    assert waited <= 0.5 * (slow["total"] - waited)


def test_release_4_cannot_post(tenant: Tenant) -> None:
    assert "Acme ledger" in tenant.post_an_invoice("4")["error"]


def test_release_5_updates_and_cannot_serve(tenant: Tenant) -> None:
    tenant.update("5")
    assert tenant.fingerprint()["modules"][images.ADDON] == ["19.0.5.0.0", "installed"]
    with pytest.raises(LabError, match=r"rc 78(?s:.*)ACME_LEDGER_URL"):
        tenant.run("5", "--database", DATABASE)


def test_release_6_leaves_a_row_each_time_it_migrates(tenant: Tenant) -> None:
    for release in ("2.1", "6", "6", "2.1", "6"):
        tenant.update(release)
    assert tenant.sql("SELECT came_from FROM acme_update_log ORDER BY id") == [("19.0.2.1.0",), ("19.0.2.1.0",)]


def test_release_7_updates_and_waits_instead_of_serving(tenant: Tenant) -> None:
    tenant.update("7")
    pid = tenant.site.spawn("waits", [tenant.image("7") / "bin" / "odoo", "--database", DATABASE], env=tenant.env("7"))
    wait_for(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\0infinity\0", what="the wait", timeout_s=10)
    tenant.site.stop("waits", grace_s=3)
    assert tenant.site.pid("waits") is None


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        pytest.param({"S3_FILESTORE_SECRET_KEY": ""}, "S3_FILESTORE_SECRET_KEY is empty", id="half-of-s3"),
        pytest.param({"S3_FILESTORE_HOST": "localhost:9"}, "attachments are not stored in S3", id="s3-down"),
        pytest.param({"REDIS_PORT": "9"}, "sessions are not kept in Redis", id="redis-down"),
    ],
)
def test_a_server_without_its_stores_does_not_start(tenant: Tenant, extra: dict[str, str], said: str) -> None:
    with pytest.raises(LabError, match=rf"rc 78(?s:.*){said}"):
        tenant.run("1", "--database", DATABASE, "--no-http", "--stop-after-init", extra=extra)


def test_subcommands_run(tenant: Tenant) -> None:
    assert "UPDATE" in tenant.run("1", "neutralize", "--database", DATABASE, "--stdout")
    assert "duplicate" in tenant.run("1", "db", "--help")
