"""Releases: images of Odoo in the release store, and the template database that tenants are made from."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.lab import images, odoo, template
from tests.lab.parts import s3
from tests.lab.parts.postgres import connect
from tests.lab.progress import step
from tests.lab.site import LabError, Site

NEEDS: tuple[str, ...] = ("s3", "postgres")


def up(site: Site) -> None:
    base, made = odoo.base(), template.template(site)
    store = site.folder("store")
    placed = {release: images.place(release, store, base) for release in images.OVERLAYS}
    postgres = site.facts("postgres")
    with ThreadPoolExecutor(2) as pool:  # the clusters' own processes do the work
        for done in [pool.submit(restore_template, Path(postgres["bin"]), cluster, made) for cluster in postgres["clusters"].values()]:
            done.result()
    upload_filestore(site.facts("s3"), made / "filestore")
    facts = {
        "database": template.DATABASE,
        "owner": template.ROLE,
        "modules": list(template.MODULES),
        "login": "admin",
        "password": "admin",
    }
    site.publish("releases", {"registry": images.REGISTRY, "releases": placed, "template": facts})


def health(site: Site) -> str:
    facts = site.facts("releases")
    for number, release in facts["releases"].items():
        if not Path(release["path"], "base", "usr", "bin", "odoo").exists():
            raise LabError(f"release {number} stands on an Odoo tree that is gone from the cache: run ./dev lab up")
    for name, cluster in site.facts("postgres")["clusters"].items():
        if template_state(cluster) is None:
            raise LabError(f"cluster {name} has no database {template.DATABASE}: run ./dev lab up")
    digests = " ".join(f"{number}={release['digest'][7:15]}" for number, release in facts["releases"].items())
    return f"{facts['registry']} {digests}, template {template.DATABASE}"


def template_state(cluster: dict[str, Any]) -> str | None:
    """Which build of the template a cluster has: its cache entry's name; None when it has none."""
    with connect(cluster) as db:
        query = """
            SELECT coalesce(shobj_description(oid, 'pg_database'), '')
              FROM pg_database WHERE datname = %s AND datistemplate AND NOT datallowconn
        """
        row = db.execute(query, [template.DATABASE]).fetchone()
    return str(row[0]) if row else None


def restore_template(binaries: Path, cluster: dict[str, Any], made: Path) -> None:
    """Makes the template database under another name and gives it its own when it is whole, so a killed run leaves no half one.

    It belongs to the administrator and only what is in it to the template's role: REASSIGN OWNED in a tenant's copy would
    otherwise hand the template itself to that tenant. Nobody can connect to it: servers' cron threads would.
    """
    if template_state(cluster) == made.name:
        return
    draft, name, role = f"{template.DATABASE}_draft", template.DATABASE, template.ROLE
    with connect(cluster) as db:
        if not db.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            db.execute(f"CREATE ROLE {role} NOLOGIN")
        db.execute(f"DROP DATABASE IF EXISTS {draft}")
        db.execute(f"CREATE DATABASE {draft} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'")
        db.execute(f"GRANT CREATE ON DATABASE {draft} TO {role}")
    with connect(cluster, draft) as db:
        db.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    with step(f"restore {name} on port {cluster['port']}"):
        _pg_restore(binaries, cluster, draft, made / "odoo.dump")
    with connect(cluster) as db:
        if db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():  # of an older build
            db.execute(f"ALTER DATABASE {name} IS_TEMPLATE false")
            db.execute(f"DROP DATABASE {name} WITH (FORCE)")
        db.execute(f"COMMENT ON DATABASE {draft} IS '{made.name}'")
        db.execute(f"ALTER DATABASE {draft} IS_TEMPLATE true ALLOW_CONNECTIONS false")
        db.execute(f"ALTER DATABASE {draft} RENAME TO {name}")


def _pg_restore(binaries: Path, cluster: dict[str, Any], database: str, dump: Path) -> None:
    env = {**os.environ, "PGPASSWORD": cluster["admin_password"]}
    server = ["--host", cluster["host"], "--port", str(cluster["port"]), "--username", cluster["admin_user"], "--dbname", database]
    command = [str(binaries / "pg_restore"), *server, "--no-owner", "--no-acl", f"--role={template.ROLE}", "--exit-on-error", str(dump)]
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"the template does not restore on port {cluster['port']}: {done.stderr[-2000:]}")


def upload_filestore(facts: dict[str, Any], filestore: Path) -> None:
    """Puts the template's files into the bucket under the template's name. Files never change, so what is there stays."""
    client, bucket = s3.client(facts, "filestore"), facts["buckets"]["filestore"]
    prefix = f"{template.DATABASE}/"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    have = {item["Key"] for page in pages for item in page.get("Contents", [])}
    for file in sorted(p for p in filestore.rglob("*") if p.is_file()):
        key = prefix + file.relative_to(filestore).as_posix()
        if key not in have:
            client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
