"""pg_backup_verify and restore_drill against a real pgBackRest repository on disk, to damage."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils import _drill as drills
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import command_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch import processes_in

from tests.lab.site import wait_for
from tests.support import ansible
from tests.support.ansible import run_module
from tests.support.damages_pgbackrest import DAMAGES, delete_a_file, flip_in_a_backup, in_mid_chain
from tests.support.pgbackrest import Repository

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="as root only")


@pytest.fixture(scope="module")
def made() -> Iterator[Repository]:
    home = Path(tempfile.mkdtemp(prefix="bk-"))  # short: a socket lies in it
    home.chmod(0o755)
    repository = Repository(home)
    try:
        repository.make()
        yield repository
    finally:
        repository.stop()
        shutil.rmtree(home)


@pytest.fixture
def repository(made: Repository) -> Iterator[Repository]:
    yield made
    made.whole()


@pytest.fixture
def promoted() -> Iterator[Repository]:
    home = Path(tempfile.mkdtemp(prefix="bk-"))
    home.chmod(0o755)
    repository = Repository(home)
    try:
        repository.make()
        repository.promote()
        repository.segments(2)
        yield repository
    finally:
        repository.stop()
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def shared() -> Iterator[Repository]:
    """A cluster of three tenants, all of which have worked after the backup; what zeta has cannot be dumped and restored."""
    home = Path(tempfile.mkdtemp(prefix="bk-"))
    home.chmod(0o755)
    repository = Repository(home)
    try:
        repository.make()
        for name in ("acme", "globex", "zeta"):
            repository.sql(f"CREATE DATABASE {name}")
            repository.sql("CREATE TABLE invoice AS SELECT g AS id, repeat(md5(g::text), 9) AS body FROM generate_series(1, 20000) g", name)
        repository.sql(
            "CREATE FUNCTION known(int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM invoice WHERE id = $1)';"
            "CREATE TABLE line AS SELECT 1 AS invoice; ALTER TABLE line ADD CHECK (known(invoice))",
            "zeta",
        )
        repository.pgbackrest("backup", "--type=incr")
        for name in ("acme", "globex", "zeta"):
            repository.sql("UPDATE invoice SET body = 'paid' WHERE id % 3 = 0; INSERT INTO invoice VALUES (0, 'late')", name)
        repository.segments(1)
        yield repository
    finally:
        repository.stop()
        shutil.rmtree(home)


def verify(repository: Repository, **more: Any) -> dict[str, Any]:
    return run_module("pg_backup_verify", {"stanza": repository.stanza, "config": str(repository.config), **more})


def drill(repository: Repository, scratch: Path, check: bool = False, **more: Any) -> dict[str, Any]:
    args = {"stanza": repository.stanza, "config": str(repository.config), "scratch": str(scratch), **more}
    return run_module("restore_drill", args, check)


def bad(result: dict[str, Any]) -> set[str]:
    return {c["code"] for c in result["evidence"]["checks"] if c["ok"] is not True}


# -- pg_backup_verify --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", ["catalogue", "checksums"])
def test_a_clean_repository_passes(repository: Repository, depth: str) -> None:
    found = verify(repository, depth=depth)
    assert (found["verdict"], found["failed"], found["changed"]) == ("pass", False, False), found["msg"]
    assert found["backup"]["label"] == repository.label("I")
    assert found["pitr_window"]["earliest"] < found["pitr_window"]["latest"]
    assert found["wal"]["newest"] == repository.archived()[-1]


def test_what_was_promised_is_asked_for(repository: Repository) -> None:
    """The newest backup is young in all of these."""
    begun = dt.datetime.fromisoformat(verify(repository)["backup"]["start"])
    time.sleep(max(0.0, begun.timestamp() + 64 - time.time()))  # a clock may be early by a minute
    due = begun + dt.timedelta(seconds=61)
    rule = f"FREQ=DAILY;BYHOUR={due.hour};BYMINUTE={due.minute};BYSECOND={due.second}"
    found = verify(repository, schedule={"rrule": rule, "tolerance": "PT1S"})
    assert bad(found) == {"SCHEDULE"}
    assert due.strftime("%Y-%m-%dT%H:%M:%SZ") in found["msg"]
    taken = f"FREQ=DAILY;BYHOUR={begun.hour};BYMINUTE={begun.minute};BYSECOND={begun.second}"
    assert verify(repository, schedule={"rrule": taken, "tolerance": "PT1S"})["verdict"] == "pass"
    assert verify(repository, retention={"full": 1, "window": "PT1S"})["verdict"] == "pass"
    assert bad(verify(repository, retention={"full": 9, "window": "P14D"}, copies=2)) == {"RETENTION", "MISSING_COPY"}
    assert "timezone is 'Mars'" in verify(repository, schedule={"rrule": "FREQ=DAILY", "timezone": "Mars"})["msg"]


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_although_pgbackrest_exits_0(repository: Repository, name: str) -> None:
    damage, depth, code = DAMAGES[name]
    damage(repository)
    repository.pgbackrest("info")  # asserts that they exit 0
    repository.pgbackrest("verify", "--output=text")
    found = verify(repository, depth=depth)
    assert (found["verdict"], found["failed"]) == ("fail", True)
    assert code in bad(found), found["msg"]


def test_a_gap_is_named(repository: Repository) -> None:
    name = repository.archived()[-3]
    in_mid_chain(repository)
    found = verify(repository)
    assert found["msg"].startswith(f"stanza main: wal_continuity is {name} missing, wanted no gap. Take a full backup now")
    assert found["wal"]["gaps"] == [{"first": name, "last": name, "count": 1}]


def test_enforce_false_reports(repository: Repository) -> None:
    in_mid_chain(repository)
    found = verify(repository, enforce=False)
    assert (found["verdict"], found["failed"]) == ("fail", False)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param({"max_age": "PT0S"}, "AGE", id="too-old"),
        pytest.param({"max_wal_age": "PT0S"}, "WAL_AGE", id="wal-too-old"),
        pytest.param({"max_drill_age": "P1D"}, "RESTORE_STALE", id="never-drilled"),
        pytest.param(
            {"max_drill_age": "P1D", "last_drill": {"at": "2020-01-01T00:00:00Z", "verdict": "pass"}}, "RESTORE_STALE", id="drill-too-old"
        ),
        pytest.param({"expect": {"system_id": "1"}}, "SYSTEM_ID", id="another-server"),
    ],
)
def test_limits(repository: Repository, options: dict[str, Any], code: str) -> None:
    time.sleep(1.1)  # an age of less than a second is 0 s
    assert bad(verify(repository, **options)) == {code}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"max_age": "1 day"}, "option max_age: duration '1 day' is not understood", id="duration"),
        pytest.param({"last_drill": {"at": "2026-11-21", "verdict": "pass"}}, "2026-11-21", id="time"),
        pytest.param({"config": "/nowhere/pgbackrest.conf"}, "unable to open missing file '/nowhere/pgbackrest.conf'", id="config"),
        pytest.param({"command": "/nowhere/pgbackrest"}, "/nowhere/pgbackrest does not start (No such file or directory)", id="command"),
        pytest.param({"stanza": "other"}, "status 1 (missing stanza path)", id="stanza"),
    ],
)
def test_bad_input_has_one_message(repository: Repository, options: dict[str, Any], told: str) -> None:
    found = verify(repository, **options)
    assert found["failed"]
    assert told in found["msg"]
    assert found.get("verdict") in (None, "unknown")


def test_a_repository_that_is_not_there(repository: Repository) -> None:
    shutil.rmtree(repository.repo)
    found = verify(repository)
    assert (found["verdict"], found["failed"]) == ("unknown", True)
    assert "status 1 (missing stanza path), wanted ok" in found["msg"]


def test_a_promotion_is_followed_by_its_history(promoted: Repository, scratch: Path) -> None:
    found = verify(promoted)
    assert (found["verdict"], found["wal"]["timeline"]) == ("pass", 2), found["msg"]
    assert found["wal"]["newest"].startswith("00000002")
    drilled = drill(promoted, scratch, databases=["postgres"])
    assert drilled["verdict"] == "pass", drilled["msg"]
    first = next(name for name in promoted.archived() if name.startswith("00000002"))
    promoted.wal(first)[0].unlink()
    assert bad(verify(promoted)) == {"WAL_GAP"}
    promoted.history.unlink()
    assert bad(verify(promoted)) == {"WAL_HISTORY"}


# -- restore_drill -----------------------------------------------------------------------------------------------------------


def test_a_drill_passes_and_measures(repository: Repository, scratch: Path) -> None:
    found = drill(repository, scratch, max_rto="PT5M", max_rpo="PT1H", databases=["postgres"])
    assert (found["verdict"], found["changed"]) == ("pass", False), found["msg"]
    assert 0 < found["rto_s"] < 300
    assert found["rpo_s"] >= 0
    assert {"preflight_s", "restore_s", "start_s", "checks_s", "cleanup_s"} <= set(found["phases"])
    assert found["databases"][0]["size_bytes"] > 0
    assert found["database_bytes"] > found["databases"][0]["size_bytes"]
    assert found["backup"]["label"] == repository.label("I")


def mark(repository: Repository) -> dt.datetime:
    """Somebody works; when, as the database's clock tells."""
    repository.sql(f"CREATE TABLE mark{time.monotonic_ns()} AS SELECT 1 AS n")
    at = dt.datetime.fromtimestamp(float(repository.sql("SELECT extract(epoch FROM clock_timestamp())")), dt.timezone.utc)
    time.sleep(1.1)
    return at


