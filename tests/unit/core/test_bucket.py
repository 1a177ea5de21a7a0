"""What a bucket has to promise, and what is needed of the objects that were deleted in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import needed
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.bucket import (
    ALLOWED,
    OF_BACKUPS,
    OF_FILESTORE,
    REFUSED,
    Codes,
    Expiry,
    Promise,
    Settings,
    judge_deleted,
    judge_others,
    judge_settings,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal import Archive, Gap, Segment
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal_window import Lacking

NOW = dt.datetime(2026, 12, 5, 19, tzinfo=dt.timezone.utc)
KEPT = Settings(versioned=True)
MONTH = Promise(30)
AGING = Promise(30, ages=True)


@pytest.mark.parametrize(
    ("settings", "promise", "code"),
    [
        pytest.param(KEPT, MONTH, "", id="kept-for-ever"),
        pytest.param(Settings(True, noncurrent_days=30), MONTH, "", id="just-long-enough"),
        pytest.param(Settings(True, noncurrent_days=29), MONTH, "RETENTION", id="a-day-short"),
        pytest.param(Settings(True, noncurrent_days=1), Promise(), "", id="no-retention-asked"),
        pytest.param(Settings(versioned=False), Promise(), "NOT_VERSIONED", id="not-versioned"),
        pytest.param(Settings(True, expires=(Expiry("all", 99),)), MONTH, "EXPIRES", id="attachments-never-expire"),
        pytest.param(Settings(True, expires=(Expiry("all", 30),)), AGING, "", id="backups-may-after-the-retention"),
        pytest.param(Settings(True, expires=(Expiry("all", 29),)), AGING, "EXPIRES", id="backups-not-before"),
        pytest.param(Settings(True, expires=(Expiry("all", 99),)), Promise(ages=True), "EXPIRES", id="nobody-said-after-what-time"),
        pytest.param(Settings(True, expires=(Expiry("all"),)), AGING, "EXPIRES", id="at-a-date"),
        pytest.param(Settings(True, lock="compliance"), Promise(lock="governance"), "", id="more-than-asked"),
        pytest.param(Settings(True, lock="governance"), Promise(lock="compliance"), "NOT_LOCKED", id="less-than-asked"),
        pytest.param(KEPT, Promise(lock="governance"), "NOT_LOCKED", id="no-lock"),
        pytest.param(Settings(True, lock="governance", lock_days=7), Promise(lock_days=7), "", id="locked-long-enough"),
        pytest.param(Settings(True, lock="governance", lock_days=6), Promise(lock_days=7), "NOT_LOCKED", id="locked-too-shortly"),
        pytest.param(Settings(True, lock="compliance"), Promise(lock_days=1), "NOT_LOCKED", id="locked-for-no-time"),
        pytest.param(KEPT, Promise(lock_days=1), "NOT_LOCKED", id="a-time-and-no-lock"),
    ],
)
@pytest.mark.parametrize(("codes", "start"), [(OF_FILESTORE, "FILESTORE_"), (OF_BACKUPS, "BUCKET_")])
def test_settings_of_a_bucket(settings: Settings, promise: Promise, code: str, codes: Codes, start: str) -> None:
    judged = judge_settings(settings, promise, codes)
    assert [check.code for check in judged if not check.ok] == ([start + code] if code else [])


@pytest.mark.parametrize(("encrypted", "code"), [(True, []), (False, ["BUCKET_NOT_ENCRYPTED"]), (None, ["BUCKET_NOT_ENCRYPTED"])])
def test_encryption_where_it_is_wanted(encrypted: bool | None, code: list[str]) -> None:
    settings = Settings(True, encrypted=encrypted)
    assert [check.code for check in judge_settings(settings, Promise(encrypted=True), OF_BACKUPS) if not check.ok] == code
    assert all(check.ok for check in judge_settings(settings, Promise(), OF_BACKUPS))


# -- segregation -----------------------------------------------------------------------------------------------------------
SHUT = dict.fromkeys(("list", "list all", "list versions", "head", "get"), REFUSED)


@pytest.mark.parametrize(
    ("own", "others", "ok", "code"),
    [
        pytest.param(ALLOWED, {"s3://b/zeta/": SHUT}, True, "", id="refused-everywhere"),
        pytest.param(ALLOWED, {"s3://b/zeta/": SHUT, "s3://b/y/": {**SHUT, "get": ALLOWED}}, False, "SEGREGATION", id="let-in"),
        pytest.param(ALLOWED, {"s3://b/zeta/": {**SHUT, "head": "404"}}, None, "SEGREGATION_UNKNOWN", id="not-there"),
        pytest.param(ALLOWED, {"s3://b/zeta/": {**SHUT, "list": "S3_UNREACHABLE"}}, None, "SEGREGATION_UNKNOWN", id="no-answer"),
        pytest.param(ALLOWED, {"s3://b/z/": {**SHUT, "list": ALLOWED, "get": "404"}}, False, "SEGREGATION", id="both"),
        pytest.param(REFUSED, {"s3://b/zeta/": SHUT}, None, "SEGREGATION_UNKNOWN", id="refused-at-home-too"),
        pytest.param("InvalidAccessKeyId", {"s3://b/zeta/": SHUT}, None, "SEGREGATION_UNKNOWN", id="a-wrong-key"),
        pytest.param(ALLOWED, {}, None, "SEGREGATION_UNKNOWN", id="nothing-was-tried"),
    ],
)
def test_an_identity_is_confined(own: str, others: Mapping[str, Mapping[str, str]], ok: bool | None, code: str) -> None:
    check = judge_others(own, others)
    assert (check.ok, check.code) == (ok, code)


def test_what_was_let_through_is_named() -> None:
    check = judge_others(ALLOWED, {"s3://b/zeta/": {**SHUT, "list": ALLOWED, "get": ALLOWED}})
    assert check.observed == {"s3://b/zeta/": ["get", "list"]}


# -- what is deleted and needed --------------------------------------------------------------------------------------------
SIZE = 16 << 20


def wal(number: int, timeline: int = 1) -> str:
    name = f"{timeline:08X}00000000{number:08X}"
    return f"{name[:16]}/{name}-{'a' * 40}.lz4"


def lacking(stored: list[int], *gaps: Gap) -> Lacking:
    names = {wal(number).split("/")[1][:24]: 1000 for number in stored}
    return Lacking(Archive(names, (), (), ()), gaps, SIZE, Segment(1, max(stored)) if stored else None)


LACKS = lacking([2, 3, 6], Gap(1, 4, 5))


@pytest.mark.parametrize(
    ("name", "is_needed"),
    [
        pytest.param("backup/main/backup.info", True, id="the-list-of-backups"),
        pytest.param("archive/main/archive.info.copy", True, id="the-copy-of-a-document"),
        pytest.param("backup/main/20261121-054120F/bundle/1", True, id="a-file-that-the-manifest-names"),
        pytest.param("backup/main/20261121-054120F/backup.manifest", True, id="a-manifest"),
        pytest.param("backup/main/20261121-054120F/pg_data/left-over.lz4", False, id="one-that-it-does-not-name"),
        pytest.param("backup/main/20261122-054120F/pg_data/any.lz4", True, id="a-manifest-that-cannot-be-read"),
        pytest.param("backup/main/20261101-054120F/bundle/1", False, id="an-expired-backup"),
        pytest.param("backup/other/20261121-054120F/bundle/1", False, id="another-stanza"),
        pytest.param("backup/main/backup.history/2026/x.manifest.gz", False, id="history-is-for-people"),
        pytest.param(f"archive/main/15-1/{wal(4)}", True, id="in-a-gap"),
        pytest.param(f"archive/main/15-1/{wal(1)}", False, id="before-the-oldest-backup"),
        pytest.param(f"archive/main/15-1/{wal(3)}", False, id="there-is-another-copy"),
        pytest.param(f"archive/main/15-1/{wal(7)}", True, id="the-newest-one"),
        pytest.param(f"archive/main/15-1/{wal(4, 2)}", False, id="another-timeline"),
        pytest.param(f"archive/main/14-1/{wal(4)}", False, id="another-archive"),
        pytest.param("archive/main/15-1/00000002.history", True, id="where-a-timeline-left"),
        pytest.param("archive/main/15-1/00000001.history", False, id="before-the-oldest-timeline"),
        pytest.param("archive/main/15-1/0000000100000000/notes", False, id="no-segment"),
    ],
)
def test_what_a_repository_still_needs(name: str, is_needed: bool) -> None:
    named = {"20261121-054120F": {"bundle/1"}, "20261122-054120F": None}
    found = needed.in_repository({name: 2000}, "main", named, {"15-1": LACKS}, timeline=1)
    assert found == ([name] if is_needed else [])


def test_an_archive_that_is_not_understood_needs_all() -> None:
    name = f"archive/main/15-1/{wal(1)}"
    assert needed.in_repository({name: 2000}, "main", {}, {"15-1": None}, timeline=1) == [name]


def test_what_another_server_left_in_the_archive_is_not_needed() -> None:
    name = f"archive/main/15-1/{wal(7)}"
    for at, wanted in ((999, []), (1000, [name])):
        assert needed.in_repository({name: at}, "main", {}, {"15-1": LACKS}, timeline=1) == wanted


def test_a_segment_that_is_there_is_not_lacking() -> None:
    assert not LACKS.lacks(wal(2).split("/")[1][:24], at=2000)
    assert not LACKS.lacks("0000000100000000FFFFFFFF", at=2000), "no segment of this size"
    assert lacking([], Gap(1, 4, 5)).lacks(wal(5).split("/")[1][:24], at=2000)
    assert not lacking([]).lacks(wal(5).split("/")[1][:24], at=2000)


@pytest.mark.parametrize(
    ("deleted", "stored", "days", "wanted"),
    [
        pytest.param(["acme-20261101T010000Z.dump"], ["acme-20261101T010000Z.manifest.json"], None, 1, id="its-manifest-is-there"),
        pytest.param(["acme-20261101T010000Z.manifest.json"], ["acme-20261101T010000Z.dump"], None, 1, id="its-dump-is-there"),
        pytest.param(["acme-20261101T010000Z.dump", "acme-20261101T010000Z.manifest.json"], [], None, 0, id="both-are-gone"),
        pytest.param(["acme-20261201T010000Z.dump", "acme-20261201T010000Z.manifest.json"], [], 30, 2, id="both-and-too-soon"),
        pytest.param(["acme-20261101T010000Z.dump", "acme-20261101T010000Z.manifest.json"], [], 30, 0, id="both-in-their-time"),
        pytest.param(["zeta-20261201T010000Z.dump", "notes"], [], 30, 0, id="another-database"),
    ],
)
def test_which_dumps_are_needed(deleted: list[str], stored: list[str], days: int | None, wanted: int) -> None:
    assert len(needed.of_dumps(deleted, stored, "acme", now=NOW, retention_days=days)) == wanted


def test_deleted_ones_are_counted_and_named() -> None:
    check = judge_deleted([str(n) for n in range(7)])
    assert (check.ok, check.code, check.observed) == (False, "BUCKET_DELETED", "7 not: 0, 1, 2, 3, 4 and more")
    assert judge_deleted([]).ok
