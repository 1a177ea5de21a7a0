from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import drill
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Backup
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, verdict

T = dt.datetime(2026, 11, 21, 6, 0, tzinfo=dt.UTC)
DEBIAN = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
GOOD = drill.Database("acme", opened=True, size_bytes=1, integrity="pg_amcheck", odoo_modules=3)


def result(checks: list[Check]) -> tuple[str, list[str]]:
    return verdict(checks), [c.code for c in checks if c.ok is not True]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({}, ("pass", []), id="room-and-server"),
        pytest.param({"free": 119}, ("fail", ["DISK"]), id="a-byte-short"),
        pytest.param({"binaries": ""}, ("fail", ["VERSION"]), id="not-installed"),
        pytest.param({"binaries": "postgres (PostgreSQL) 16.1"}, ("fail", ["VERSION"]), id="another-major"),
        pytest.param({"version": "11", "binaries": "postgres (PostgreSQL) 11.2"}, ("fail", ["VERSION"]), id="too-old-to-drill"),
        pytest.param({"version": "?"}, ("fail", ["VERSION"]), id="version-not-understood"),
        pytest.param({"version": "18", "binaries": "postgres (PostgreSQL) 18beta2"}, ("pass", []), id="beta"),
    ],
)
def test_before(given: dict[str, Any], wanted: tuple[str, list[str]]) -> None:
    usual = {"size": 100, "free": 120, "version": "15", "binaries": DEBIAN, "scratch": "/s"}
    assert result(drill.judge_before(**{**usual, **given})) == wanted


@pytest.mark.parametrize(
    ("shown", "ok"),
    [
        pytest.param(dict(drill.ISOLATION), True, id="all"),
        pytest.param({**drill.ISOLATION, "archive_command": "(disabled)"}, True, id="as-postgres-shows-it"),
        pytest.param({**drill.ISOLATION, "listen_addresses": "*"}, False, id="listens"),
        pytest.param({**drill.ISOLATION, "archive_mode": "on"}, False, id="archives"),
        pytest.param({**drill.ISOLATION, "shared_preload_libraries": "pg_cron"}, False, id="runs-jobs"),
        pytest.param({"listen_addresses": "", "archive_mode": "off"}, True, id="an-older-server-lacks-the-rest"),
        pytest.param({}, None, id="nothing-shown"),
    ],
)
def test_isolation(shown: dict[str, str], ok: bool | None) -> None:
    assert drill.judge_isolation(shown).ok is ok


@pytest.mark.parametrize(
    ("found", "wanted_names", "wanted"),
    [
        pytest.param([GOOD], ["acme"], ("pass", []), id="good"),
        pytest.param([GOOD], [], ("pass", []), id="whatever-is-there"),
        pytest.param([], [], ("fail", ["DATABASE"]), id="no-database-at-all"),
        pytest.param([GOOD], ["acme", "globex"], ("fail", ["DATABASE"]), id="one-lacks"),
        pytest.param([drill.Database("acme", opened=False, error="no")], ["acme"], ("fail", ["DATABASE"]), id="refuses"),
        pytest.param([drill.Database("acme", True, "", 1, "read", "page 7")], [], ("fail", ["CORRUPT"]), id="damaged"),
        pytest.param([drill.Database("acme", True)], [], ("unknown", ["CORRUPT"]), id="not-read"),
        pytest.param([drill.Database("acme", True, "", 1, "read", "", 0)], [], ("fail", ["ODOO"]), id="odoo-without-modules"),
        pytest.param([drill.Database("acme", True, "", 1, "read", "", None)], [], ("pass", []), id="not-odoo"),
    ],
)
def test_databases(found: list[drill.Database], wanted_names: list[str], wanted: tuple[str, list[str]]) -> None:
    assert result(drill.judge_databases(found, wanted_names)) == wanted


@pytest.mark.parametrize(
    ("commit_s", "backup_s", "wanted"),
    [
        pytest.param(-10, -100, 10, id="replayed"),
        pytest.param(None, -100, 100, id="nothing-replayed"),
        pytest.param(-300, -100, 100, id="idle-since-before-the-backup"),
        pytest.param(5, -100, 0, id="clock-skew"),
    ],
)
def test_rpo(commit_s: int | None, backup_s: int, wanted: int) -> None:
    commit = None if commit_s is None else T + dt.timedelta(seconds=commit_s)
    assert drill.rpo_s(began=T, last_commit=commit, backup_stop=T + dt.timedelta(seconds=backup_s)) == wanted


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        pytest.param((None, None), [], id="not-judged"),
        pytest.param((10, 20), [True, True], id="at-limits"),
        pytest.param((9, 20), [False, True], id="too-slow"),
        pytest.param((10, 19), [True, False], id="too-old"),
    ],
)
def test_times(limits: tuple[int | None, int | None], wanted: list[bool]) -> None:
    checks = drill.judge_times(rto=10.0, rpo=20, max_rto_s=limits[0], max_rpo_s=limits[1])
    assert [c.ok for c in checks] == wanted