def test_it_goes_back_to_an_instant(repository: Repository, scratch: Path) -> None:
    before = mark(repository)
    target = before + dt.timedelta(seconds=0.5)
    after = mark(repository)
    repository.segments(1)
    found = drill(repository, scratch, kind="pitr", target=target.isoformat(), databases=["postgres"])
    assert found["verdict"] == "pass", found["msg"]
    seen = next(check["observed"] for check in found["evidence"]["checks"] if check["id"] == "instant")
    last, following = (dt.datetime.fromisoformat(seen[name]) for name in ("last", "next"))
    assert abs(last - before) < dt.timedelta(seconds=1.1) and last <= target
    assert abs(following - after) < dt.timedelta(seconds=1.1) and following > last
    assert (found["rpo_s"], found["instant"]) == (None, target.strftime("%Y-%m-%dT%H:%M:%SZ"))
    anywhere = drill(repository, scratch, kind="pitr")
    assert anywhere["verdict"] == "pass", anywhere["msg"]
    assert anywhere["backup"]["label"] == repository.label("F")


@pytest.mark.parametrize(
    ("days", "verdict", "code"), [pytest.param(-1, "fail", "PITR", id="too-early"), pytest.param(1, "unknown", "PITR_END", id="too-late")]
)
def test_an_instant_that_cannot_be_reached(repository: Repository, scratch: Path, days: int, verdict: str, code: str) -> None:
    target = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=days)
    found = drill(repository, scratch, kind="pitr", target=target.isoformat())
    assert (found["verdict"], bad(found)) == (verdict, {code}), found["msg"]
    assert found["failed"]


