# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL over psycopg: connections and what an administrator asks of a cluster."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._core.errors import ChangeError
from .._core.secrets import hide
from .secrets import secrets_of_environment

if TYPE_CHECKING:
    import psycopg

_LISTS = frozenset({"search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces"})


class PostgresError(ChangeError):
    """PostgreSQL refused or did not answer. The message never has a password."""

    def __init__(self, what: str, hint: str, *, code: str = "POSTGRES") -> None:
        super().__init__(f"{what}. {hint}", code=code, hint=hint)


@dataclass(frozen=True)
class Server:
    """How to reach a cluster as its administrator."""

    host: str
    port: int
    user: str
    password: str | None = field(default=None, repr=False)
    sslmode: str = "prefer"
    timeout_s: int = 3600
    maintenance: str = "postgres"

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"

    def environment(self, database: str) -> dict[str, str]:
        """For PostgreSQL's own tools: an environment is not seen by other users, arguments are."""
        given = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": database,
            "PGSSLMODE": self.sslmode,
            "PGCONNECT_TIMEOUT": "10",
            "PGAPPNAME": "odoo_ops",
        }
        return {**given, "PGPASSWORD": self.password} if self.password else given


@contextmanager
def told(server: Server, doing: str) -> Iterator[None]:
    """Turns what psycopg raises into one clear message."""
    import psycopg

    try:
        yield
    except psycopg.OperationalError as exc:
        raise PostgresError(f"{server}: {doing}: {_first_line(exc, server)}", _hint(exc), code="POSTGRES_UNREACHABLE") from None
    except psycopg.Error as exc:
        raise PostgresError(f"{server}: {doing}: {_first_line(exc, server)}", _hint(exc)) from None


@contextmanager
def connect(server: Server, database: str | None = None, *, read_only: bool = False) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit; every error inside it that PostgreSQL tells becomes a PostgresError."""
    try:
        import psycopg
    except ImportError as exc:
        raise PostgresError("the Python package psycopg cannot be imported", "Install it: pip install 'psycopg[binary]>=3.2'") from exc
    name = database or server.maintenance
    options = f"-c statement_timeout={server.timeout_s}s -c lock_timeout=30s" + (
        " -c default_transaction_read_only=on" if read_only else ""
    )
    with told(server, f"database {name}"):
        connection = psycopg.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            dbname=name,
            sslmode=server.sslmode,
            connect_timeout=10,
            application_name="odoo_ops",
            options=options,
            autocommit=True,
        )
        with connection:
            yield connection


def _first_line(exc: Exception, server: Server) -> str:
    text = next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__).rstrip(".")
    return str(hide(text, [server.password] if server.password else secrets_of_environment()))


def _hint(exc: Exception) -> str:
    text = str(exc)
    for sign, hint in (
        ("password authentication failed", "Check the administrator's name and password."),
        ("no password supplied", "Give the administrator's password."),
        ("does not exist", "Check the name; nothing was changed."),
        ("refused", "Check that the server runs, and its address."),
        ("timeout", "Check that the server answers, or raise the timeout."),
        ("being accessed by other users", "Something connects again and again: stop the tenant's pods, then run this again."),
        ("permission denied", "The administrator's role needs more rights: superuser, or owner of the database with CREATEDB."),
    ):
        if sign in text:
            return hint
    return "See the server's log."


# -- what is there -----------------------------------------------------------------------------------------------------
def server_major(connection: psycopg.Connection[Any]) -> int:
    return connection.info.server_version // 10000


def system_id(connection: psycopg.Connection[Any]) -> str:
    """PostgreSQL's system identifier, empty where this role may not ask for it."""
    row = connection.execute("SELECT has_function_privilege('pg_control_system()', 'execute')").fetchone()
    if not row or not row[0]:
        return ""
    row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    return str(row[0]) if row else ""


def size_of_all(connection: psycopg.Connection[Any]) -> int:
    """Bytes of all databases of the cluster; PostgresError for a role that may not ask for one of them."""
    rows = connection.execute("SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database").fetchone()
    return int(rows[0]) if rows else 0


