# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks into a tenant's database after a canary: at rows that it should not have written, and at who runs scheduled actions. Reads only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.outside import (
    Table,
    judge_outside,
    judge_runners,
    touched_sql,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import PostgresError, Server, connect

HINT = "See postgres of the canary: a user who may read all tables of this database, such as the tenant's own role."
TABLES = """
SELECT quote_ident(c.relname), bool_or(a.attname = 'company_id')
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
 GROUP BY c.oid, c.relname
HAVING count(*) FILTER (WHERE a.attname IN ('id', 'write_uid', 'create_uid', 'write_date')) = 4
 ORDER BY c.reltuples
"""
# A process of Odoo that runs scheduled actions listens in the database "postgres", has committed that, and waits. Its name has its number.
RUNNERS = """
SELECT DISTINCT coalesce(host(client_addr), 'socket') || ' ' || application_name
  FROM pg_stat_activity
 WHERE datname = 'postgres' AND usename = %s AND application_name LIKE 'odoo-%%'
   AND query IN ('COMMIT', 'LISTEN cron_trigger') AND state LIKE 'idle%%'
 ORDER BY 1
"""


def outside(server: Server, database: str, who: Mapping[str, Any], *, budget_s: float) -> Check:
    """``who``: user and company of the canary, and since when by this clock. One table at a time, each within what is left."""
    began, touched, unseen = time.monotonic(), {}, []
    try:
        with connect(server, database, read_only=True) as db:
            tables = [Table(name, company) for name, company in db.execute(TABLES).fetchall()]
            for table in tables:
                left = budget_s - (time.monotonic() - began)
                rows = _counted(db, table, who, left) if left > 0 else None
                if rows is None:
                    unseen.append(table.name)
                elif rows:
                    touched[table.name] = rows
    except PostgresError as exc:
        return unknown("outside", str(exc), hint=HINT, code="OUTSIDE_UNSEEN")
    return judge_outside(touched, unseen, len(tables))


def _counted(db: Any, table: Table, who: Mapping[str, Any], left_s: float) -> int | None:
    """Rows that count, or None when that took too long."""
    import psycopg

    db.execute("SELECT set_config('statement_timeout', %s, false)", [str(max(1, int(left_s * 1000)))])
    try:
        return int(db.execute(touched_sql(table), who).fetchone()[0])
    except psycopg.errors.QueryCanceled:
        return None


def runners(server: Server, role: str, wanted: int) -> Check:
    """The processes that run scheduled actions as the tenant's role."""
    try:
        with connect(server, read_only=True) as db:
            found = [str(row[0]) for row in db.execute(RUNNERS, [role]).fetchall()]
    except PostgresError as exc:
        return unknown("cron_runners", str(exc), hint=HINT, code="CRON_UNSEEN")
    return judge_runners(found, wanted)
