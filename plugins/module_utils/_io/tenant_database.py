# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A tenant's role and database, copied from a template.

A copy is made under another name and gets its own name last, in one step: so a database of the tenant's name is always
a finished one, wherever a run was killed, and a database that somebody else made is never altered inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import (
    PostgresError,
    Server,
    comments,
    connect,
    drop_database,
    lock,
    properties,
)

if TYPE_CHECKING:
    import psycopg

UNFINISHED = "__new"
LONGEST = 63 - len(UNFINISHED)

# Everything that belongs to somebody else is given to the new owner, except what an extension brought along and what
# follows its table by itself. REASSIGN OWNED would also give away the template and every other database of its owner.
GIVE_OBJECTS = """
SELECT 'ALTER ' || kind || ' ' || name || ' OWNER TO ' || quote_ident(%(owner)s) FROM (
  SELECT 'SCHEMA' AS kind, quote_ident(n.nspname) AS name, n.nspowner AS owner, n.oid, 'pg_namespace'::regclass AS class
    FROM pg_namespace n WHERE n.nspowner <> coalesce((SELECT oid FROM pg_roles WHERE rolname = 'pg_database_owner'), 0)
  UNION ALL
  SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE'
              ELSE 'TABLE' END, c.oid::regclass::text, c.relowner, c.oid, 'pg_class'::regclass
    FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.oid >= 16384
     AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                          AND d.deptype IN ('a', 'i')))
  UNION ALL
  SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner, p.oid, 'pg_proc'::regclass FROM pg_proc p WHERE p.oid >= 16384
  UNION ALL
  SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.oid::regtype::text, t.typowner, t.oid, 'pg_type'::regclass
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
   WHERE t.oid >= 16384 AND (t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
) AS o
WHERE o.owner <> (SELECT oid FROM pg_roles WHERE rolname = %(owner)s) AND (o.oid >= 16384 OR o.name = 'public')
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = o.class AND e.objid = o.oid AND e.deptype = 'e')
"""


@dataclass(frozen=True)
class Wanted:
    """What the tenant is to have."""

    database: str
    owner: str
    password: str = field(repr=False)
    template: str | None = None


def ensure(server: Server, wanted: Wanted, *, check: bool) -> list[str]:
    """Makes what is missing and returns what was done, in words; with ``check``, what would be done."""
    if len(wanted.database.encode()) > LONGEST:
        raise PostgresError(f"the database name {wanted.database} is longer than {LONGEST} bytes", "Choose a shorter one.")
    with connect(server, read_only=check) as admin:
        lock(admin, wanted.database, within_s=60)
        there = comments(admin, [wanted.database, wanted.database + UNFINISHED, wanted.template or ""])
        new = wanted.database not in there
        if new and wanted.template and wanted.template not in there:
            what = f"{server}: the template {wanted.template} does not exist"
            raise PostgresError(what, "Make it first, or name another; nothing was changed.")
        done = _role(server, admin, wanted, check=check)
        if new:
            return [*done, *_make(server, admin, wanted, leftover=wanted.database + UNFINISHED in there, check=check)]
        return [*done, *_settle(admin, wanted, check=check)]


def _role(server: Server, admin: psycopg.Connection[Any], wanted: Wanted, *, check: bool) -> list[str]:
    from psycopg import sql

    known = admin.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [wanted.owner]).fetchone()
    if known and known[0] and _password_holds(server, wanted):
        return []
    if not check:
        # the server gets the verifier and never the password, which it might write into its log
        verifier = admin.pgconn.encrypt_password(wanted.password.encode(), wanted.owner.encode(), b"scram-sha-256").decode()
        verb = sql.SQL(
            "ALTER ROLE {} LOGIN PASSWORD {}" if known else "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}"
        )
        admin.execute(verb.format(sql.Identifier(wanted.owner), sql.Literal(verifier)))
    return [f"password of role {wanted.owner}" if known else f"role {wanted.owner}"]


def _password_holds(server: Server, wanted: Wanted) -> bool:
    """Whether the role can log in with the wanted password. Any other refusal (no right to this database, say) comes after the password."""
    import psycopg

    try:
        psycopg.connect(
            host=server.host,
            port=server.port,
            user=wanted.owner,
            password=wanted.password,
            dbname=server.maintenance,
            sslmode=server.sslmode,
            connect_timeout=10,
        ).close()
    except psycopg.OperationalError as exc:
        return "password authentication failed" not in str(exc)
    return True


def _make(server: Server, admin: psycopg.Connection[Any], wanted: Wanted, *, leftover: bool, check: bool) -> list[str]:
    unfinished = wanted.database + UNFINISHED
    if not check:
        if leftover:
            drop_database(admin, unfinished)
        _copy(admin, unfinished, wanted)
        with connect(server, unfinished) as inside:
            _make_own(inside, wanted)
        _close_to_others(admin, unfinished)
        _rename(admin, unfinished, wanted.database)
    return [f"database {wanted.database}" + (f" from {wanted.template}" if wanted.template else "")]


def _copy(admin: psycopg.Connection[Any], name: str, wanted: Wanted) -> None:
    from psycopg import sql

    create = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(wanted.owner))
    template = sql.SQL("TEMPLATE {}").format(sql.Identifier(wanted.template or "template0"))
    encoding = sql.SQL("" if wanted.template else "ENCODING 'UTF8'").format()
    admin.execute(sql.SQL(" ").join([create, template, encoding]))


def _rename(admin: psycopg.Connection[Any], before: str, now: str) -> None:
    from psycopg import sql

    admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(before), sql.Identifier(now)))


def _make_own(inside: psycopg.Connection[Any], wanted: Wanted) -> None:
    """Inside the copy: its objects to its owner, and an identity of its own."""
    with inside.transaction():
        for (statement,) in inside.execute(GIVE_OBJECTS, {"owner": wanted.owner}).fetchall():
            inside.execute(statement)
        if inside.execute("SELECT to_regclass('public.ir_config_parameter')").fetchone() != (None,):
            # two databases with one uuid count as one for Odoo's services, and with one secret they sign for each other
            inside.execute(
                "UPDATE ir_config_parameter SET value = gen_random_uuid()::text WHERE key IN ('database.uuid', 'database.secret')"
            )


def _close_to_others(admin: psycopg.Connection[Any], name: str) -> None:
    from psycopg import sql

    admin.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def _settle(admin: psycopg.Connection[Any], wanted: Wanted, *, check: bool) -> list[str]:
    """What may be put right on a database that is there: its owner, and who may connect. Its content is the tenant's."""
    from psycopg import sql

    def give() -> None:
        name, owner = sql.Identifier(wanted.database), sql.Identifier(wanted.owner)
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))

    seen = properties(admin, wanted.database)
    public = admin.execute("SELECT has_database_privilege('public', %s, 'CONNECT')", [wanted.database]).fetchone()
    steps: list[tuple[str, Callable[[], None]]] = []
    if seen["owner"] != wanted.owner:
        steps.append((f"owner of database {wanted.database}", give))
    if public and public[0]:
        steps.append((f"rights on database {wanted.database}", lambda: _close_to_others(admin, wanted.database)))
    for _what, act in steps:
        if not check:
            act()
    return [what for what, _act in steps]
