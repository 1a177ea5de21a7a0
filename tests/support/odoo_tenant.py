"""One database of real Odoo with the canary company, and processes of any release on it."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import transactions as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import Transaction, transactions_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import transactions as work
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import Account, Address, OdooClient
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transaction_files import read_all

from tests.conftest import ROOT
from tests.lab import images, template
from tests.lab.customers import admin_dsn
from tests.lab.parts.postgres import connect
from tests.lab.site import Site, wait_for

SECRETS = {"CANARY_LOGIN": "change-canary", "CANARY_PASSWORD": "canary-only-pass", "CANARY_API_KEY": "c0ffee" * 6 + "beef"}
SERVERS = ("old", "same", "bad")
ADMIN = "admin-only-pass"
SETUP = ROOT / "roles" / "tenant" / "files" / "canary_company.py"

# what Odoo keeps without a company: links of documents, logins, numbers of reconciliations
UNOWNED = {
    "account_full_reconcile",
    "account_move_line_account_tax_rel",
    "account_move_reversal_move",
    "account_move_reversal_new_move",
    "res_device_log",
    "res_users_log",
}


@dataclass
class OdooTenant:
    """One database and any number of processes of any release on it."""

    site: Site
    net: int
    database: str

    @classmethod
    def made(cls, site: Site, database: str, *, files: bool = False) -> OdooTenant:
        """A customer's database on release 2, and the canary company. Nothing is served yet. ``files``: those of the template stay."""
        cluster, tenant = site.facts("postgres")["clusters"]["shared"], cls(site, random.randrange(256), database)
        tenant.gone()
        with connect(cluster) as db:
            db.execute(f"CREATE ROLE {database} LOGIN PASSWORD '{database}'")
            db.execute(f"CREATE DATABASE {database} TEMPLATE {template.DATABASE} OWNER {database}")
        with connect(cluster, database) as db:
            db.execute(f"REASSIGN OWNED BY {template.ROLE} TO {database}")
            if not files:  # these servers have no bucket: the template's files are in one
                db.execute("DELETE FROM ir_attachment WHERE store_fname IS NOT NULL")
        if files:
            shutil.rmtree(tenant.files, ignore_errors=True)
            shutil.copytree(template.template(site) / "filestore", tenant.files)
        tenant.odoo("2", "--database", database, "--update", images.ADDON, "--stop-after-init", "--no-http")
        assert tenant.setup(TENANT_ADMIN_PASSWORD=ADMIN)["changed"] is True
        return tenant

    @property
    def files(self) -> Path:
        """The filestore, which all processes share."""
        return self.data / "filestore" / self.database

    @property
    def data(self) -> Path:
        """Where the processes keep files and sessions: a pod of its own would have neither of another's."""
        return self.site.folder("canary-test", "data")

    def backed_up(self) -> None:
        """All that was written so far is in a backup, and in the archive."""
        cluster = self.site.facts("postgres")["clusters"]["shared"]
        self.site.run([cluster["pgbackrest"], "backup", "--type=incr"], timeout_s=300)
        with connect(cluster) as db:
            name = db.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()[0]
            told = "SELECT coalesce(last_archived_wal, '') >= %s FROM pg_stat_archiver"
            wait_for(lambda: db.execute(told, [name]).fetchone()[0], what=f"{name} in the archive", timeout_s=60)

    def gone(self) -> None:
        """Also what a killed run left."""
        for name in SERVERS:
            self.stop(name)
        with connect(self.site.facts("postgres")["clusters"]["shared"]) as db:
            db.execute(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
            db.execute(f"DROP ROLE IF EXISTS {self.database}")

    def address(self, name: str) -> str:
        return f"127.245.{self.net}.{2 + (*SERVERS, 'tool').index(name)}"

    def url(self, name: str) -> str:
        return f"http://{self.address(name)}:8069"

    def image(self, release: str) -> Path:
        return Path(self.site.facts("releases")["releases"][release]["path"])

    def env(self, name: str, release: str) -> dict[str, str]:
        cluster = self.site.facts("postgres")["clusters"]["shared"]
        return {
            "PATH": f"{self.image(release)}/bin:/usr/bin:/bin",
            "POD_IP": self.address(name),
            "POD_DIR": str(self.site.folder("canary-test", name)),
            "PGHOST": cluster["host"],
            "PGPORT": str(cluster["port"]),
            "ODOO_DATA_DIR": str(self.data),
            "PGUSER": self.database,
            "PGPASSWORD": self.database,
        }

    def odoo(self, release: str, *args: str, stdin: str = "", **extra: str) -> str:
        command = [str(self.image(release) / "bin" / "odoo"), *args, "--max-cron-threads=0"]
        return self.site.run(command, env={**self.env("tool", release), **extra}, stdin=stdin, timeout_s=180)

    def serve(self, name: str, release: str, *, cron: int = 0, **extra: str) -> None:
        """Starts a process; waits only for its port: readiness is the product's business. ``extra`` goes into its environment."""
        if self.site.pid(f"canary-{name}") is None:
            command = [self.image(release) / "bin" / "odoo", "--database", self.database, f"--max-cron-threads={cron}", "--log-level=warn"]
            self.site.spawn(f"canary-{name}", command, env={**self.env(name, release), **extra})

    def stop(self, name: str) -> None:
        self.site.stop(f"canary-{name}", grace_s=3)

    def setup(self, **extra: str) -> dict[str, Any]:
        said = self.odoo("2", "shell", "--database", self.database, "--no-http", stdin=SETUP.read_text(), **{**SECRETS, **extra})
        return dict(json.loads(said.strip().splitlines()[-1]))

    def client(self, name: str, **options: Any) -> OdooClient:
        account = Account(self.database, SECRETS["CANARY_LOGIN"], SECRETS["CANARY_PASSWORD"], SECRETS["CANARY_API_KEY"])
        return OdooClient(name, Address(self.url(name)), account, **options)

    def worker(self, name: str, change: str) -> work.Worker:
        """One side at work on all transactions that this database has the modules for."""
        client = self.client(name)
        ground = work.settle(client, "Change canary", core.tag(change))
        return work.Worker(client, work.with_records(client, ground, self.transactions(client)))

    def transactions(self, client: OdooClient) -> list[Transaction]:
        return core.applicable(list(transactions_of(read_all().values()).values()), work.modules(client))[0]

    def others(self, company: int) -> dict[str, Any]:
        """Of every table, the rows that are not the canary company's: how many, and their digest."""
        with psycopg.connect(admin_dsn(self.site.facts("postgres")["clusters"]["shared"]), dbname=self.database) as db:
            owned = {r[0] for r in db.execute("SELECT table_name FROM information_schema.columns WHERE column_name = 'company_id'")}
            seen = {}
            for (table,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
                if table.startswith(("bus_", "orm_signaling")):
                    continue
                mine = f"company_id IS DISTINCT FROM {company}" if table in owned else "true"
                told = f"model = 'account.move' AND res_id IN (SELECT id FROM account_move WHERE company_id = {company})"
                if table == "mail_message":
                    mine = f"NOT ({told})"
                elif table == "mail_tracking_value":  # what Odoo keeps of an invoice that is set back
                    mine = f"mail_message_id NOT IN (SELECT id FROM mail_message WHERE {told})"
                digest = "md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), ''))"
                seen[table] = db.execute(f'SELECT count(*), {digest} FROM "{table}" t WHERE {mine}').fetchone()
            return seen

    def leftovers(self, company: int) -> int:
        """Rows that nobody took back: drafts, open invoices, entries without a reversal, payments, lines of timesheets and statements."""
        query = """SELECT count(*) FROM account_move m WHERE company_id = %(company)s AND (
            state = 'draft'
            OR (state = 'posted' AND move_type <> 'entry' AND payment_state NOT IN ('reversed', 'paid'))
            OR (state = 'posted' AND move_type = 'entry' AND reversed_entry_id IS NULL
                AND NOT EXISTS (SELECT FROM account_move r WHERE r.reversed_entry_id = m.id)))"""
        tables = ("account_analytic_line", "account_bank_statement_line", "account_payment")
        with connect(self.site.facts("postgres")["clusters"]["shared"], self.database) as db:
            moves = int(db.execute(query, {"company": company}).fetchone()[0])
            return moves + sum(int(db.execute(f"SELECT count(*) FROM {t} WHERE company_id = %s", [company]).fetchone()[0]) for t in tables)
