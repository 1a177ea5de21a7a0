# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Break-glass on a PostgreSQL cluster: the grant's role, what it may inside the databases, and its end.

Role, memory of the grant (comment), end, logging and CONNECT come into being in one transaction, so a killed run leaves all of
them or none. Each step of the end is looked for first, so one that was killed is gone on with.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass import Found, grant_of_role
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass_role import (
    TABLE_RIGHTS,
    SeenRole,
    WantedRole,
    comment_of,
    differences,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import (
    PostgresError,
    Server,
    connect,
    server_major,
)

if TYPE_CHECKING:
    import psycopg

SESSIONS_END_S = 30.0
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"
MISSING = """
SELECT EXISTS (
  SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, unnest(%(rights)s::text[]) AS p(name)
   WHERE n.nspname = ANY(%(schemas)s)
     AND (NOT has_schema_privilege(%(role)s, n.oid, 'USAGE')
       OR (c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT has_table_privilege(%(role)s, c.oid, p.name))
       OR (c.relkind = 'S' AND p.name = 'INSERT' AND NOT has_sequence_privilege(%(role)s, c.oid, 'USAGE'))))
"""


@dataclass
class Removed:
    """What the end of a grant found on a cluster."""

    role: bool = False
    sessions: int = 0
    given: list[str] = field(default_factory=list)


# -- looking -------------------------------------------------------------------------------------------------------------
def found_roles(server: Server) -> list[Found]:
    """Every role whose name is that of a grant."""
    with connect(server, read_only=True) as admin:
        rows = admin.execute(
            "SELECT rolname, CASE WHEN isfinite(rolvaliduntil) THEN extract(epoch FROM rolvaliduntil)::float8 END"
            " FROM pg_roles WHERE rolname ~ '^break_glass_' ORDER BY 1"
        ).fetchall()
    named = [(str(name), grant_of_role(str(name)), until) for name, until in rows]
    return [Found(grant, f"role {name} on {server.host}:{server.port}", _instant(until)) for name, grant, until in named if grant]


def statement_log(server: Server) -> dict[str, Any]:
    """Where the cluster writes what the role does, and whether its lines name who did it."""
    with connect(server, read_only=True) as admin:
        row = admin.execute(
            "SELECT current_setting('log_destination'), pg_current_logfile(), current_setting('log_line_prefix')"
        ).fetchone() or ("", None, "")
    destination, file, prefix = row
    names_user = "%u" in str(prefix) or any(kind in str(destination) for kind in ("csvlog", "jsonlog", "syslog"))
    return {
        "cluster": f"{server.host}:{server.port}",
        "destination": destination,
        "file": file or "the server's stderr",
        "names_user": names_user,
    }


def role_differences(server: Server, wanted: WantedRole, password: str | None) -> list[str]:
    """What a run would make or put right on the cluster, in words. ``password`` None: there is none yet."""
    with connect(server, read_only=True) as admin:
        _refuse(admin, wanted)
        seen = _seen(admin, wanted.name)
    found = differences(seen, wanted)
    if seen is not None and (password is None or not _password_holds(server, wanted, password)):
        found.append(f"password of role {wanted.name}")
    return found + [f"rights of role {wanted.name} in database {name}" for name in wanted.databases if _missing(server, name, wanted, seen)]


def _seen(admin: psycopg.Connection[Any], name: str) -> SeenRole | None:
    row = admin.execute(
        "SELECT r.rolcanlogin, r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,"
        " CASE WHEN isfinite(r.rolvaliduntil) THEN extract(epoch FROM r.rolvaliduntil)::float8 END, r.rolconnlimit,"
        " coalesce((SELECT setconfig FROM pg_db_role_setting WHERE setrole = r.oid AND setdatabase = 0), '{}'),"
        " ARRAY(SELECT datname::text FROM pg_database d, aclexplode(d.datacl) a WHERE a.grantee = r.oid AND a.privilege_type = 'CONNECT'),"
        " ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members WHERE member = r.oid), shobj_description(r.oid, 'pg_authid')"
        " FROM pg_roles r WHERE r.rolname = %s",
        [name],
    ).fetchone()
    if row is None:
        return None
    login, mighty, until, limit, settings, connects, member_of, comment = row
    return SeenRole(login, mighty, _instant(until), limit, tuple(settings), frozenset(connects), frozenset(member_of), comment or "")


def _instant(epoch: float | None) -> dt.datetime | None:
    return None if epoch is None else dt.datetime.fromtimestamp(epoch, dt.timezone.utc)


def _refuse(admin: psycopg.Connection[Any], wanted: WantedRole) -> None:
    """Raises unless the databases are there and owned as named and, for the owner's rights, the owner reaches nothing beyond them."""
    rows = admin.execute(
        "SELECT datname, pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = ANY(%s)", [list(wanted.databases)]
    ).fetchall()
    if dict(rows) != dict(wanted.databases):
        told = ", ".join(f"{name} of {owner}" for name, owner in sorted(wanted.databases.items()))
        raise PostgresError(f"the databases are {sorted(rows)}, wanted {told}", "Correct tenant_database_name and tenant_database_owner.")
    if wanted.rights != "owner":
        return
    beyond = admin.execute(
        "SELECT DISTINCT o.name || ' reaches ' || x.what FROM unnest(%s::text[]) AS o(name), LATERAL ("
        "  SELECT 'database ' || datname AS what FROM pg_database WHERE datname <> ALL(%s) AND pg_has_role(o.name, datdba, 'MEMBER')"
        "  UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE pg_has_role(o.name, oid, 'MEMBER')"
        "   AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) x ORDER BY 1",
        [list(wanted.databases.values()), list(wanted.databases)],
    ).fetchall()
    if beyond:
        what = f"the owner's rights would reach further than the grant: {', '.join(str(text) for (text,) in beyond[:5])}"
        raise PostgresError(what, "Ask for postgresql: write, or for those tenants as well.", code="OWNER_REACHES_FURTHER")


def _missing(server: Server, database: str, wanted: WantedRole, seen: SeenRole | None) -> bool:
    """Whether a table, sequence or schema of the database is out of the role's reach."""
    rights = TABLE_RIGHTS.get(wanted.rights)
    if rights is None or seen is None:
        return rights is not None
    with connect(server, database, read_only=True) as inside:
        row = inside.execute(MISSING, {"rights": list(rights), "schemas": _schemas(inside), "role": wanted.name}).fetchone()
    return bool(row and row[0])


def _schemas(inside: psycopg.Connection[Any]) -> list[str]:
    return [str(name) for (name,) in inside.execute(SCHEMAS).fetchall()]


def _password_holds(server: Server, wanted: WantedRole, password: str) -> bool:
    """Whether the role can log in with it. Past its end PostgreSQL refuses the right password, too: that is asked before."""
    import psycopg

    database = next(iter(wanted.databases))
    try:
        psycopg.connect(
            host=server.host,
            port=server.port,
            user=wanted.name,
            password=password,
            dbname=database,
            sslmode=server.sslmode,
            connect_timeout=10,
        ).close()
    except psycopg.OperationalError as exc:
        return "password authentication failed" not in str(exc)
    return True


# -- granting ------------------------------------------------------------------------------------------------------------
def grant_role(server: Server, wanted: WantedRole, password: str) -> None:
    """Makes the role what it is wanted to be, or puts it right; then its rights inside each database."""
    with connect(server) as admin:
        _refuse(admin, wanted)
        with admin.transaction():
            _make_role(admin, wanted, password, known=_seen(admin, wanted.name) is not None)
    for database in wanted.databases:
        if wanted.rights in TABLE_RIGHTS:
            with connect(server, database) as inside, inside.transaction():
                _grant_inside(inside, wanted)


def _make_role(admin: psycopg.Connection[Any], wanted: WantedRole, password: str, *, known: bool) -> None:
    from psycopg import sql

    role = sql.Identifier(wanted.name)
    # the server gets the verifier and never the password, which it might write into its log
    verifier = admin.pgconn.encrypt_password(password.encode(), wanted.name.encode(), b"scram-sha-256").decode()
    admin.execute(
        sql.SQL(
            "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT {}"
            " PASSWORD {} VALID UNTIL {}"
        ).format(
            sql.SQL("ALTER" if known else "CREATE"),
            role,
            sql.Literal(wanted.connections),
            sql.Literal(verifier),
            sql.Literal(wanted.until.isoformat()),
        )
    )
    admin.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(role, sql.Literal(comment_of(wanted))))
    admin.execute(sql.SQL("ALTER ROLE {} SET log_statement = 'all'").format(role))
    for database, owner in wanted.databases.items():
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), role))
        if wanted.rights == "owner":
            # since PostgreSQL 16 one can work with the owner's rights without being able to become the owner
            option = sql.SQL(" WITH INHERIT TRUE, SET FALSE" if server_major(admin) >= 16 else "")
            admin.execute(sql.SQL("GRANT {} TO {}{}").format(sql.Identifier(owner), role, option))