def test_settings_beat_what_was_restored_and_keep_what_replay_needs() -> None:
    control = drill.parse_controldata("max_connections setting:              300\nDatabase system identifier:  77\nnonsense\n")
    found = drill.settings(control, folder="/s/x", port=5432, processes=2, restore_command='pgbackrest --stanza=a archive-get %f "%p"')
    assert control["Database system identifier"] == "77"
    assert found["max_connections"] == "300"
    fetch = "--archive-async --spool-path=/s/x/spool --process-max=2 archive-get"
    assert found["restore_command"] == f'pgbackrest --stanza=a {fetch} %f "%p"'
    assert found["unix_socket_directories"] == "/s/x"
    assert drill.ISOLATION.items() <= found.items()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("# restore_command = 'no'\n", "", id="comment"),
        pytest.param("restore_command = 'a'\nrestore_command = 'it''s b'\n", "it's b", id="the-last-counts"),
    ],
)
def test_setting_of(text: str, wanted: str) -> None:
    assert drill.setting_of(text, "restore_command") == wanted


# -- going back to an instant ------------------------------------------------------------------------------------------------
NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.timezone.utc)


def minutes(count: float) -> dt.datetime:
    return NOON + dt.timedelta(minutes=count)


def taken(label: str, start: float, stop: float) -> Backup:
    return Backup(label, "full", minutes(start), minutes(stop), "", "", "", "", (), False, 1, 1, 1)


OLD, NEW = taken("A", 0, 10), taken("B", 60, 70)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        pytest.param(9, None, id="before-any-backup-had-ended"),
        pytest.param(10, OLD, id="when-it-ended"),
        pytest.param(69, OLD, id="while-the-next-one-is-taken"),
        pytest.param(70, NEW, id="after-both"),
    ],
)
def test_the_backup_from_which_an_instant_is_reached(target: float, wanted: Backup | None) -> None:
    assert drill.backup_before([OLD, NEW], minutes(target)) == wanted


@pytest.mark.parametrize(
    ("backups", "share", "wanted"),
    [
        pytest.param([OLD, NEW], 0.0, 10, id="the-earliest"),
        pytest.param([NEW, OLD], 0.5, 35, id="the-middle"),
        pytest.param([OLD], 0.5, 55, id="one-backup-alone"),
        pytest.param([OLD, taken("C", 5, 15)], 0.5, 10, id="one-began-before-the-other-had-ended"),
    ],
)
def test_a_random_instant_is_one_that_can_be_reached(backups: list[Backup], share: float, wanted: float) -> None:
    assert drill.random_instant(backups, now=minutes(100), share=share) == minutes(wanted)


def test_an_instant_is_told_to_postgresql_in_utc() -> None:
    at = dt.datetime(2026, 11, 21, 13, 0, 0, 250000, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert drill.recovery_target(at) == "2026-11-21 12:00:00.250000+00"


@pytest.mark.parametrize(
    ("log", "wanted"),
    [
        pytest.param("LOG:  recovery stopping before commit of transaction 741, time 2026-11-21 12:00:01.5+00\n", 1.5, id="commit"),
        pytest.param("LOG:  recovery stopping before abort of transaction 741, time 2026-11-21 12:00:02+00\n", 2, id="abort"),
        pytest.param("LOG:  recovery stopping at restore point", None, id="something-else"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_where_recovery_stopped(log: str, wanted: float | None) -> None:
    assert drill.stopped_at(log) == (None if wanted is None else NOON + dt.timedelta(seconds=wanted))


@pytest.mark.parametrize(
    ("last", "stopped", "ok"),
    [
        pytest.param(-1, 1, True, id="between-two"),
        pytest.param(0, 1, True, id="committed-at-the-instant"),
        pytest.param(None, 1, True, id="nothing-since-the-backup"),
        pytest.param(-1, 0, False, id="the-next-one-should-be-in-it"),
        pytest.param(1, 2, False, id="later-work-is-in-it"),
        pytest.param(-1, None, None, id="not-told"),
    ],
)
def test_the_copy_is_as_it_was_at_the_instant(last: float | None, stopped: float | None, ok: bool | None) -> None:
    at = [None if one is None else minutes(one) for one in (last, stopped)]
    check = drill.judge_instant(NOON, last_commit=at[0], stopped=at[1])
    assert (check.ok, check.code) == (ok, "PITR")


def test_room_for_one_tenant() -> None:
    assert drill.room_for_one({"acme": 100, "zeta": 7}, 20, "acme") == 320
    assert drill.room_for_one({"acme": 100}, 20, "globex") is None


@pytest.mark.parametrize(
    ("back", "ok", "seen"),
    [
        pytest.param({"public.a": 2, "public.b": 0}, True, {"tables": 2, "rows": 2}, id="all"),
        pytest.param({"public.a": 1, "public.b": 0}, False, {"public.a": [2, 1]}, id="a-row-lacks"),
        pytest.param({"public.a": 2}, False, {"public.b": [0, None]}, id="an-empty-table-lacks"),
        pytest.param({"public.a": 2, "public.b": 0, "x.c": 0}, False, {"x.c": [None, 0]}, id="one-too-many"),
    ],
)
def test_rows_after_the_way_out(back: dict[str, int], ok: bool, seen: dict[str, Any]) -> None:
    check = drill.judge_rows({"public.a": 2, "public.b": 0}, back)
    assert (check.ok, check.observed, check.code) == (ok, seen, "" if ok else "ROWS")