def test_one_tenant_comes_back_out_of_a_shared_cluster(shared: Repository, scratch: Path) -> None:
    late = dt.datetime.fromtimestamp(float(shared.sql("SELECT extract(epoch FROM clock_timestamp())")), dt.timezone.utc)
    found = drill(shared, scratch, kind="single_tenant", databases=["acme"], max_rto="PT5M")
    assert found["verdict"] == "pass", found["msg"]
    seen = {check["id"]: check["observed"] for check in found["evidence"]["checks"]}
    assert seen["rows"] == {"tables": 1, "rows": 20001}
    assert [one["name"] for one in found["databases"]] == ["acme"]
    assert found["phases"].keys() >= {"export_s", "import_s"}
    assert found["rto_s"] >= found["phases"]["restore_s"] + found["phases"]["import_s"] - 0.1
    assert found["backup"]["label"] == shared.label("I")
    time.sleep(1)
    shared.sql("DELETE FROM invoice", "acme")
    shared.segments(1)
    before = drill(shared, scratch, kind="single_tenant", databases=["acme"], target=(late + dt.timedelta(seconds=0.2)).isoformat())
    assert before["verdict"] == "pass", before["msg"]
    assert next(c["observed"] for c in before["evidence"]["checks"] if c["id"] == "rows") == {"tables": 1, "rows": 20001}
    assert not any(p.is_dir() for p in scratch.iterdir())


