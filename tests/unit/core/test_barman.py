"""Barman's documents and listings."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import barman
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.barman import Info
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import Stored

NOW = dt.datetime(2026, 11, 29, 12, 0, tzinfo=dt.timezone.utc)
TEXT = """backup_label='START WAL LOCATION: 0/3000028\\nLABEL: x=y\\n'
begin_time=2026-11-29 02:50:02.763053+00:00
begin_wal=000000010000000000000003
begin_xlog=0/3000028
end_time=2026-11-29 03:50:06.815820+01:00
end_wal=000000010000000000000003
end_xlog=0/4000000
size=23171291
status=DONE
systemid=7713420235268724750
timeline=1
version=150018
"""


def info(label: str = "20261129T025002", **more: str) -> Info:
    lines = dict(line.split("=", 1) for line in TEXT.splitlines()) | more
    return barman.read_info("".join(f"{key}={value}\n" for key, value in lines.items()), label)


def test_a_document_is_read() -> None:
    found = barman.stanza("main", [info()])
    (backup,) = found.backups
    assert (backup.label, backup.type, backup.references) == ("20261129T025002", "full", ())
    assert backup.stop == dt.datetime(2026, 11, 29, 2, 50, 6, 815820, tzinfo=dt.timezone.utc)
    assert (backup.lsn_start, backup.wal_stop, backup.size) == ("0/3000028", "000000010000000000000003", 23171291)
    system = found.system(backup)
    assert system and (system.system_id, system.version) == ("7713420235268724750", "15")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "not what Barman writes", id="empty"),
        pytest.param(TEXT[:-3], "not what Barman writes", id="cut-off"),
        pytest.param(TEXT.replace("end_wal", "end_wax"), "does not tell end_wal", id="a-name-is-damaged"),
        pytest.param(TEXT.replace("2026-11-29 02", "2026-99-29 02"), "month|Invalid", id="a-time-is-damaged"),
        pytest.param(TEXT.replace("size=2", "size=x"), "int", id="a-number-is-damaged"),
    ],
)
def test_what_barman_did_not_write_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        barman.read_info(text, "x")


def test_only_whole_backups_are_in_the_catalogue() -> None:
    given = [info("a"), info("b", status="FAILED", end_time="None"), info("c", status="STARTED"), info("d", status="WAITING_FOR_WALS")]
    assert [backup.label for backup in barman.stanza("main", given).backups] == ["a", "d"]


def test_an_incremental_backup_names_its_whole_chain() -> None:
    full, middle = info("a", end_time="2026-11-29 03:00:00+00:00"), info("b", end_time="2026-11-29 04:00:00+00:00", parent_backup_id="a")
    newest = info("c", end_time="2026-11-29 05:00:00+00:00", parent_backup_id="b")
    found = barman.stanza("main", [newest, middle, full]).newest()
    assert found and (found.type, found.references) == ("incr", ("a", "b"))


@pytest.mark.parametrize(
    ("infos", "ok"),
    [
        pytest.param([], True, id="none"),
        pytest.param([("20261128T020000", "FAILED"), ("20261129T020000", "DONE")], True, id="an-older-one-failed"),
        pytest.param([("20261128T020000", "DONE"), ("20261129T020000", "FAILED")], False, id="the-newest-failed"),
        pytest.param([("20261129T110000", "STARTED")], True, id="one-is-on-its-way"),
        pytest.param([("20261127T110000", "STARTED")], False, id="one-never-ended"),
        pytest.param([("20261129T110000", "WAITING_FOR_WALS")], True, id="wal-is-on-its-way"),
        pytest.param([("tuesday", "STARTED")], False, id="of-an-unknown-time"),
    ],
)
def test_whether_the_newest_attempt_succeeded(infos: list[tuple[str, str]], ok: bool) -> None:
    found = barman.judge_ended([info(label, status=status) for label, status in infos], now=NOW, late_s=36 * 3600)
    assert (found.ok, found.code) == (ok, "" if ok else "INCOMPLETE")


SEGMENT = "000000010000000000000003"


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        pytest.param(f"0000000100000000/{SEGMENT}", {"stored": {SEGMENT: 7}}, id="a-segment"),
        pytest.param(f"0000000100000000/{SEGMENT}.partial", {"partials": (SEGMENT,)}, id="half-a-segment"),
        pytest.param("00000002.history", {"histories": (2,)}, id="a-history"),
        pytest.param(f"0000000100000000/{SEGMENT}.00000028.backup", {}, id="a-label"),
        pytest.param("xlog.db", {}, id="the-list"),
    ],
)
def test_what_the_archive_holds(path: str, seen: dict[str, Any]) -> None:
    found = barman.archive_of({path: Stored(9, "")}, {path: 7})
    assert {name: getattr(found, name) for name in ("stored", "histories", "partials") if getattr(found, name)} == seen
    assert not barman.archive_of({path: Stored(0, "")}, {path: 7}).stored, "an empty file holds no WAL"


@pytest.mark.parametrize(("age_s", "listed", "ok"), [(90, True, True), (90, False, False), (30, False, True)])
def test_wal_has_to_be_in_barmans_list(age_s: int, listed: bool, ok: bool) -> None:
    path = f"0000000100000000/{SEGMENT}"
    archive = barman.archive_of({path: Stored(9, "")}, {path: int(NOW.timestamp()) - age_s})
    assert barman.judge_listed_wal([SEGMENT] if listed else [], archive, now=NOW).ok is ok


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        pytest.param("1f8b0800", "gz", id="gzip"),
        pytest.param("425a6839", "bz2", id="bzip2"),
        pytest.param("04224d18", "lz4", id="lz4"),
        pytest.param("28b52ffd", "zst", id="zstd"),
        pytest.param("fd377a585a00", "xz", id="xz"),
        pytest.param("ff060000734e61507059", "snappy", id="snappy"),
        pytest.param("8c0d04090302", "gpg", id="a-passphrase"),
        pytest.param("845e03c0ffee", "gpg", id="a-key-of-a-curve"),
        pytest.param("85018c03c0ffee", "gpg", id="a-key-of-rsa"),
        pytest.param("c1c0cd03c0ffee", "gpg", id="a-new-packet"),
        pytest.param(b"-----BEGIN PGP MESSAGE-----".hex(), "gpg", id="armored"),
        pytest.param("10d107000100000000000001", "", id="postgresql-15"),
        pytest.param("16d107000100000000000001", "", id="postgresql-17"),
        pytest.param("", "", id="nothing"),
        pytest.param("0f8b0800", "", id="a-damaged-gzip"),
        pytest.param("00000000000000000000", "", id="zeros"),
    ],
)
def test_in_what_form_a_file_of_wal_is(head: str, codec: str) -> None:
    assert barman.codec_of(bytes.fromhex(head)[: barman.HEAD]) == codec


def test_a_form_that_nobody_can_read_is_unknown() -> None:
    found = barman.judge_unread({"snappy": 2, "gpg": 1})
    assert [(one.ok, one.code, bool(one.hint)) for one in found] == [(None, "DECODER", True)] * 2
    assert barman.judge_unread({}) == []


@pytest.mark.parametrize(("timeline", "start", "differs"), [(1, 0x3000028, False), (2, 0x3000028, True), (1, 0x3000030, True)])
def test_the_manifest_tells_whether_the_document_is_of_this_backup(timeline: int, start: int, differs: bool) -> None:
    assert barman.differs(info(), timeline, start) is differs
