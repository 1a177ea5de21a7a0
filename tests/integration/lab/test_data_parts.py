"""The lab's data parts are what their names promise: real locks, real confinement, backups that come back."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import counters, exporter
from tests.lab.parts import postgres, prometheus, redis, s3
from tests.lab.pgbackrest import backups, owner
from tests.lab.private import free_ports, remembered
from tests.lab.site import Site, wait_for

pytestmark = pytest.mark.lab

PARTS = ["s3", "postgres", "redis"]

OWNERS = sorted(s3.OWNERS.items())


@pytest.fixture
def doomed() -> Iterator[Site]:
    """A lab for destructive tests; each brings up the parts it needs."""
    site = Site.named(f"doomed-{uuid.uuid4().hex[:4]}")
    yield site
    site.destroy()


@pytest.fixture
def key() -> str:
    return f"test-{uuid.uuid4().hex[:8]}/object"


def refused(call: Callable[[], object]) -> str:
    """The error code with which S3 refuses; fails when it does not."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


# -- S3 ----------------------------------------------------------------------------------------------------------------------
def test_a_deleted_object_leaves_its_versions(site: Site, key: str) -> None:
    client = s3.client(site.facts("s3"), "filestore")
    first, second = (client.put_object(Bucket="filestore", Key=key, Body=text)["VersionId"] for text in (b"one", b"two"))
    client.delete_object(Bucket="filestore", Key=key)
    assert refused(lambda: client.get_object(Bucket="filestore", Key=key)) == "NoSuchKey"
    assert client.get_object(Bucket="filestore", Key=key, VersionId=first)["Body"].read() == b"one"
    listed = client.list_object_versions(Bucket="filestore", Prefix=key)
    assert [v["VersionId"] for v in listed["Versions"]] == [second, first]
    assert [m["IsLatest"] for m in listed["DeleteMarkers"]] == [True]


@pytest.mark.parametrize(("identity", "bucket", "mode"), [("backup", "backups", "GOVERNANCE"), ("ledger", "ledger", "COMPLIANCE")])
def test_a_locked_version_cannot_be_destroyed_with_its_buckets_key(site: Site, key: str, identity: str, bucket: str, mode: str) -> None:
    client = s3.client(site.facts("s3"), identity)
    version = client.put_object(Bucket=bucket, Key=key, Body=b"evidence")["VersionId"]
    for bypass in (False, True):
        destroy = dict(Bucket=bucket, Key=key, VersionId=version, BypassGovernanceRetention=bypass)
        assert refused(lambda destroy=destroy: client.delete_object(**destroy)) == "AccessDenied"
    assert client.get_object_retention(Bucket=bucket, Key=key)["Retention"]["Mode"] == mode
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"evidence"


def test_the_ledger_is_locked_for_the_admin_too_and_backups_are_not(site: Site, key: str) -> None:
    facts = site.facts("s3")
    admin = s3.client(facts, "admin")
    ledger, backup = (admin.put_object(Bucket=b, Key=key, Body=b"x")["VersionId"] for b in ("ledger", "backups"))
    assert (
        refused(lambda: admin.delete_object(Bucket="ledger", Key=key, VersionId=ledger, BypassGovernanceRetention=True)) == "AccessDenied"
    )
    admin.delete_object(Bucket="backups", Key=key, VersionId=backup, BypassGovernanceRetention=True)
    assert "Versions" not in admin.list_object_versions(Bucket="backups", Prefix=key)


def test_two_writers_cannot_both_create_one_event(site: Site, key: str) -> None:
    client = s3.client(site.facts("s3"), "ledger")
    client.put_object(Bucket="ledger", Key=key, Body=b"first", IfNoneMatch="*")
    assert refused(lambda: client.put_object(Bucket="ledger", Key=key, Body=b"second", IfNoneMatch="*")) == "PreconditionFailed"


@pytest.mark.parametrize(("identity", "own"), OWNERS)
def test_an_identity_is_confined_to_its_bucket(site: Site, key: str, identity: str, own: str) -> None:
    facts = site.facts("s3")
    client = s3.client(facts, identity)
    client.put_object(Bucket=own, Key=key, Body=b"mine")
    for other in sorted(set(s3.OWNERS.values()) - {own}):
        s3.client(facts, "admin").put_object(Bucket=other, Key=key, Body=b"not yours")
        probes: list[Callable[[], object]] = [
            lambda other=other: client.put_object(Bucket=other, Key=key, Body=b"x"),
            lambda other=other: client.get_object(Bucket=other, Key=key),
            lambda other=other: client.list_objects_v2(Bucket=other),
            lambda other=other: client.list_object_versions(Bucket=other),
            lambda other=other: client.delete_object(Bucket=other, Key=key),
            lambda other=other: client.copy_object(Bucket=own, Key=f"{key}-stolen", CopySource={"Bucket": other, "Key": key}),
        ]
        assert [refused(probe) for probe in probes] == ["AccessDenied"] * len(probes)


