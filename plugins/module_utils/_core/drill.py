# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore drill demands: room before, isolation while it runs, and what the restored copy has to show."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .backup import Backup
from .checks import Check, rfc3339, unknown

ROOM = 1.2  # a restored cluster is as large as it was; replay adds WAL and what it writes
OLDEST_VERSION = 12  # recovery is configured in postgresql.auto.conf from here on
# What replay needs at least as much of as the source had. It is in the control file, so the source need not be asked.
_FROM_CONTROL = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}
# A drill must neither be reached nor reach anybody: no listener, no archiving, no replication, no worker of an extension.
ISOLATION: Mapping[str, str] = {
    "listen_addresses": "",
    "archive_mode": "off",
    "archive_command": "",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "synchronous_standby_names": "",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "archive_cleanup_command": "",
    "recovery_end_command": "",
    "external_pid_file": "",
    "ssl": "off",
}
# The copy is thrown away: nothing of it needs to survive a crash, and nothing may tidy up behind our back.
_SCRATCH: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "hot_standby": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "lc_messages": "C",
    "timezone": "UTC",
    "cluster_name": "restore_drill",
}


@dataclass(frozen=True)
class Database:
    """What was seen in one restored database. ``damage`` is empty when all of it could be read."""

    name: str
    opened: bool
    error: str = ""
    size_bytes: int = 0
    integrity: str = ""
    damage: str = ""
    odoo_modules: int | None = None
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        return asdict(self)


# -- what to run -----------------------------------------------------------------------------------------------------------


