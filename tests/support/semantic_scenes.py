"""Backups that are not what was promised, of every engine: each scene makes real ones and says what may be wrong with them."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._dumps import Order, take
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Folder as DumpFolder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server

from tests.lab.site import as_user
from tests.support import damages_barman, damages_basebackup, damages_pgbackrest
from tests.support.barman import Barman
from tests.support.basebackups import PLAIN, BaseBackups
from tests.support.damages_barman import info, say
from tests.support.pgbackrest import Repository
from tests.support.small_cluster import USER, SmallCluster

ERROR = re.compile("status: error|ERROR|FAILED")
LONG_AGO = {"at": "2020-01-01T00:00:00Z", "verdict": "pass"}
FAILED = {"at": "2026-01-01T00:00:00Z", "verdict": "fail"}
Options = Mapping[str, Any]


def nothing(_made: Any) -> None:
    """What is wrong is a promise that nothing in the repository keeps."""


@dataclass(frozen=True)
class Damage:
    """``do`` makes it, ``options`` are those of the task that has to see it, ``asked`` some that only the real thing tells."""

    code: str
    do: Callable[[Any], Any] = nothing
    options: Options = field(default_factory=dict)
    asked: Callable[[Any], Options] = lambda _made: {}


@dataclass
class Scene:
    """``args`` name the backups to ``pg_backup_verify``; ``theirs`` are commands that the peer has for them; ``whole`` mends all."""

    made: Any
    args: Options
    theirs: Callable[[], dict[str, list[str]]]
    whole: Callable[[], None]
    damages: Mapping[str, Damage]
    user: str = USER

    def peer(self) -> str:
        """Each of the peer's commands with its exit code and, if it ended with 0 and yet names an error, that."""
        told = []
        for name, argv in self.theirs().items():
            command = [*as_user(self.user), *argv]
            done = subprocess.run(command, cwd=self.made.home, capture_output=True, text=True, check=False, timeout=300)
            text = done.stdout + done.stderr
            told.append(f"{name} {done.returncode}{' (names an error)' if done.returncode == 0 and ERROR.search(text) else ''}")
        return ", ".join(told)


# -- pgBackRest --------------------------------------------------------------------------------------------------------------
def due_after_the_newest(made: Repository) -> Options:
    """A minute after the newest backup began another one was due. A clock may be early by a minute, so that has to have passed."""
    newest = Pgbackrest(["pgbackrest", f"--config={made.config}"]).info(made.stanza).newest()
    assert newest
    due = newest.start + dt.timedelta(seconds=61)
    time.sleep(max(0.0, due.timestamp() + 3 - time.time()))
    return {"schedule": {"rrule": f"FREQ=DAILY;BYHOUR={due.hour};BYMINUTE={due.minute};BYSECOND={due.second}", "tolerance": "PT1S"}}


def script(made: Repository, text: str) -> Options:
    path = made.home / "another-pgbackrest"
    path.write_text(text)
    path.chmod(0o755)
    return {"command": str(path)}


def says_an_error_and_ends_with_0(made: Repository) -> Options:
    return script(made, "#!/bin/sh\necho 'ERROR: [055]: unable to load info file' >&2\necho 'ERROR: [055]: unable to load info file'\n")


def tells_of_tomorrow(made: Repository) -> Options:
    """The catalogue has a checksum of its own, so it is its reader who moves the times."""
    moved = "import json, sys; d = json.load(sys.stdin)\nfor b in d[0]['backup']: b['timestamp'] = {k: t + 86400 for k, t in "
    moved += "b['timestamp'].items()}\nprint(json.dumps(d))"
    found = f'case " $* " in *\' info \'*) pgbackrest "$@" | python3 -c "{moved}" ;; *) exec pgbackrest "$@" ;; esac'
    return script(made, f"#!/bin/sh\n{found}\n")


def a_second_repository_without_a_backup(made: Repository) -> None:
    folder = made.home / "repo2"
    made.run("mkdir", folder)
    made.config.write_text(made.config.read_text().replace("repo1-path", f"repo2-path={folder}\nrepo2-retention-full=2\nrepo1-path"))
    made.pgbackrest("stanza-create", "--no-online")


def forked(made: Repository) -> None:
    """By its history the timeline began before the newest backup ended."""
    made.history.write_text("1\t0/2000000\tno recovery target specified\n")