@pytest.mark.parametrize(("identity", "own"), OWNERS)
def test_an_identity_sees_its_buckets_settings_and_changes_none(site: Site, identity: str, own: str) -> None:
    client = s3.client(site.facts("s3"), identity)
    assert client.get_bucket_versioning(Bucket=own)["Status"] == "Enabled"
    rule = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    probes: list[Callable[[], object]] = [
        lambda: client.put_bucket_versioning(Bucket=own, VersioningConfiguration={"Status": "Suspended"}),
        lambda: client.put_object_lock_configuration(Bucket=own, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}),
        lambda: client.put_bucket_lifecycle_configuration(Bucket=own, LifecycleConfiguration={"Rules": [rule]}),
        lambda: client.put_bucket_policy(Bucket=own, Policy='{"Version": "2012-10-17", "Statement": []}'),
        lambda: client.delete_bucket(Bucket=own),
        lambda: client.create_bucket(Bucket=f"{own}-2"),
    ]
    assert [refused(probe) for probe in probes] == ["AccessDenied"] * len(probes)


def test_s3_wants_a_right_signature_and_shows_a_certificate_of_the_labs_ca(site: Site) -> None:
    facts = site.facts("s3")
    wrong = {**facts, "backup": {**facts["backup"], "secret_key": "wrong"}}
    assert refused(lambda: s3.client(wrong, "backup").list_objects_v2(Bucket="backups")) == "SignatureDoesNotMatch"
    with pytest.raises(urllib.error.HTTPError) as anonymous:
        urllib.request.urlopen(f"{facts['endpoint']}/backups", context=ssl.create_default_context(cafile=facts["ca"]), timeout=5)
    assert anonymous.value.code == 403
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(facts["endpoint"], context=ssl.create_default_context(), timeout=5)