@pytest.mark.parametrize(
    ("database", "code", "words"),
    [
        pytest.param("nobody", "DATABASE", "has no database nobody", id="not-in-the-backup"),
        pytest.param("zeta", "EXPORT", 'relation "invoice" does not exist', id="a-check-that-cannot-be-restored"),
    ],
)
def test_a_tenant_that_does_not_come_back(shared: Repository, scratch: Path, database: str, code: str, words: str) -> None:
    found = drill(shared, scratch, kind="single_tenant", databases=[database])
    assert (found["verdict"], bad(found)) == ("fail", {code}), found["msg"]
    assert words in found["msg"]
    assert not any(p.is_dir() for p in scratch.iterdir())


def test_check_mode_does_nothing_and_says_what_it_would_do(repository: Repository, scratch: Path) -> None:
    scratch.rmdir()
    found = drill(repository, scratch, check=True)
    there = scratch.exists()
    scratch.mkdir()
    assert not there
    assert (found["verdict"], found["failed"], found["changed"]) == ("unknown", False, False)
    assert f"would restore {repository.label('I')}" in found["msg"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param({"max_rto": "PT0S"}, "RTO", id="rto-exceeded"),
        pytest.param({"max_rpo": "PT0S"}, "RPO", id="rpo-exceeded"),
        pytest.param({"databases": ["postgres", "acme"]}, "DATABASE", id="a-database-lacks"),
        pytest.param({"pg_bin": "/nowhere"}, "VERSION", id="no-server"),
        pytest.param({"stanza": "other"}, "TOOL", id="unknown-stanza"),
        pytest.param(
            {"run_as": "nobody-there"}, "TOOL", id="unknown-user", marks=pytest.mark.skipif(os.geteuid() != 0, reason="as root only")
        ),
    ],
)
def test_a_drill_fails_with_its_reason(repository: Repository, scratch: Path, options: dict[str, Any], code: str) -> None:
    time.sleep(1.1)
    found = drill(repository, scratch, **options)
    assert found["failed"]
    assert bad(found) == {code}, found["msg"]


@pytest.mark.parametrize(
    ("damage", "code"),
    [pytest.param(flip_in_a_backup, "RESTORE", id="flipped-bit"), pytest.param(delete_a_file, "RESTORE", id="deleted-file")],
)
def test_a_damaged_backup_fails_the_drill(repository: Repository, scratch: Path, damage: Callable[[Repository], None], code: str) -> None:
    damage(repository)
    found = drill(repository, scratch)
    assert (found["verdict"], bad(found)) == ("fail", {code}), found["msg"]


