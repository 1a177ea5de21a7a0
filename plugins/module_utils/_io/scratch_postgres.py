# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL instance on restored data that nobody else can reach, and the questions a drill asks it."""

# run_command neither bounds the time nor streams, and an _io file has no AnsibleModule. pylint: disable=ansible-bad-function

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from .._core import drill
from .._core.errors import ChangeError
from .._core.rehearsal import EVERY_S, MODES, LockSample, Worked
from .scratch import MARK

PORT = 5432  # names the socket only
OWNER = "odoo_copy"
_FOLDERS = ("/usr/lib/postgresql/{version}/bin", "/usr/pgsql-{version}/bin")
_SOCKET_LIMIT = 107  # bytes of a socket's path
_FOREIGN = re.compile(r"FATAL|PANIC|ERROR|LOG:  (?:restored|consistent|redo|last completed|invalid)")
# Everything with storage, TOAST included: counting reads every page.
_READ_ALL = r"""
SELECT format('SELECT count(*) FROM ONLY %I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't' \gexec
"""


# All that is the database's own: what an extension brings comes with it.
_COUNT_ALL = r"""
SELECT format('SELECT %L, count(*) FROM ONLY %I.%I', format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \gexec
"""
_LETTERS = """
SELECT pg_encoding_to_char(encoding), datcollate, datctype, pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
"""
_WORKED = "SELECT relid::regclass::text, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
_LOCKS = f"""
SELECT extract(epoch FROM clock_timestamp()), l.pid, c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid()
  AND l.mode IN {MODES} AND c.relkind IN ('r', 'm') AND c.oid >= 16384 \\watch {EVERY_S}
"""  # noqa: S608 - nothing in it is given


class ScratchPostgresError(ChangeError):
    """The restored copy does not open, or does not answer."""


def account(name: str) -> tuple[int, int] | None:
    """(uid, gid) that PostgreSQL runs as when we are root, because it refuses root; else None."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ScratchPostgresError(f"run_as: there is no user {name} on this host. Name the one that owns PostgreSQL's files.") from None
    return found.pw_uid, found.pw_gid


def binaries(version: str, given: str | None) -> tuple[Path | None, str]:
    """The folder of PostgreSQL's programs for ``version`` and what ``postgres --version`` says there; (None, "") without one."""
    on_path = shutil.which("postgres")
    folders = [given] if given else [*(f.format(version=version) for f in _FOLDERS), *([str(Path(on_path).parent)] if on_path else [])]
    for folder in folders:
        if (Path(folder) / "postgres").is_file():
            done = subprocess.run([f"{folder}/postgres", "--version"], capture_output=True, text=True, timeout=30, check=False)
            return Path(folder), done.stdout.strip()
    return None, ""