def clock(connection: psycopg.Connection[Any]) -> dt.datetime:
    """What time it is on the server."""
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    return dt.datetime.fromtimestamp(row[0] if row else 0, tz=dt.timezone.utc)


def lock(connection: psycopg.Connection[Any], name: str, *, within_s: float) -> None:
    """One run at a time for ``name``. The lock ends with the connection.

    It is waited for: when a playbook is killed, the modules that it started work on to their end.
    """
    end = time.monotonic() + within_s
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 20260101))", [f"odoo_ops {name}"]).fetchone()
        if row and row[0]:
            return
        if time.monotonic() > end:
            raise PostgresError(
                f"another run has been at work on database {name} for {within_s:.0f} s",
                "Wait for its end, then run this again.",
                code="BUSY",
            )
        time.sleep(0.5)


def quiet(connection: psycopg.Connection[Any], database: str, *, within_s: float) -> None:
    """Waits until nobody is in the middle of a transaction: what commits after a restore point would be lost in a rollback."""
    end = time.monotonic() + within_s
    while True:
        row = connection.execute(
            "SELECT count(*), min(application_name) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state IS DISTINCT FROM 'idle'",
            [database],
        ).fetchone()
        if not row or not row[0]:
            return
        if time.monotonic() > end:
            raise PostgresError(
                f"{row[0]} sessions of database {database} (such as {row[1]!r}) have been in a transaction for {within_s:.0f} s",
                "End what they do (see pg_stat_activity), then run this again.",
                code="NOT_QUIET",
            )
        time.sleep(0.2)


def comments(connection: psycopg.Connection[Any], wanted: Sequence[str]) -> dict[str, str | None]:
    """Those of the wanted databases that exist, each with its comment."""
    rows = connection.execute(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = ANY(%s)", [list(wanted)]
    )
    return {str(name): comment for name, comment in rows}


def properties(connection: psycopg.Connection[Any], database: str) -> dict[str, Any]:
    """What belongs to a database and is not in its dump: owner, encoding, locale, limit, rights, settings."""
    found = connection.execute(
        "SELECT to_jsonb(d), pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding) FROM pg_database d WHERE d.datname = %s", [database]
    ).fetchone()
    if found is None:
        raise PostgresError(f"database {database} does not exist", "Check the name; nothing was changed.")
    row, owner, encoding = found
    rights = connection.execute(
        "SELECT coalesce(r.rolname, ''), a.privilege_type, a.is_grantable FROM pg_database d, aclexplode(d.datacl) a"
        " LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE d.datname = %s ORDER BY 1, 2",
        [database],
    ).fetchall()
    settings = connection.execute(
        "SELECT coalesce(r.rolname, ''), unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
        " LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = %s ORDER BY 1, 2",
        [database],
    ).fetchall()
    return {
        "owner": owner,
        "encoding": encoding,
        "collate": row["datcollate"],
        "ctype": row["datctype"],
        "provider": row.get("datlocprovider", "c"),
        "locale": row.get("daticulocale") or row.get("datlocale"),
        "limit": row["datconnlimit"],
        "rights": None if row["datacl"] is None else [list(right) for right in rights],
        "settings": [list(setting) for setting in settings],
    }


def stored_names(connection: psycopg.Connection[Any]) -> list[str]:
    """The files that the database's attachments name."""
    rows = connection.execute("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL ORDER BY 1").fetchall()
    return [str(name) for (name,) in rows]


@contextmanager
def snapshot(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """One state of the database that pg_dump can look at too."""
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    try:
        yield str(row[0]) if row else ""
    finally:
        if not connection.closed:
            connection.rollback()


def archived_position(connection: psycopg.Connection[Any], *, switch: bool) -> str:
    """The position up to which everything is written; ``switch`` ends the segment, so that it gets archived now."""
    row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    if switch:
        connection.execute("SELECT pg_switch_wal()")
    return str(row[0]) if row else ""


# -- changes -----------------------------------------------------------------------------------------------------------
def set_comment(connection: psycopg.Connection[Any], database: str, comment: str | None) -> None:
    from psycopg import sql

    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), sql.Literal(comment)))