PGBACKREST = {
    **{name: Damage(code, do, {"depth": depth}) for name, (do, depth, code) in damages_pgbackrest.DAMAGES.items()},
    "another-system": Damage("SYSTEM_ID", options={"expect": {"system_id": "1"}}),
    "another-version": Damage("SYSTEM_ID", options={"expect": {"version": "9.6"}}),
    "from-the-future": Damage("FUTURE", asked=tells_of_tomorrow),
    "too-old": Damage("AGE", options={"max_age": "PT0S"}),
    "wal-too-old": Damage("WAL_AGE", options={"max_wal_age": "PT0S"}),
    "missed-though-the-newest-is-young": Damage("SCHEDULE", asked=due_after_the_newest),
    "too-few-full-backups": Damage("RETENTION", options={"retention": {"full": 9}}),
    "too-few-days": Damage("RETENTION", options={"retention": {"window": "P14D"}}),
    "no-second-repository": Damage("MISSING_COPY", options={"copies": 2}),
    "second-repository-without-a-backup": Damage("MISSING_COPY", a_second_repository_without_a_backup, {"copies": 2}),
    "error-in-the-text-and-exit-code-0": Damage("TOOL", asked=says_an_error_and_ends_with_0),
    "drill-never": Damage("RESTORE_STALE", options={"max_drill_age": "P1D"}),
    "drill-stale": Damage("RESTORE_STALE", options={"max_drill_age": "P1D", "last_drill": LONG_AGO}),
    "drill-failed": Damage("RESTORE_STALE", options={"max_drill_age": "P3650D", "last_drill": FAILED}),
    "reading-never": Damage("READ_STALE", options={"max_read_age": "P1D"}),
    "reading-stale": Damage("READ_STALE", options={"max_read_age": "P1D", "last_read": LONG_AGO}),
    "reading-failed": Damage("READ_STALE", options={"max_read_age": "P3650D", "last_read": FAILED}),
}
PROMOTED = {
    "history-file-gone": Damage("WAL_HISTORY", lambda made: made.history.unlink()),
    "newest-backup-on-a-dead-branch": Damage("WAL_FORK", forked),
    "first-segment-of-a-timeline-gone": Damage(
        "WAL_GAP", lambda made: made.wal(next(n for n in made.archived() if n.startswith("00000002")))[0].unlink()
    ),
}


@contextmanager
def of_pgbackrest(home: Path, *, promoted: bool = False) -> Iterator[Scene]:
    made = Repository(home)
    with stopped(made):
        made.make()
        if promoted:
            made.promote()
            made.segments(2)
            shutil.rmtree(home / "repo.whole")
            made.run("cp", "-a", made.repo, home / "repo.whole")
    config = made.config.read_text()

    def whole() -> None:
        made.whole()
        made.config.write_text(config)
        shutil.rmtree(home / "repo2", ignore_errors=True)

    begin = ["pgbackrest", f"--config={made.config}", f"--stanza={made.stanza}"]
    theirs = {"info": [*begin, "info"], "verify": [*begin, "verify", "--output=text"]}
    yield Scene(made, {"stanza": made.stanza, "config": str(made.config)}, lambda: theirs, whole, PROMOTED if promoted else PGBACKREST)


# -- Barman ------------------------------------------------------------------------------------------------------------------
def next_year(made: Barman) -> None:
    document = info(made, 1)
    year = dt.datetime.now(dt.timezone.utc).year
    document.write_text(document.read_text().replace(f"_time={year}", f"_time={year + 1}"))


BARMAN = {
    **{name: Damage(code, do) for name, (do, code) in damages_barman.DAMAGES.items() if name != "another-system"},
    "another-system": Damage("SYSTEM_ID", lambda made: say(info(made, 1), "systemid=7", "systemid=8"), {"expect": {"version": "15"}}),
    "from-the-future": Damage("FUTURE", next_year),
    "too-old": Damage("AGE", options={"max_age": "PT0S"}),
    "too-few-full-backups": Damage("RETENTION", options={"retention": {"full": 9}}),
    "too-few-days": Damage("RETENTION", options={"retention": {"window": "P14D"}}),
    "manifest-gone": Damage("TOOL", lambda made: (damages_barman.data(made) / "backup_manifest").unlink()),
}


@contextmanager
def of_barman(home: Path) -> Iterator[Scene]:
    made = Barman(home)
    try:  # its server runs on, because "barman check" asks it
        made.make()
        made.run("cp", "-a", made.location, home / "whole")
        system = made.sql("SELECT system_identifier FROM pg_control_system()")
        damages = {**BARMAN, "another-system": Damage("SYSTEM_ID", BARMAN["another-system"].do, {"expect": {"system_id": system}})}

        def whole() -> None:
            shutil.rmtree(made.location)
            made.run("cp", "-a", home / "whole", made.location)

        theirs = {"check": ["barman", "-c", str(home / "barman.conf"), "check", "main"]}
        yield Scene(made, {"engine": "barman", "location": str(made.location), "depth": "full"}, lambda: theirs, whole, damages)
    finally:
        made.stop()


