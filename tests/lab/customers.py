"""A customer's data in a tenant, and a fingerprint of it: what a rollback must leave as it was."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import http.client
import json
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from tests.lab.site import LabError

COMPANY = 1  # the customer's own; the canary has another
DAY = dt.date(2026, 1, 15)


class Session:
    """A logged-in user of one tenant. The tenant is chosen by the Host header, as a browser behind the same route would."""

    def __init__(self, url: str, host: str, *, headers: Mapping[str, str] | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        self.address, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.headers = {"Host": host, "Content-Type": "application/json", **(headers or {})}
        self.context: dict[str, Any] = {}

    def login(self, database: str, login: str, password: str) -> int:
        answer = self._post("/web/session/authenticate", {"db": database, "login": login, "password": password})
        if not answer.get("uid"):
            raise LabError(f"the login of {login} into {database} was refused")
        self.context = {**answer.get("user_context", {}), "allowed_company_ids": [COMPANY]}
        return int(answer["uid"])

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        params = {"model": model, "method": method, "args": args, "kwargs": {"context": self.context, **kwargs}}
        return self._post(f"/web/dataset/call_kw/{model}/{method}", params)

    def first(self, model: str, domain: Sequence[Any]) -> int | None:
        found = self.call(model, "search", domain, limit=1, order="id")
        return int(found[0]) if found else None

    def ensure(self, model: str, domain: Sequence[Any], values: Mapping[str, Any]) -> int:
        """The id of the first record of ``domain``; it is made from ``values`` when there is none."""
        return self.first(model, domain) or int(self.call(model, "create", [values])[0])

    def _post(self, path: str, params: Mapping[str, Any]) -> Any:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=120)
        try:
            connection.request("POST", path, json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}), self.headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        for value in answer.headers.get_all("Set-Cookie") or []:
            if value.startswith("session_id="):
                self.headers["Cookie"] = value.split(";")[0]
        if answer.status != 200:
            raise LabError(f"{self.headers['Host']}{path} answered {answer.status}: {body[:300]!r}")
        document = json.loads(body)
        if error := document.get("error"):
            raise LabError(f"{path}: {error.get('data', {}).get('name')}: {error.get('data', {}).get('message') or error}")
        return document["result"]


def seed(url: str, host: str, database: str, login: str, password: str, *, n: int = 6) -> dict[str, int]:
    """``n`` customers with a posted invoice each, ``n`` timesheet lines and three files. A second call adds nothing."""
    session = Session(url, host)
    uid = session.login(database, login, password)
    partners = [_partner(session, i) for i in range(1, n + 1)]
    invoices = [_invoice(session, i, partner) for i, partner in enumerate(partners, 1)]
    lines = _timesheets(session, uid, n)
    files = _attachments(session, database, partners[0])
    return {"partners": len(partners), "invoices": len(invoices), "timesheets": len(lines), "attachments": len(files)}


def _partner(session: Session, i: int) -> int:
    ref = f"CUST-{i:04d}"
    values = {"name": f"Customer {i:04d}", "ref": ref, "is_company": True, "email": f"customer{i}@example.com", "company_id": COMPANY}
    return session.ensure("res.partner", [["ref", "=", ref]], values)


def _invoice(session: Session, i: int, partner: int) -> int:
    ref = f"LAB-INV-{i:04d}"
    line = {"name": f"Services of month {i}", "quantity": i, "price_unit": 100.0 + i}
    day = (DAY + dt.timedelta(days=i)).isoformat()
    values = {"move_type": "out_invoice", "partner_id": partner, "ref": ref, "invoice_date": day, "invoice_line_ids": [[0, 0, line]]}
    invoice = session.ensure("account.move", [["ref", "=", ref], ["move_type", "=", "out_invoice"]], values)
    if session.call("account.move", "read", [invoice], ["state"])[0]["state"] == "draft":
        session.call("account.move", "action_post", [invoice])
    return invoice


def _timesheets(session: Session, uid: int, n: int) -> list[int]:
    session.ensure("hr.employee", [["user_id", "=", uid]], {"name": "Consultant", "user_id": uid, "company_id": COMPANY})
    project = session.ensure(
        "project.project", [["name", "=", "Delivery"]], {"name": "Delivery", "allow_timesheets": True, "company_id": COMPANY}
    )
    task = session.ensure(
        "project.task", [["name", "=", "Rollout"], ["project_id", "=", project]], {"name": "Rollout", "project_id": project}
    )
    lines = []
    for i in range(1, n + 1):
        name = f"LAB-TS-{i:04d}"
        values = {
            "name": name,
            "project_id": project,
            "task_id": task,
            "unit_amount": 0.5 * i,
            "date": (DAY + dt.timedelta(days=i)).isoformat(),
        }
        lines.append(session.ensure("account.analytic.line", [["name", "=", name]], values))
    return lines


def _attachments(session: Session, database: str, partner: int) -> list[int]:
    """Three files of different kinds; their contents differ between tenants, so that a mix-up of two tenants' files shows."""
    sizes = {"contract.txt": 2_000, "deed.bin": 96_000, "terms.csv": 8_000}
    files = []
    for name, size in sizes.items():
        values = {
            "name": name,
            "res_model": "res.partner",
            "res_id": partner,
            "datas": base64.b64encode(content(database, name, size)).decode(),
        }
        domain = [["name", "=", name], ["res_model", "=", "res.partner"], ["res_id", "=", partner]]
        files.append(session.ensure("ir.attachment", domain, values))
    return files


