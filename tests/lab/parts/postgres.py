"""PostgreSQL: a shared cluster, a dedicated cluster with a streaming standby; both archive to S3 through pgBackRest."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.lab import pgbackrest
from tests.lab.distribution import postgres_bin
from tests.lab.pgbackrest import owner
from tests.lab.private import free_ports, password, publish_private, remembered, write_private
from tests.lab.progress import step
from tests.lab.site import LabError, Site, wait_for

NEEDS: tuple[str, ...] = ("s3",)

CLUSTERS = {"shared": False, "dedicated": True}  # name: has a standby
SLOT = "standby"

# A lab: a crash of the machine may cost its data, so nothing is flushed to the disk. A killed process costs nothing.
# Everything that recovery compares (connections, workers, senders) stays at its default: a copy restored elsewhere,
# with whatever configuration, can then always replay this cluster's WAL.
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{socket}'
hba_file = '{home}/pg_hba.conf'
ident_file = '{home}/pg_ident.conf'
max_connections = 100
shared_buffers = 48MB
dynamic_shared_memory_type = mmap
fsync = off
synchronous_commit = off
full_page_writes = on
wal_level = replica
wal_compression = lz4
max_wal_size = 256MB
max_slot_wal_keep_size = 1GB
archive_mode = on
archive_command = '"{pgbackrest}" --pg1-path="{data}" archive-push "%p"'
restore_command = '"{pgbackrest}" --pg1-path="{data}" archive-get "%f" "%p"'
archive_timeout = 60
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
"""


def up(site: Site) -> None:
    state = remembered(site.folder("pg") / "state.json", _new_state)
    s3 = site.facts("s3")
    clusters = {name: _facts(site, name, state, s3) for name in CLUSTERS}
    new = not site.has("postgres")
    with ThreadPoolExecutor(len(CLUSTERS)) as pool:  # each waits for the other's disk and network: together they are quicker
        for done in [pool.submit(_cluster_up, site, name, clusters[name], state, new=new) for name in CLUSTERS]:
            done.result()
    if new:
        publish_private(site, "postgres", {"bin": str(postgres_bin()), "clusters": clusters})


def health(site: Site) -> str:
    told = []
    for name, cluster in site.facts("postgres")["clusters"].items():
        try:
            with connect(cluster) as db:
                db.execute("SELECT 1")
                streams = _streams(db)
        except Exception as exc:
            raise LabError(f"cluster {name} at 127.0.0.1:{cluster['port']} does not answer: {exc}; run ./dev lab up") from exc
        if cluster["standby"] and not streams:
            raise LabError(f"the standby of cluster {name} does not stream: see {site.root}/log/pg-{name}-standby.log")
        standby = f" standby :{cluster['standby']['port']}" if cluster["standby"] else ""
        told.append(f"{name} 127.0.0.1:{cluster['port']}{standby}")
    return ", ".join(told)


def connect(cluster: dict[str, Any], database: str = "postgres", **more: Any) -> Any:
    """A psycopg connection of the cluster's admin, in autocommit."""
    import psycopg

    wanted = {
        "host": cluster["host"],
        "port": cluster["port"],
        "user": cluster["admin_user"],
        "password": cluster["admin_password"],
        **more,
    }
    return psycopg.connect(dbname=database, autocommit=True, connect_timeout=5, **wanted)