# -- base backups ------------------------------------------------------------------------------------------------------------
def not_finished(where: Path) -> None:
    (where / "backup_manifest").unlink()
    for path in (where, *where.iterdir()):
        os.utime(path, (0, 0), follow_symlinks=False)


def on_the_newest(do: Callable[[Path], Any]) -> Callable[[BaseBackups], Any]:
    return lambda made: do(made.location / "tuesday")


BASEBACKUP = {
    **{name: Damage(code, on_the_newest(do)) for name, (do, code) in damages_basebackup.PLAIN_DAMAGES.items()},
    "not-completed": Damage("INCOMPLETE", on_the_newest(not_finished)),
    "no-backup-at-all": Damage("NO_BACKUP", lambda made: made.clear()),
    "another-system": Damage("SYSTEM_ID", options={"expect": {"system_id": "1"}}),
    "too-old": Damage("AGE", options={"max_age": "PT0S"}),
    "too-few-backups": Damage("RETENTION", options={"retention": {"full": 9}}),
}


@contextmanager
def of_pg_basebackup(home: Path) -> Iterator[Scene]:
    made = BaseBackups(home)
    with stopped(made):
        made.make()
        for label in ("monday", "tuesday"):
            made.take(label, *PLAIN)
    kept = [made.location, made.home / "mapped"]
    for folder in kept:
        made.run("cp", "-a", folder, f"{folder}.whole")

    def whole() -> None:
        for folder in kept:
            shutil.rmtree(folder)
            made.run("cp", "-a", f"{folder}.whole", folder)

    def theirs() -> dict[str, list[str]]:
        return {"pg_verifybackup": [str(made.bin / "pg_verifybackup"), "--quiet", str(made.location / "tuesday")]}

    yield Scene(made, {"engine": "basebackup", "location": str(made.location), "depth": "full"}, theirs, whole, BASEBACKUP)


# -- dumps -------------------------------------------------------------------------------------------------------------------
def newest_dump(made: BaseBackups, suffix: str) -> Path:
    return max(path for path in made.location.iterdir() if path.name.endswith(suffix))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def another_dump(made: BaseBackups) -> None:
    older = min(path for path in made.location.iterdir() if path.name.endswith(".dump"))
    shutil.copy(older, newest_dump(made, ".dump"))


DUMP = {
    "half-of-it": Damage("CHECKSUM", lambda made: cut(newest_dump(made, ".dump"))),
    "dump-of-another-day": Damage("CHECKSUM", another_dump),
    "dump-gone": Damage("INCOMPLETE", lambda made: newest_dump(made, ".dump").unlink()),
    "another-database": Damage("NO_BACKUP", options={"database": "acme"}),
    "another-system": Damage("SYSTEM_ID", options={"expect": {"system_id": "1"}}),
    "too-old": Damage("AGE", options={"max_age": "PT0S"}),
    "too-few-dumps": Damage("RETENTION", options={"retention": {"full": 9}}),
}


@contextmanager
def of_dumps(home: Path) -> Iterator[Scene]:
    made = BaseBackups(home)
    with stopped(made):
        made.make()
        began = dt.datetime.now(dt.timezone.utc)
        for second in range(2):
            at = began - dt.timedelta(seconds=10 - second)
            take(Order(Server(str(home), 5432, "postgres", None), "postgres", DumpFolder(made.location)), now=lambda at=at: at, check=False)
            made.sql("INSERT INTO notes VALUES (0, 'later')")
    shutil.copytree(made.location, home / "whole")

    def whole() -> None:
        shutil.rmtree(made.location)
        shutil.copytree(home / "whole", made.location)

    def theirs() -> dict[str, list[str]]:
        dumps = sorted(str(path) for path in made.location.iterdir() if path.name.endswith(".dump"))
        return {"pg_restore --list": [str(made.bin / "pg_restore"), "--list", *dumps[-1:]]}

    args = {"engine": "dump", "database": "postgres", "location": str(made.location), "depth": "full"}
    yield Scene(made, args, theirs, whole, DUMP, user="")  # whoever took a dump is its owner


@contextmanager
def stopped(made: SmallCluster) -> Iterator[None]:
    try:
        yield
    finally:
        made.stop()


@contextmanager
def of_a_promoted_one(home: Path) -> Iterator[Scene]:
    with of_pgbackrest(home, promoted=True) as scene:
        yield scene


SCENES = {
    "pgbackrest": of_pgbackrest,
    "pgbackrest promoted": of_a_promoted_one,
    "barman": of_barman,
    "basebackup": of_pg_basebackup,
    "dump": of_dumps,
}