def test_nobody_writes_or_reads_past_s3(site: Site, key: str) -> None:
    s3.client(site.facts("s3"), "ledger").put_object(Bucket="ledger", Key=key, Body=b"x")
    ports = remembered(site.root / "s3" / "state.json", dict)["ports"]
    for method in ("GET", "PUT", "DELETE"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            request = urllib.request.Request(f"http://127.0.0.1:{ports['filer']}/buckets/ledger/{key}", data=b"", method=method)
            urllib.request.urlopen(request, timeout=5)
        assert caught.value.code == 401


# -- PostgreSQL --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(postgres.CLUSTERS))
def test_a_cluster_has_a_backup_checksums_and_archives(site: Site, name: str) -> None:
    cluster = site.facts("postgres")["clusters"][name]
    assert backups(site, cluster["pgbackrest"])
    with postgres.connect(cluster) as db:
        settings = dict(db.execute("SELECT name, setting FROM pg_settings").fetchall())
    wanted = {"data_checksums": "on", "archive_mode": "on", "max_connections": "100", "password_encryption": "scram-sha-256"}
    assert {k: settings[k] for k in wanted} == wanted
    assert "pg_stat_statements" in settings["shared_preload_libraries"]


def test_a_wrong_password_is_refused(site: Site) -> None:
    import psycopg

    cluster = site.facts("postgres")["clusters"]["shared"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgres.connect({**cluster, "admin_password": "wrong"})


def test_a_backup_is_restored_to_a_marker(site: Site) -> None:
    cluster = site.facts("postgres")["clusters"]["shared"]
    table = f"pitr_{uuid.uuid4().hex[:8]}"
    with postgres.connect(cluster) as db:
        db.execute(f"CREATE TABLE {table} (said text)")
        site.run([cluster["pgbackrest"], "--stanza=shared", "backup", "--type=incr"])
        db.execute(f"INSERT INTO {table} VALUES ('before the marker')")
        db.execute("SELECT pg_create_restore_point(%s)", (table,))
        db.execute(f"INSERT INTO {table} VALUES ('after the marker')")
        db.execute("SELECT pg_switch_wal()")
        db.execute(f"DROP TABLE {table}")
    copy, port = site.folder(table, user=owner(), mode=0o700), free_ports("copy")["copy"]
    try:
        target = [f"--pg1-path={copy}", "--type=name", f"--target={table}", "--target-action=promote", "--archive-mode=off"]
        site.run([cluster["pgbackrest"], "restore", *target])
        place = ["-c", f"port={port}", "-c", f"unix_socket_directories={copy}", "-c", "listen_addresses=127.0.0.1"]
        site.spawn(table, [Path(site.facts("postgres")["bin"]) / "postgres", "-D", copy, *place], user=owner(), cwd=copy)
        with wait_for(lambda: postgres.connect(cluster, port=port), what="the restored copy", timeout_s=30) as db:
            wait_for(lambda: not db.execute("SELECT pg_is_in_recovery()").fetchone()[0], what="the end of recovery", timeout_s=30)
            assert db.execute(f"SELECT said FROM {table}").fetchall() == [("before the marker",)]
    finally:
        site.stop(table, sig=signal.SIGINT)
        shutil.rmtree(copy)


def test_the_standby_streams(site: Site) -> None:
    cluster = site.facts("postgres")["clusters"]["dedicated"]
    table = f"stream_{uuid.uuid4().hex[:8]}"
    with postgres.connect(cluster) as primary, postgres.connect(cluster, port=cluster["standby"]["port"]) as standby:
        assert standby.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        assert primary.execute("SELECT slot_name, active FROM pg_replication_slots").fetchall() == [("standby", True)]
        primary.execute(f"CREATE TABLE {table} AS SELECT 42 AS answer")
        arrived = wait_for(lambda: standby.execute(f"SELECT answer FROM {table}").fetchone(), what="the row on the standby", timeout_s=10)
        primary.execute(f"DROP TABLE {table}")
    assert arrived == (42,)
    assert site.facts("postgres")["clusters"]["shared"]["standby"] is None


# -- Redis, Prometheus, counters ----------------------------------------------------------------------------------------------
def test_redis_wants_its_password(site: Site) -> None:
    facts = site.facts("redis")
    assert redis.ask(facts, "PING") == "+PONG"
    assert redis.ask({**facts, "password": "wrong"}, "PING").startswith("-WRONGPASS")


@pytest.fixture
def entrance() -> Iterator[str]:
    """In Traefik's place: it knows one tenant, sends one away, and has metrics."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {"up.lab.example": 200, "away.lab.example": 303}
            status = 200 if self.path == "/metrics" else known.get(self.headers["Host"], 404)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"traefik_service_requests_total 7\n" if self.path == "/metrics" else b"")

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_prometheus_knows_which_tenants_answer(doomed: Site, entrance: str) -> None:
    doomed.publish("traefik", {"url": entrance, "metrics": f"{entrance}/metrics"})
    prometheus.up(doomed)
    hosts = {name: {"host": f"{name}.lab.example"} for name in ("up", "away", "unknown")}
    (doomed.root / "tenants.json").write_text(json.dumps({"tenants": hosts}))

    def seen() -> dict[str, str] | None:
        found = {r["metric"]["tenant"]: r["value"][1] for r in prometheus.query(doomed, "odoo_probe_success")}
        return found if len(found) == len(hosts) else None

    assert wait_for(seen, what="the probes in Prometheus", timeout_s=20) == {"up": "1", "away": "0", "unknown": "0"}
    scraped = wait_for(lambda: prometheus.query(doomed, "traefik_service_requests_total"), what="Traefik's metrics", timeout_s=20)
    assert scraped[0]["value"][1] == "7"
    (doomed.root / "tenants.json").write_text("{")
    assert exporter.tenants(doomed.root / "parts") == {}  # no file is no tenants
    with pytest.raises(ValueError, match="Expecting"):  # a broken one is an error, not "no tenants"
        exporter.metrics(doomed.root)


def test_counters_move_with_each_kind_of_write_and_only_then(site: Site, key: str) -> None:
    cluster, client = site.facts("postgres")["clusters"]["shared"], s3.client(site.facts("s3"), "ledger")
    table = f"count_{uuid.uuid4().hex[:8]}"
    start = counters.write_counters(site)
    assert counters.moved(start, counters.write_counters(site)) == {}
    with postgres.connect(cluster) as db:
        db.execute(f"CREATE TABLE {table} (n int)")
        db.execute(f"INSERT INTO {table} VALUES (1), (2)")
        db.execute(f"CREATE ROLE {table}")
    client.put_object(Bucket="ledger", Key=key, Body=b"x")
    client.delete_object(Bucket="ledger", Key=key)
    moved = counters.moved(start, counters.write_counters(site))
    with postgres.connect(cluster) as db:
        db.execute(f"DROP TABLE {table}")
        db.execute(f"DROP ROLE {table}")
    folder = f"ledger/{key.split('/', maxsplit=1)[0]}"
    assert {k: v for k, v in moved.items() if table in k or folder in k} == {
        f"postgres shared postgres public.{table} rows": "0 -> 2",
        f"s3 {folder} versions": "0 -> 1",
        f"s3 {folder} markers": "0 -> 1",
    }
    assert {"postgres shared roles", "postgres shared postgres relations", "postgres shared postgres columns"} <= moved.keys()


# -- the lab's own manners ----------------------------------------------------------------------------------------------------
def secrets_of(site: Site) -> list[str]:
    s3_facts, clusters = site.facts("s3"), site.facts("postgres")["clusters"].values()
    keys = [s3_facts[name]["secret_key"] for name in ("admin", *s3.OWNERS)]
    return [*keys, *(c["admin_password"] for c in clusters), site.facts("redis")["password"]]


def test_no_secret_in_arguments_logs_or_files_for_others(site: Site) -> None:
    wanted = secrets_of(site)
    for pid in site.processes():
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        assert not [s for s in wanted if s in arguments], f"a secret in the arguments of {arguments[:60]}"
    for file in (
        p for folder in ("s3", "pg", "redis", "parts", "log", "bin", "pki") for p in (site.root / folder).rglob("*") if p.is_file()
    ):
        if "volumes" in file.parts or file.stat().st_size > 5_000_000 or not stat.S_IMODE(file.stat().st_mode) & 0o007:
            continue
        assert not [s for s in wanted if s.encode() in file.read_bytes()], f"{file} holds a secret and others may read it"


def listening(pids: list[int]) -> set[str]:
    """The addresses on which these processes listen, in /proc's notation."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if (target := str(link.readlink())).startswith("socket:["):
                inodes.add(target[8:-1])
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


def test_everything_listens_on_loopback_only(site: Site) -> None:
    daemons = [pid for pid in (site.pid(p.name) for p in (site.root / "pids").iterdir()) if pid]
    addresses = listening(daemons)
    assert addresses
    assert {a for a in addresses if not a.endswith("7F") and a != socket.inet_pton(socket.AF_INET6, "::1").hex().upper()} == set()


def test_up_a_second_time_starts_nothing(site: Site) -> None:
    before = {p.name: p.read_text() for p in (site.root / "pids").iterdir()}
    for one in (s3, postgres, redis):
        one.up(site)
        assert one.health(site)
    assert {p.name: p.read_text() for p in (site.root / "pids").iterdir()} == before


BUILD = """
import sys, time
from pathlib import Path
from tests.lab import template
with template._cluster(Path(sys.argv[1]), {"ODOO_LAB": sys.argv[2]}):
    print("serves", flush=True)
    time.sleep(600)
"""


def test_down_ends_the_server_of_a_template_build_that_was_killed(doomed: Site) -> None:
    work = doomed.folder("t-killed")
    command = [sys.executable, "-c", BUILD, str(work), str(doomed.root)]
    building = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert building.stdout
    assert building.stdout.readline() == "serves\n"
    building.kill()
    building.wait()
    assert doomed.processes()
    doomed.destroy()
    assert doomed.processes() == []
    assert not doomed.root.exists()


def leftovers() -> set[str]:
    """What a server could leave outside its folder."""
    return {str(p) for pattern in ("seaweedfs*", ".s.PGSQL*", "pgbackrest*") for p in Path("/tmp").glob(pattern)}


def test_killed_servers_come_back_with_their_data_and_down_leaves_nothing(doomed: Site) -> None:
    before = leftovers()
    for one in (s3, postgres):
        one.up(doomed)
    facts, clusters = doomed.facts("s3"), doomed.facts("postgres")["clusters"]
    with postgres.connect(clusters["dedicated"]) as db:
        db.execute("CREATE TABLE kept AS SELECT 'still here' AS said")
    s3.client(facts, "filestore").put_object(Bucket="filestore", Key="kept", Body=b"still here")
    daemons = [p.name for p in (doomed.root / "pids").iterdir()]
    for pid in [doomed.pid(name) for name in daemons]:
        os.kill(int(pid or 0) or os.getpid(), signal.SIGKILL)
    # the kernel takes its time with a large process, and what still runs is not started
    wait_for(lambda: not any(doomed.pid(name) for name in daemons), what="the end of what was killed")
    for one in (s3, postgres):
        one.up(doomed)
    assert (doomed.facts("s3"), doomed.facts("postgres")["clusters"]) == (facts, clusters)
    assert s3.client(facts, "filestore").get_object(Bucket="filestore", Key="kept")["Body"].read() == b"still here"
    for port in (clusters["dedicated"]["port"], clusters["dedicated"]["standby"]["port"]):
        with postgres.connect(clusters["dedicated"], port=port) as db:
            assert db.execute("SELECT said FROM kept").fetchall() == [("still here",)]
    wait_for(lambda: postgres.health(doomed), what="the standby to stream again", timeout_s=20)
    doomed.run([clusters["shared"]["pgbackrest"], "check"])
    doomed.destroy()
    assert doomed.processes() == []
    assert not doomed.root.exists()
    assert leftovers() <= before
