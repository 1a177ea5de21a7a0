from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import drill
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