def create_hidden(connection: psycopg.Connection[Any], database: str, like: Mapping[str, Any]) -> None:
    """An empty database of the administrator with the given locale. Odoo looks for databases of its own role and finds none."""
    from psycopg import sql

    words = [
        sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(database)),
        sql.SQL("ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(*(sql.Literal(like[key]) for key in ("encoding", "collate", "ctype"))),
    ]
    if like["provider"] == "i":
        words.append(sql.SQL("LOCALE_PROVIDER icu ICU_LOCALE {}").format(sql.Literal(like["locale"])))
    elif like["provider"] == "b":
        words.append(sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(sql.Literal(like["locale"])))
    connection.execute(sql.SQL(" ").join(words))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))


def take_place(connection: psycopg.Connection[Any], copy: str, like: Mapping[str, Any], renames: Sequence[tuple[str, str]]) -> None:
    """Gives a copy its owner, limit, rights and settings, and its name.

    All in one transaction: at no time is the name free for somebody who creates missing databases (Odoo does).
    """
    from psycopg import sql

    name = sql.Identifier(copy)
    with connection.transaction():
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(like["owner"])))
        connection.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, sql.Literal(like["limit"])))
        _apply_rights(connection, copy, like["rights"])
        for role, setting in like["settings"]:
            _apply_setting(connection, copy, role, *setting.split("=", 1))
        for before, now in renames:
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(before), sql.Identifier(now)))


def _apply_rights(connection: psycopg.Connection[Any], database: str, rights: Sequence[Sequence[Any]] | None) -> None:
    from psycopg import sql

    name = sql.Identifier(database)
    if rights is None:  # PostgreSQL's own default
        rights = (("", "CONNECT", False), ("", "TEMPORARY", False))
    for grantee, privilege, grantable in rights:
        to = sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC")
        option = sql.SQL(" WITH GRANT OPTION" if grantable else "")
        connection.execute(sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(sql.SQL(privilege), name, to, option))


def _apply_setting(connection: psycopg.Connection[Any], database: str, role: str, key: str, value: str) -> None:
    from psycopg import sql

    where = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), sql.Identifier(database))
    where = where if role else sql.SQL("DATABASE {}").format(sql.Identifier(database))
    setting = sql.SQL(".").join(sql.Identifier(part) for part in key.split("."))
    if key not in _LISTS:
        connection.execute(sql.SQL("ALTER {} SET {} TO {}").format(where, setting, sql.Literal(value)))
        return
    # A list is stored with its quotes, and SET would quote the whole of it once more.
    with connection.transaction():
        connection.execute("SELECT set_config(%s, %s, true)", [key, value])
        connection.execute(sql.SQL("ALTER {} SET {} FROM CURRENT").format(where, setting))


def drop_database(connection: psycopg.Connection[Any], database: str) -> None:
    from psycopg import sql

    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


def analyze(server: Server, database: str) -> None:
    """Statistics are not in a dump; without them the first hours after a restore are slow."""
    with connect(server, database) as connection:
        connection.execute("ANALYZE")


def set_open(connection: psycopg.Connection[Any], database: str, comment: str | None, *, opened: bool) -> None:
    """Lets nobody in any more, or everybody again; the comment says why in the same moment."""
    from psycopg import sql

    with connection.transaction():
        connection.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}").format(sql.Identifier(database), sql.Literal(opened)))
        set_comment(connection, database, comment)


def put_out(connection: psycopg.Connection[Any], database: str, *, within_s: float) -> None:
    """Ends every session of a database that is closed, and waits until they are gone."""
    end = time.monotonic() + within_s
    while True:
        left = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", [database]
        ).fetchone()
        if left and left[0] == 0:
            return
        if time.monotonic() > end:
            raise PostgresError(
                f"{left[0] if left else 'some'} sessions of database {database} did not end within {within_s:.0f} s",
                "Look at pg_stat_activity, then run this again.",
            )
        time.sleep(0.1)