def _grant_inside(inside: psycopg.Connection[Any], wanted: WantedRole) -> None:
    from psycopg import sql

    role, rights = sql.Identifier(wanted.name), sql.SQL(", ".join(TABLE_RIGHTS[wanted.rights]))
    for schema in map(sql.Identifier, _schemas(inside)):
        inside.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
        inside.execute(sql.SQL("GRANT {} ON ALL TABLES IN SCHEMA {} TO {}").format(rights, schema, role))
        if wanted.rights == "write":
            inside.execute(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, role))


# -- the end ---------------------------------------------------------------------------------------------------------------
def remove_role(server: Server, name: str, owners: Mapping[str, str]) -> Removed:
    """Shuts the role out, ends its sessions, gives what it made to the tenants' owners, and drops it.

    ``owners``: database -> role, for the databases of the grant. Elsewhere the database's owner gets the objects, unless that is a
    superuser: somebody's function must not become one of the administrator's.
    """
    from psycopg import sql

    done, role = Removed(), sql.Identifier(name)
    with connect(server) as admin:
        row = admin.execute("SELECT oid::int8 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        if row is None:
            return done
        admin.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(role))
        done.role, done.sessions = True, _end_sessions(admin, int(row[0]), name)
        for database, owner, mighty in _traces(admin, int(row[0])):
            done.given += _clear(server, database, name, owners.get(database) or ("" if mighty else owner))
        with connect(server) as shared:
            shared.execute(sql.SQL("DROP OWNED BY {}").format(role))  # its right to connect
        admin.execute(sql.SQL("DROP ROLE {}").format(role))
        done.sessions += _end_sessions(admin, int(row[0]), name)
    return done