def _streams(primary: Any) -> bool:
    return bool(primary.execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").fetchone()[0])


def _new_state() -> dict[str, Any]:
    return {
        "ports": free_ports(*CLUSTERS, *(f"{name}-standby" for name, standby in CLUSTERS.items() if standby)),
        "passwords": {name: {"postgres": password(), "replicator": password()} for name in CLUSTERS},
    }


def _facts(site: Site, name: str, state: dict[str, Any], s3: dict[str, Any]) -> dict[str, Any]:
    home = site.folder("pg", name)
    socket, data, port = site.folder("pg", name, "run", user=owner()), home / "data", state["ports"][name]
    wrapper, config = pgbackrest.configure(site, stanza=name, user=owner(), data=data, port=port, socket=socket, s3=s3)
    standby = {"host": "127.0.0.1", "port": state["ports"][f"{name}-standby"], "data": str(home / "standby")} if CLUSTERS[name] else None
    return {
        "host": "127.0.0.1",
        "port": port,
        "socket": str(socket),
        "data": str(data),
        "admin_user": "postgres",
        "admin_password": state["passwords"][name]["postgres"],
        "stanza": name,
        "pgbackrest": str(wrapper),
        "config": str(config),
        "standby": standby,
    }


def _cluster_up(site: Site, name: str, cluster: dict[str, Any], state: dict[str, Any], *, new: bool) -> None:
    secrets = state["passwords"][name]
    _initdb(site, name, secrets["postgres"])
    _start(site, f"pg-{name}", cluster, data=Path(cluster["data"]), port=cluster["port"])
    if new:
        _roles(cluster, secrets["replicator"])
        with step(f"cluster {name}: stanza, check, first full backup"):
            pgbackrest.first_backup(site, Path(cluster["pgbackrest"]))
    if cluster["standby"]:
        _basebackup(site, name, cluster, secrets["replicator"])
        _start(site, f"pg-{name}-standby", cluster, data=Path(cluster["standby"]["data"]), port=cluster["standby"]["port"])
        with connect(cluster) as db:
            wait_for(
                lambda: _streams(db), what=f"the standby of {name} to stream (see {site.root}/log/pg-{name}-standby.log)", timeout_s=60
            )


def _initdb(site: Site, name: str, admin_password: str) -> None:
    home, user = site.folder("pg", name, user=owner()), owner()
    if (home / "data").exists():
        return
    rules = [
        "local all postgres peer map=lab",  # pgBackRest and the owner's own tools
        "local all all scram-sha-256",
        "host all all 127.0.0.0/8 scram-sha-256",
        "host replication replicator 127.0.0.0/8 scram-sha-256",
    ]
    write_private(home / "pg_hba.conf", "\n".join(rules) + "\n", user=user)
    write_private(home / "pg_ident.conf", f"lab {user} postgres\n", user=user)
    write_private(home / "initial-password", admin_password + "\n", user=user)
    fresh = home / "data.new"
    site.run(["rm", "-rf", fresh])
    options = ["--username=postgres", f"--pwfile={home}/initial-password", "--auth-local=peer", "--auth-host=scram-sha-256"]
    options += ["--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    site.run([postgres_bin() / "initdb", "-D", fresh, *options], user=user)
    (home / "initial-password").unlink()
    fresh.rename(home / "data")


def _start(site: Site, daemon: str, cluster: dict[str, Any], *, data: Path, port: int) -> None:
    """Starts one instance when it does not run, and waits until it answers.

    The configuration lies outside the data folder, as on Debian: a base backup, a rewind or a restore then never carries
    one instance's port to another.
    """
    home = data.parent
    config = home / f"{data.name}.conf"
    settings = SETTINGS.format(port=port, socket=cluster["socket"], home=home, data=data, pgbackrest=cluster["pgbackrest"])
    if (postgres_bin().parent / "lib" / "pg_stat_statements.so").exists():
        settings += "shared_preload_libraries = 'pg_stat_statements'\n"
    write_private(config, settings, user=owner())
    end = time.monotonic() + 90
    while not _answers(cluster, port):
        if site.pid(daemon) is None:
            site.spawn(daemon, [postgres_bin() / "postgres", "-D", data, "-c", f"config_file={config}"], user=owner(), cwd=home)
        if time.monotonic() > end:
            raise LabError(f"{daemon} does not answer on 127.0.0.1:{port} after 90 s: see {site.root}/log/{daemon}.log")
        time.sleep(0.3)  # after a kill, the old one's children may hold its memory for a moment: then the new one ends and is started again


def _answers(cluster: dict[str, Any], port: int) -> bool:
    import psycopg

    try:
        connect(cluster, port=port).close()
    except psycopg.OperationalError:
        return False
    return True


def _roles(cluster: dict[str, Any], replicator_password: str) -> None:
    from psycopg import sql

    with connect(cluster) as db:
        if not db.execute("SELECT 1 FROM pg_roles WHERE rolname = 'replicator'").fetchone():
            db.execute(sql.SQL("CREATE ROLE replicator LOGIN REPLICATION PASSWORD {}").format(sql.Literal(replicator_password)))
        if db.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'").fetchone():
            db.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        if cluster["standby"] and not db.execute("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)).fetchone():
            db.execute("SELECT pg_create_physical_replication_slot(%s, true)", (SLOT,))


def _basebackup(site: Site, name: str, cluster: dict[str, Any], replicator_password: str) -> None:
    home, user = site.root / "pg" / name, owner()
    if (home / "standby").exists():
        return
    passfile, fresh = home / "replicator.pgpass", home / "standby.new"
    write_private(passfile, f"127.0.0.1:*:*:replicator:{replicator_password}\n", user=user)
    site.run(["rm", "-rf", fresh])
    source = f"host=127.0.0.1 port={cluster['port']} user=replicator passfile={passfile} application_name={SLOT}"
    options = ["--wal-method=stream", f"--slot={SLOT}", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
    with step(f"cluster {name}: standby"):
        site.run([postgres_bin() / "pg_basebackup", "-d", source, "-D", fresh, *options], user=user)
        fresh.rename(home / "standby")