@dataclass(frozen=True)
class Instance:
    """The instance of ``folder``/data. All commands run as ``user`` (when we are root) and end after ``timeout_s``."""

    folder: Path
    bin: Path
    user: tuple[int, int] | None
    login: str
    timeout_s: float
    processes: int = 1

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def control(self) -> dict[str, str]:
        return drill.parse_controldata(self._run(["pg_controldata", str(self.data)], "postgres", what="pg_controldata").stdout)

    def start(self) -> None:
        """Starts it and waits until recovery is over and it accepts connections."""
        socket = self.folder / f".s.PGSQL.{PORT}"
        if len(os.fsencode(str(socket))) > _SOCKET_LIMIT:
            raise ScratchPostgresError(f"the socket {socket} would be longer than {_SOCKET_LIMIT} bytes. Choose a shorter scratch.")
        for name, text in (("postgresql.conf", ""), ("pg_ident.conf", ""), ("pg_hba.conf", "local all all trust\n")):
            (self.folder / name).write_text(text)
            if self.user:
                os.chown(self.folder / name, *self.user)
        automatic = (self.data / "postgresql.auto.conf").read_text(errors="replace")
        fetch = drill.setting_of(automatic, "restore_command")
        options = drill.settings(self.control(), folder=str(self.folder), port=PORT, restore_command=fetch, processes=self.processes)
        argv = ["postgres", "-D", str(self.data), *(f"--{name}={value}" for name, value in options.items())]
        with (self.folder / "postgres.log").open("ab") as log:
            process = self._started(
                argv, "postgres", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._wait(process)

    def make(self) -> None:
        """A new cluster, in the place of a restored one."""
        options = ["--username=" + self.login, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run(["initdb", f"--pgdata={self.data}", *options], "postgres", what="initdb")

    def make_from(self, dump: Path, name: str) -> None:
        """Makes a database of a dump whose roles are not here: a role of its own has all of it, because Odoo refuses to be postgres."""
        self.ask("postgres", f"CREATE ROLE {OWNER} LOGIN SUPERUSER")
        letters = ["--encoding=UTF8", "--lc-collate=C", f"--owner={OWNER}"]
        self._run(["createdb", "--template=template0", *letters, name], "postgres", what=f"createdb {name}", code="EXPORT")
        options = [
            f"--jobs={self.processes}",
            "--exit-on-error",
            "--no-owner",
            "--no-acl",
            "--no-tablespaces",
            f"--username={OWNER}",
            f"--dbname={name}",
        ]
        self._run(["pg_restore", *options, str(dump)], name, what=f"pg_restore into {name}", code="EXPORT")

    def ask(self, database: str, sql: str) -> list[list[str]]:
        """The rows of a query, as text."""
        done = self._run(["psql", "-XAtq", "-F", "\x1f", "-v", "ON_ERROR_STOP=1"], database, stdin=sql, what=f"database {database}")
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def shown(self, names: Sequence[str]) -> dict[str, str]:
        rows = self.ask("postgres", "SELECT name, setting FROM pg_settings")
        return {row[0]: row[1] for row in rows if len(row) == 2 and row[0] in names}

    def databases(self) -> list[str]:
        rows = self.ask("postgres", "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1")
        return [row[0] for row in rows]

    def size_of_all(self) -> int:
        """Bytes of all its databases, as the live cluster tells them."""
        return int(self.ask("postgres", "SELECT sum(pg_database_size(oid)) FROM pg_database")[0][0])

    def last_commit(self) -> dt.datetime | None:
        text = self.ask("postgres", "SELECT extract(epoch FROM pg_last_xact_replay_timestamp())")[0][0]
        return dt.datetime.fromtimestamp(float(text), dt.timezone.utc) if text else None

    def stopped_at(self) -> dt.datetime | None:
        """When the first transaction ended that recovery to an instant did not repeat."""
        with contextlib.suppress(OSError):
            return drill.stopped_at((self.folder / "postgres.log").read_text(errors="replace"))
        return None

    def rows(self, name: str) -> dict[str, int]:
        """How many rows each table of a database has."""
        return {table: int(count) for table, count in self.ask(name, _COUNT_ALL)}

    def worked(self, name: str) -> dict[str, Worked]:
        """How many rows were written in each table since the copy was made."""
        return {row[0]: Worked(*map(int, row[1:])) for row in self.ask(name, _WORKED)}

    @contextlib.contextmanager
    def locks(self, name: str) -> Iterator[list[LockSample]]:
        """The locks that keep others waiting; the list is filled at the end."""
        found: list[LockSample] = []
        with (self.folder / "locks").open("w+", encoding="utf-8") as seen:
            watching = self._started(["psql", "-XAtq", "-F", "\x1f"], name, stdin=subprocess.PIPE, stdout=seen)
            try:
                with cast(IO[bytes], watching.stdin) as told:
                    told.write(_LOCKS.encode())
                yield found
            finally:
                watching.kill()
                watching.wait()
                seen.seek(0)
                rows = (line.rstrip("\n").split("\x1f") for line in seen)
                found += [LockSample(float(row[0]), int(row[1]), row[2], row[3]) for row in rows if len(row) == 4 and row[3] in MODES]

    def export(self, name: str) -> Path:
        """Dumps a database as it would be brought elsewhere, by all processes."""
        into = self.folder / "export"
        jobs = [f"--jobs={self.processes}", "--format=directory", f"--file={into}", "--no-sync"]
        self._run(["pg_dump", *jobs, name], name, what=f"pg_dump of database {name}", code="EXPORT")
        return into

    def bring_back(self, export: Path, name: str, *, like: str) -> None:
        """Makes a database of a dump, with the owner, the encoding and the order of letters of another one."""
        encoding, collate, ctype, owner = self.ask(like, _LETTERS)[0]
        letters = [f"--encoding={encoding}", f"--lc-collate={collate}", f"--lc-ctype={ctype}", f"--owner={owner}"]
        self._run(["createdb", "--template=template0", *letters, name], "postgres", what=f"createdb {name}", code="EXPORT")
        jobs = [f"--jobs={self.processes}", "--exit-on-error", f"--dbname={name}"]
        self._run(["pg_restore", *jobs, str(export)], name, what=f"pg_restore into {name}", code="EXPORT")

    def look(self, name: str) -> drill.Database:
        """Opens one database and reads all of it."""
        began = time.monotonic()
        try:
            facts = self.ask(name, "SELECT pg_database_size(current_database()), to_regclass('public.ir_module_module') IS NOT NULL")[0]
        except ScratchPostgresError as exc:
            return drill.Database(name, opened=False, error=str(exc))
        how, damage = self._integrity(name)
        modules = None
        if facts[1] == "t" and not damage:
            modules = int(self.ask(name, "SELECT count(*) FROM public.ir_module_module WHERE state = 'installed'")[0][0])
        seconds = round(time.monotonic() - began, 2)
        return drill.Database(name, True, "", int(facts[0]), how, damage, modules, seconds)

    def environment(self, database: str = "postgres") -> dict[str, str]:
        """Ours without PostgreSQL's own variables, so that no command can reach another server."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PG") or key.startswith("PGBACKREST_")}
        server = {"PGHOST": str(self.folder), "PGPORT": str(PORT), "PGUSER": self.login, "PGDATABASE": database, "PGCONNECT_TIMEOUT": "10"}
        return {**kept, **server, "LC_ALL": "C", MARK: str(self.folder)}

    # -- internals -------------------------------------------------------------------------------------------------------
    def _integrity(self, name: str) -> tuple[str, str]:
        """(how it was read, the first damage). pg_amcheck looks into pages and indexes; without it every page is at least read."""
        available = self.ask(name, "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'")
        if available and (self.bin / "pg_amcheck").exists():
            done = self._run(["pg_amcheck", "--install-missing"], name, what=f"pg_amcheck of {name}", codes=(0, 1, 2))
            return "pg_amcheck", _first(done.stdout + done.stderr) if done.returncode else ""
        try:
            self.ask(name, _READ_ALL)
        except ScratchPostgresError as exc:
            return "read", str(exc)
        return "read", ""

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """The last line of postmaster.pid says when it accepts connections; pg_ctl looks there too."""
        end = time.monotonic() + self.timeout_s
        while self._state() != "ready":
            if process.poll() is not None:
                if drill.ENDED_EARLY in self._log():
                    raise ScratchPostgresError(
                        "no transaction was archived that ended after the instant. Choose an earlier one, or let somebody work.",
                        code="PITR_END",
                    )
                raise ScratchPostgresError(f"the restored copy does not open (exit code {process.returncode}): {self._log()}")
            if time.monotonic() > end:
                raise ScratchPostgresError(f"the restored copy did not open within {self.timeout_s:g} s: {self._log()}")
            time.sleep(0.05)

    def _state(self) -> str:
        with contextlib.suppress(OSError, IndexError):
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip()
        return ""

    def _log(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.folder / "postgres.log").read_text(errors="replace").splitlines()
            told = [line for line in lines if _FOREIGN.search(line)] or lines
            return " | ".join(line.split("] ", 1)[-1].strip() for line in told[-3:])[:600]
        return "no log"

    def _as_user(self) -> dict[str, Any]:
        return {"user": self.user[0], "group": self.user[1], "extra_groups": []} if self.user else {}

    def _started(self, argv: Sequence[str], database: str, **more: Any) -> subprocess.Popen[bytes]:
        command = [f"{self.bin}/{argv[0]}", *argv[1:]]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment(database), **self._as_user(), **more)

    def _run(
        self,
        argv: Sequence[str],
        database: str,
        *,
        what: str,
        stdin: str | None = None,
        codes: Sequence[int] = (0,),
        code: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        command = [f"{self.bin}/{argv[0]}", *argv[1:]]
        given: Mapping[str, Any] = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment(database),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                check=False,
                **given,
                **self._as_user(),
            )
        except subprocess.TimeoutExpired:
            raise ScratchPostgresError(f"{what}: no answer within {self.timeout_s:g} s", code=code) from None
        except OSError as exc:
            raise ScratchPostgresError(
                f"{what}: {command[0]} does not start ({exc.strerror}). Name PostgreSQL's folder in pg_bin."
            ) from exc
        if done.returncode not in codes:
            raise ScratchPostgresError(f"{what}: {_first(done.stderr or done.stdout)}", code=code)
        return done


def _first(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:2])[:400] if lines else "no message"