@contextlib.contextmanager
def running(repository: Repository, scratch: Path, slow: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A drill in its restore, which takes a minute, and the pid of the module itself."""
    slow.write_text('#!/bin/sh\ncase " $* " in *" restore "*) sleep 60 ;; esac\nexec pgbackrest "$@"\n')
    slow.chmod(0o755)
    args = {"stanza": repository.stanza, "config": str(repository.config), "scratch": str(scratch), "command": str(slow)}
    argv = ansible.command("restore_drill", args)
    process = subprocess.Popen(argv, env=ansible.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        folder = wait_for(lambda: next(scratch.glob("main.*.*"), None), what="the drill's folder")
        wait_for(lambda: processes_in(folder), what="the drill's restore")
        yield process, int(folder.name.split(".")[1])
    finally:
        process.kill()
        process.wait()


def test_a_killed_drill_is_cleaned_up_by_the_next(repository: Repository, scratch: Path, tmp_path: Path) -> None:
    with running(repository, scratch, tmp_path / "slow") as (_process, pid):
        folder = next(scratch.glob("main.*.*"))
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}").exists(), what="the module to die")
        assert processes_in(folder), "the kill left its restore running"
    found = drill(repository, scratch)
    assert found["verdict"] == "pass", found["msg"]
    assert found["cleaned"] == [str(folder)]
    assert processes_in(folder) == []


def test_sigterm_ends_a_drill_that_cleans_up(repository: Repository, scratch: Path, tmp_path: Path) -> None:
    with running(repository, scratch, tmp_path / "slow") as (process, pid):
        folder = next(scratch.glob("main.*.*"))
        os.kill(pid, signal.SIGTERM)
        out, _err = process.communicate(timeout=60)
    found = ansible.parse(out)
    assert found["verdict"] == "unknown"
    assert "ended by SIGTERM" in found["msg"]
    assert (folder.exists(), processes_in(folder)) == (False, [])


def test_two_drills_of_a_stanza_exclude_each_other(repository: Repository, scratch: Path, tmp_path: Path) -> None:
    with running(repository, scratch, tmp_path / "slow") as (process, pid):
        found = drill(repository, scratch)
        assert bad(found) == {"BUSY"}
        assert f"process {pid}" in found["msg"]
        os.kill(pid, signal.SIGTERM)
        process.communicate(timeout=60)


def test_a_running_scratch_instance_is_ended_too(repository: Repository, scratch: Path, tmp_path: Path) -> None:
    """Killed while the restored copy runs: its postmaster ends with the next drill."""
    args = {"stanza": repository.stanza, "config": str(repository.config), "scratch": str(scratch)}
    argv = ansible.command("restore_drill", args)
    process = subprocess.Popen(argv, env=ansible.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        started = wait_for(
            lambda: next(scratch.glob("main.*.*/data/postmaster.pid"), None), what="the scratch instance", timeout_s=60, every_s=0.01
        )
        folder = started.parent.parent
        os.kill(int(folder.name.split(".")[1]), signal.SIGKILL)
        process.wait(60)
        assert processes_in(folder)
    finally:
        process.kill()
        process.wait()
    found = drill(repository, scratch)
    assert (found["verdict"], found["cleaned"]) == ("pass", [str(folder)]), found["msg"]
    assert processes_in(folder) == []


@AS_ROOT
def test_a_scratch_that_others_may_write_is_refused(repository: Repository, scratch: Path) -> None:
    scratch.chmod(0o777)
    found = drill(repository, scratch)
    assert found["verdict"] == "unknown"
    assert "is writable by others" in found["msg"]


def test_too_little_room_is_told_before_anything_is_restored(
    repository: Repository, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drills, "free_bytes", lambda _folder: 1000)
    limits = {"max_rto_s": None, "max_rpo_s": None, "timeout_s": 60, "processes": 1}
    who = {"run_as": "postgres", "pg_bin": None, "login": "postgres", "databases": []}
    order = drills.Order(
        stanza=repository.stanza, command=command_of("pgbackrest", str(repository.config)), scratch=scratch, **who, **limits
    )
    drill = drills.Drill(order, began=dt.datetime.now(dt.timezone.utc))
    drill.run()
    assert [check.code for check in drill.checks if not check.ok] == ["DISK"]
    assert drill.found["phases"].keys() == {"leftovers_s", "preflight_s"}
