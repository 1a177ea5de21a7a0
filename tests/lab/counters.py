"""Numbers of a lab that move with every write, taken before and after a check mode to prove that it wrote nothing.

A site writes by itself, too: PostgreSQL archives WAL, Odoo's scheduler notes what it ran. So there is a number per place
and not one for all: :func:`moved` names the places, and leaves out those where a running site writes with nobody asking.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.lab.parts import postgres, s3
from tests.lab.site import Site

# What a site that is left alone writes: WAL in the archive, the notes of Odoo's scheduler and its longpolling, and what its
# daily vacuum takes away.
BACKGROUND = (
    r"s3 backups/pgbackrest/\w+/archive .*",
    r"postgres \w+ [^ ]+ public\.(ir_cron|ir_cron_progress|ir_cron_trigger|bus_bus|bus_presence|mail_presence) rows",
    r"postgres \w+ [^ ]+ public\.(res_users_log|res_device_log) rows",
    r"s3 filestore/\w+/checklist/\w+ markers",
    r"kubernetes (lab-kubelet|traefik|system:(?!anonymous).*)",
)

# Rows of users' tables only: autovacuum writes statistics into the catalogs whenever it likes.
ROWS = """
SELECT schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
"""
SHAPE = {
    "relations": "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'",
    "columns": "SELECT count(*) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
    " WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'",
}
WHOLE = {
    "databases": "SELECT count(*) FROM pg_database",
    "roles": "SELECT count(*) FROM pg_roles",
    "memberships": "SELECT count(*) FROM pg_auth_members",
    "role settings": "SELECT count(*) FROM pg_db_role_setting",
    "settings": "SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'",
}


def write_counters(site: Site) -> dict[str, int]:
    """A number per place where something can be written; the places of a part that is not up are missing.

    * ``postgres <cluster> <database> <table> rows``: rows inserted, updated and deleted so far. A session that stays open
      reports them up to 10 s late, one that ended has reported. Also the count of relations, columns, databases, roles,
      and settings. Databases that allow no connections (templates) only count as databases.
    * ``s3 <folder> versions`` and ``markers``: object versions and delete markers.
    * ``kubernetes <caller>``: changes the caller made. Only ``kubernetes total`` = 0 when that part is not up.

    Kubernetes' numbers begin anew when the proxy is restarted, PostgreSQL's when a server is killed.
    """
    counts: dict[str, int] = {}
    if site.has("postgres"):
        for name, cluster in site.facts("postgres")["clusters"].items():
            counts |= _postgres(name, cluster)
    if site.has("s3"):
        counts |= _s3(site.facts("s3"))
    return counts | _kubernetes(site)


def moved(before: dict[str, int], after: dict[str, int], *, ignore: Iterable[str] = BACKGROUND) -> dict[str, str]:
    """Every place whose number is another one now: ``{"s3 ledger/CHG-1 versions": "0 -> 2"}``."""
    quiet = [re.compile(pattern) for pattern in ignore]
    places = sorted(p for p in before.keys() | after.keys() if before.get(p, 0) != after.get(p, 0))
    return {p: f"{before.get(p, 0)} -> {after.get(p, 0)}" for p in places if not any(q.fullmatch(p) for q in quiet)}


def _postgres(name: str, cluster: dict[str, Any]) -> dict[str, int]:
    with postgres.connect(cluster) as db:
        counts = {f"postgres {name} {what}": int(db.execute(query).fetchone()[0]) for what, query in WHOLE.items()}
        databases = [row[0] for row in db.execute("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate")]
    for database in databases:
        with postgres.connect(cluster, database) as db:
            counts |= {f"postgres {name} {database} {table} rows": int(rows) for table, rows in db.execute(ROWS)}
            counts |= {f"postgres {name} {database} {what}": int(db.execute(query).fetchone()[0]) for what, query in SHAPE.items()}
    return counts


def _s3(facts: dict[str, Any]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    admin = s3.client(facts, "admin")
    for bucket in facts["buckets"].values():
        for page in admin.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for kind, entries in (("versions", page.get("Versions", ())), ("markers", page.get("DeleteMarkers", ()))):
                counts.update(f"s3 {_folder(bucket, entry['Key'])} {kind}" for entry in entries)
    return dict(counts)


def _folder(bucket: str, key: str) -> str:
    """The bucket and at most three folders: enough to say whose objects moved."""
    return "/".join([bucket, *key.split("/")[:-1][:3]])


def _kubernetes(site: Site) -> dict[str, int]:
    if not site.has("kubernetes"):
        return {"kubernetes total": 0}
    with urllib.request.urlopen(f"{site.facts('kubernetes')['server']}/lab/writes", timeout=10) as answer:
        callers = json.load(answer)["callers"]
    return {f"kubernetes {caller}": int(seen["total"]) for caller, seen in callers.items()}