def content(database: str, name: str, size: int) -> bytes:
    """``size`` bytes that depend on the tenant and the name alone."""
    block = hashlib.sha256(f"{database}/{name}".encode()).hexdigest()
    return (block * (size // len(block) + 1))[:size].encode()


# -- fingerprint ------------------------------------------------------------------------------------------------------

# What changes in a tenant that nobody works in, as a pattern of the table's name and the reason. All other rows count.
VOLATILE = {
    r"ir_cron|ir_cron_progress|ir_cron_trigger": "the scheduler notes what it ran",
    r"res_users_log|res_device_log": "a row for each login",
    r"bus_bus|mail_presence": "who is online, for the web client",
    r"account_move_reversal(_.*)?": "a dialog of the canary's, which Odoo's scheduler deletes an hour later",
    r"orm_signaling_.*": "servers tell each other to empty their caches",
}
# Rows that are made anew by whoever opens a page first.
PASSING = {"ir_attachment": "url LIKE '/web/assets/%'"}
COLUMNS = """
SELECT c.relname, array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ORDER BY a.attname)
  FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
 GROUP BY c.relname ORDER BY c.relname
"""


def fingerprint(dsn: str, database: str) -> dict[str, Any]:
    """The columns of every table, count and hash of the rows of all but the VOLATILE ones, module versions, file names.

    ``dsn`` is the administrator's connection to the cluster (:func:`admin_dsn`). Two fingerprints are equal when, but for
    logins and caches, the database is the same; columns count, so one that a migration left behind is a difference.
    """
    import psycopg

    volatile = re.compile("|".join(VOLATILE))
    with psycopg.connect(dsn, dbname=database, connect_timeout=5) as db:
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        columns = dict(db.execute(COLUMNS).fetchall())
        modules = db.execute("SELECT name, latest_version, state FROM ir_module_module WHERE state <> 'uninstalled' ORDER BY 1").fetchall()
        return {
            "columns": columns,
            "rows": {table: _rows(db, table) for table in columns if not volatile.fullmatch(table)},
            "modules": {name: [version, state] for name, version, state in modules},
            "files": [name for (name,) in db.execute(f"{FILES} ORDER BY 1").fetchall()],
        }


FILES = f"SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL AND NOT coalesce({PASSING['ir_attachment']}, false)"


def _rows(db: Any, table: str) -> list[str]:
    """How many rows there are, and the sum of their hashes: the order they are stored in does not matter."""
    keep = f" WHERE NOT coalesce({PASSING[table]}, false)" if table in PASSING else ""
    query = f'SELECT count(*)::text, coalesce(sum(hashtextextended(whole_row::text, 0)), 0)::text FROM "{table}" whole_row{keep}'
    return list(db.execute(query).fetchone())


def stored_files(facts: Mapping[str, Any], database: str) -> dict[str, list[Any]]:
    """The current objects of a database's filestore by their name in it: size and ETag. ``facts`` are those of the part s3."""
    from tests.lab.parts import s3

    prefix, bucket = f"{database}/", facts["buckets"]["filestore"]
    pages = s3.client(dict(facts), "filestore").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {item["Key"].removeprefix(prefix): [item["Size"], item["ETag"]] for page in pages for item in page.get("Contents", ())}


def admin_dsn(cluster: Mapping[str, Any]) -> str:
    """The administrator's connection string of a cluster in ``site.facts("postgres")["clusters"]``."""
    from psycopg.conninfo import make_conninfo

    return make_conninfo("", host=cluster["host"], port=cluster["port"], user=cluster["admin_user"], password=cluster["admin_password"])