def _end_sessions(admin: psycopg.Connection[Any], oid: int, name: str) -> int:
    """Ends every session of the role and waits until they are gone; how many there were."""
    end, most = time.monotonic() + SESSIONS_END_S, 0
    while True:
        row = admin.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usesysid = %s", [oid]).fetchone()
        left = int(row[0]) if row else 0
        most = max(most, left)
        if not left:
            return most
        if time.monotonic() > end:
            raise PostgresError(
                f"{left} sessions of role {name} did not end within {SESSIONS_END_S:.0f} s", "Look at pg_stat_activity, then run again."
            )
        time.sleep(0.05)


def _traces(admin: psycopg.Connection[Any], oid: int) -> list[tuple[str, str, bool]]:
    """The databases in which the role owns or may something: each with its owner and whether that one is a superuser."""
    rows = admin.execute(
        "SELECT DISTINCT d.datname, o.rolname, o.rolsuper FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid"
        " JOIN pg_roles o ON o.oid = d.datdba WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = %s ORDER BY 1",
        [oid],
    ).fetchall()
    return [(str(name), str(owner), bool(mighty)) for name, owner, mighty in rows]


def _clear(server: Server, database: str, name: str, owner: str) -> list[str]:
    """Gives what the role owns in a database to ``owner`` and takes its rights there away; what was given, in words."""
    from psycopg import sql

    role = sql.Identifier(name)
    with connect(server, database) as inside, inside.transaction():
        owned = inside.execute(
            "SELECT pg_describe_object(s.classid, s.objid, s.objsubid) FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid"
            " WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' AND r.rolname = %s"
            " AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1",
            [name],
        ).fetchall()
        if owned and not owner:
            what = f"{server}: the grant's role owns {owned[0][0]} in database {database}, whose owner is a superuser"
            raise PostgresError(
                what, "Nobody can log in with that role any more. Drop the object or give it away, then run again.", code="OWNED_OBJECTS"
            )
        if owned:
            inside.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(role, sql.Identifier(owner)))
        inside.execute(sql.SQL("DROP OWNED BY {}").format(role))
    return [f"{text} in database {database} to {owner}" for (text,) in owned]