def parse_controldata(text: str) -> dict[str, str]:
    """``pg_controldata`` as a mapping."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def settings(control: Mapping[str, str], *, folder: str, port: int, restore_command: str, processes: int) -> dict[str, str]:
    """The options of the scratch instance. They go onto its command line, because that alone beats postgresql.auto.conf."""
    room = {name: control[key] for name, key in _FROM_CONTROL.items() if control.get(key, "").isdigit()}
    own = {
        "config_file": f"{folder}/postgresql.conf",
        "hba_file": f"{folder}/pg_hba.conf",
        "ident_file": f"{folder}/pg_ident.conf",
        "unix_socket_directories": folder,
        "unix_socket_permissions": "0700",
        "port": str(port),
    }
    fetch = {"restore_command": fetching_ahead(restore_command, folder=folder, processes=processes)} if restore_command else {}
    return {**_SCRATCH, **ISOLATION, **room, **own, **fetch}


def setting_of(text: str, name: str) -> str:
    """The last value of ``name`` in a configuration file; empty when it is not there."""
    found = re.findall(rf"^\s*{re.escape(name)}\s*=\s*'((?:[^'\n]|'')*)'", text, re.MULTILINE)
    return found[-1].replace("''", "'") if found else ""


def fetching_ahead(restore_command: str, *, folder: str, processes: int) -> str:
    """Fetches WAL ahead, so that replay does not wait for the way to the repository once per segment.

    The spool has to be the drill's own: the configured one may serve the production cluster on this host. The lock already is,
    because the restore got its path as an option.
    """
    own = f" --archive-async --spool-path={folder}/spool --process-max={processes} archive-get "
    return re.sub(r"\sarchive-get\s", lambda _found: own, restore_command, count=1)


def major(version: str) -> int | None:
    """15 of ``15``, ``15.14`` and ``postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)``."""
    found = re.search(r"(?:^|\) )([0-9]+)", version)
    return int(found[1]) if found else None


_STOPPED = re.compile(r"recovery stopping (?:before|after) (?:commit|abort) of transaction [0-9]+, time (?P<at>[-0-9]+ [:.0-9]+)\+00")
ENDED_EARLY = "recovery ended before configured recovery target was reached"


def recovery_target(at: dt.datetime) -> str:
    """An instant as PostgreSQL's ``recovery_target_time`` takes it."""
    return at.astimezone(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def stopped_at(log: str) -> dt.datetime | None:
    """When the first transaction ended that recovery did not repeat, from the server's log, whose times are in UTC."""
    found = _STOPPED.findall(log)
    return dt.datetime.fromisoformat(found[-1]).replace(tzinfo=dt.timezone.utc) if found else None


def random_instant(backups: Sequence[Backup], *, now: dt.datetime, share: float) -> dt.datetime:
    """An instant between the end of the oldest backup and the beginning of the newest one, or now where there is one alone.

    ``share`` is drawn from 0 to 1. So there are transactions after it, unless nobody has worked for as long as that.
    """
    first = min(backup.stop for backup in backups)
    last = max(backup.start for backup in backups) if len(backups) > 1 else now
    return first + max(last - first, dt.timedelta()) * share


def backup_before(backups: Sequence[Backup], target: dt.datetime) -> Backup | None:
    """The newest backup that had ended by then."""
    return max((backup for backup in backups if backup.stop <= target), key=lambda backup: (backup.stop, backup.label), default=None)


# -- decisions -------------------------------------------------------------------------------------------------------------


def judge_before(*, size: int, free: int, version: str, binaries: str, scratch: str) -> list[Check]:
    """Can the drill be carried out at all? ``binaries`` is what ``postgres --version`` says, empty when there is none."""
    wanted, have = major(version), major(binaries)
    hint = f"Install PostgreSQL {version} on this host, or name the folder of its programs in pg_bin."
    seen = binaries or "not installed"
    old = wanted is not None and wanted < OLDEST_VERSION
    return [
        judge_room(int(size * ROOM), free, scratch),
        Check("postgres_version", wanted is not None and not old and have == wanted, seen, f"PostgreSQL {version}", hint, "VERSION"),
    ]


def judge_room(needed: int, free: int, scratch: str, *, what: str = "disk_free_bytes") -> Check:
    hint = f"Clear space for {scratch} or choose another folder as scratch."
    return Check(what, free >= needed, free, f">= {needed}", hint, "DISK")


def room_for_one(sizes: Mapping[str, int], rest: int, database: str) -> int | None:
    """Bytes that bringing out one database needs: itself three times (restored, as a dump, and back); None when it is not there."""
    return rest + 3 * sizes[database] if database in sizes else None


def judge_rows(there: Mapping[str, int], back: Mapping[str, int]) -> Check:
    """Has every table as many rows after its way out of the copy as before?"""
    off = {name: [there.get(name), back.get(name)] for name in sorted({*there, *back}) if there.get(name) != back.get(name)}
    hint = "Do not rely on dumps of this database: see what its triggers, rules and extensions do when it is restored."
    seen = dict(list(off.items())[:20]) if off else {"tables": len(there), "rows": sum(there.values())}
    return Check("rows", not off, seen, "as many rows in each table", hint if off else "", "ROWS" if off else "")


def judge_isolation(shown: Mapping[str, str]) -> Check:
    """Are the settings that keep the copy to itself really in force?"""
    told = {
        **shown,
        **({"archive_command": ""} if shown.get("archive_command") == "(disabled)" else {}),
    }  # how it is shown when archiving is off
    off = {name: told[name] for name, value in ISOLATION.items() if name in told and told[name] != value}
    missing = [name for name in ("listen_addresses", "archive_mode") if name not in shown]
    if missing:
        return unknown("isolated", f"{missing} not shown", hint="Ask the scratch instance by hand.", code="ISOLATION")
    hint = "Something beats the drill's command line; do not let it run until this is understood."
    return Check("isolated", not off, off or "no listener, no archiving", "no listener, no archiving", hint, "ISOLATION")


def judge_system(found: str, wanted: str) -> Check:
    hint = "The repository gave the backup of another server: check stanza and config."
    return Check("restored_system_id", found == wanted, found, wanted, hint, "SYSTEM_ID")


def judge_databases(found: Sequence[Database], wanted: Sequence[str]) -> list[Check]:
    """Each wanted database opened, read to its end, and an Odoo database has modules."""
    seen = {database.name for database in found}
    missing = sorted(set(wanted) - seen)
    hint = "Compare with the source: the databases of this cluster are not what the inventory says."
    checks = [
        Check(
            "databases_present", bool(found) and not missing, {"missing": missing, "found": len(found)}, {"missing": []}, hint, "DATABASE"
        )
    ]
    for database in found:
        checks += _judge_database(database)
    return checks


def _judge_database(database: Database) -> list[Check]:
    name = database.name
    if not database.opened:
        return [
            Check(
                f"opens_{name}",
                False,
                database.error or "refused",
                "opens",
                "Read the message; the restored copy is not usable.",
                "DATABASE",
            )
        ]
    damaged = "The backup carries damage. Run pg_amcheck on the source too, and restore an older backup to find a good one."
    whole: bool | None = not database.damage if database.integrity else None
    checks = [
        Check(f"readable_{name}", whole, database.damage or database.integrity or "not read", "every table readable", damaged, "CORRUPT")
    ]
    if database.odoo_modules is not None:
        empty = "ir_module_module is empty: this is not the tenant's data."
        checks.append(Check(f"odoo_{name}", database.odoo_modules > 0, database.odoo_modules, "> 0 installed modules", empty, "ODOO"))
    return checks


def rpo_s(*, began: dt.datetime, last_commit: dt.datetime | None, backup_stop: dt.datetime) -> int:
    """What would be lost, had the disaster struck when the drill began: at most the time since the last transaction that came back.

    A backup holds all that was committed before its end, so without replayed transactions that is the instant reached.
    """
    reached = max(last_commit, backup_stop) if last_commit else backup_stop
    return max(0, int((began - reached).total_seconds()))


def judge_instant(target: dt.datetime, *, last_commit: dt.datetime | None, stopped: dt.datetime | None) -> Check:
    """Is the copy as it was at that instant? All that was committed by then is in it, and nothing later.

    ``last_commit`` is of the last transaction that was repeated, ``stopped`` of the first one that was not.
    """
    seen = {"last": rfc3339(last_commit) if last_commit else None, "next": rfc3339(stopped) if stopped else None}
    expected = f"last <= {rfc3339(target)} < next"
    if stopped is None:
        why = "recovery did not say where it stopped"
        return unknown("instant", why, hint="See whether the server's log is written to its standard error.", code="PITR")
    right = stopped > target and (last_commit is None or last_commit <= target)
    return Check("instant", right, seen, expected, "Recovery does not stop where it is told to: do not rely on it.", "PITR")


def rebuild_s(phases: Mapping[str, float], ready_s: float) -> float:
    """Seconds that a rebuild took until Odoo answered. What a drill does besides, to look and to neutralise, is not part of it."""
    return round(sum(phases.get(name, 0.0) for name in ("configuration_s", "restore_s", "start_s", "filestore_s")) + ready_s, 1)


def judge_times(*, rto: float | None, rpo: int | None, max_rto_s: int | None, max_rpo_s: int | None) -> list[Check]:
    """Within the limits that were given. What is None was not measured, because of what another check tells."""
    checks = []
    if max_rto_s is not None and rto is not None:
        slow = "Restore from nearer or faster storage, with more processes, or from more frequent full backups."
        checks.append(Check("rto_s", rto <= max_rto_s, round(rto, 1), f"<= {max_rto_s}", slow, "RTO"))
    if max_rpo_s is not None and rpo is not None:
        behind = (
            "Check archiving on the primary (pg_stat_archiver) and lower archive_timeout; a cluster that nobody writes to looks old too."
        )
        checks.append(Check("rpo_s", rpo <= max_rpo_s, rpo, f"<= {max_rpo_s}", behind, "RPO"))
    return checks
