"""Manifests of dumps, and what a listing of them shows."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import dumps
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.dumps import DIRECTORY, DUMP, MANIFEST, Dump, File
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.listed import catalogue
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import Stored

NOON = dt.datetime(2026, 12, 5, 12, 0, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)


def dump(hours: int = 0, *, database: str = "acme", system: str = "7710495708284763597") -> Dump:
    began = NOON - dt.timedelta(hours=hours)
    return Dump(database, system, "15", began, began + MINUTE, 1000 + hours, f"{hours:064x}")


def directory(hours: int = 0, *, database: str = "acme") -> Dump:
    began = NOON - dt.timedelta(hours=hours)
    names = [f"{dumps.label_of(database, began)}{DIRECTORY}/{name}" for name in ("toc.dat", "3001.dat.gz", "blobs.toc")]
    files = [File(name, 10 * number, f"{number:064x}") for number, name in enumerate(names)]
    return dumps.of_directory(files, (database, "7710495708284763597", "15", began, began + MINUTE))


def test_a_manifest_comes_back() -> None:
    one = dump()
    assert (one.label, one.file) == ("acme-20261205T120000Z", "acme-20261205T120000Z.dump")
    assert dumps.read_manifest(dumps.write_manifest(one), one.label) == one
    many = directory()
    assert (many.file, many.size, len(many.parts)) == ("acme-20261205T120000Z.dir", 30, 3)
    assert dumps.read_manifest(dumps.write_manifest(many), many.label) == many


def signed(**values: object) -> bytes:
    """A manifest of a directory with other values, and its own checksum over them: as somebody would who knows how."""
    told = {key: value for key, value in json.loads(dumps.write_manifest(directory())).items() if key != "sha256"}
    told.update(values)
    return json.dumps({**told, "sha256": dumps._own(told)}).encode()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"files": {}}, "names no files", id="none"),
        pytest.param({"files": {"../other": {"bytes": 1, "sha256": "0" * 64}}}, "files elsewhere", id="outside"),
        pytest.param({"files": {"..": {"bytes": 1, "sha256": "0" * 64}}}, "files elsewhere", id="the-folder-above"),
        pytest.param({"files": {"toc.dat": {"bytes": 1, "sha256": "0" * 64}}}, "it is of", id="fewer-than-its-sum-says"),
        pytest.param({"files": ["toc.dat"]}, "no manifest", id="a-list"),
        pytest.param({"schema": 1}, "of schema 1, wanted 2", id="schema"),
    ],
)
def test_a_manifest_of_a_directory_that_cannot_be(values: dict[str, object], words: str) -> None:
    assert dumps.read_manifest(signed(), directory().label) == directory()
    with pytest.raises(ValueError, match=words):
        dumps.read_manifest(signed(**values), directory().label)


def other(name: str, value: object) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps({**json.loads(data), name: value}).encode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda data: data[:-9], "delimiter", id="cut"),
        pytest.param(lambda _data: b"[]", "no manifest", id="another-document"),
        pytest.param(lambda _data: b"{}", "no manifest", id="empty"),
        pytest.param(lambda data: data.replace(b"1000", b"1001"), "its own checksum", id="a-changed-digit"),
        pytest.param(other("version", "16"), "its own checksum", id="a-changed-value"),
        pytest.param(other("more", 1), "its own checksum", id="one-more-key"),
        pytest.param(lambda _data: dumps.write_manifest(dump(3)), "it is of acme-20261205T090000Z", id="swapped"),
    ],
)
def test_a_manifest_that_is_not_what_was_written(change: Callable[[bytes], bytes], words: str) -> None:
    one = dump()
    with pytest.raises(ValueError, match=words):
        dumps.read_manifest(change(dumps.write_manifest(one)), one.label)


@pytest.mark.parametrize(
    ("label", "database", "ours"),
    [
        pytest.param("acme-20261205T120000Z", "acme", True, id="ours"),
        pytest.param("acme-20261205T120000Z", "acm", False, id="begins-alike"),
        pytest.param("acme-test-20261205T120000Z", "acme", False, id="another-with-a-dash"),
        pytest.param("acme-test-20261205T120000Z", "acme-test", True, id="a-dash-of-its-own"),
        pytest.param("acme-20261205", "acme", False, id="no-time"),
        pytest.param("acme.example.com-20261205T120000Z", "acme.example.com", True, id="dots"),
        pytest.param("acme.example.com-20261205T120000Z", "acme.example", False, id="other-dots"),
    ],
)
def test_whose_dump_it_is(label: str, database: str, ours: bool) -> None:
    assert dumps.began_of(label, database) == (NOON if ours else None)


def test_dumps_of_another_server_are_another_system() -> None:
    found = catalogue("acme", [dumps.listed(one) for one in (dump(2, system="1"), dump(1, system="2"), dump(0, system="2"))])
    assert [(backup.label, backup.db) for backup in found.backups] == [(dump(2).label, 1), (dump(1).label, 2), (dump(0).label, 2)]
    newest = found.newest()
    assert newest and found.system(newest) == found.current(1)
    assert newest.label == dump(0).label


def listing(*names: str) -> dict[str, Stored]:
    return {name: Stored(1000, "1") for name in names}


@pytest.mark.parametrize(
    ("names", "late"),
    [
        pytest.param([dump().file, dump().label + MANIFEST], [], id="finished"),
        pytest.param([dump().file], [dump().label], id="no-manifest"),
        pytest.param([dump(database="zeta").file], [], id="another-database"),
        pytest.param([part.name for part in directory().parts], [directory().label], id="a-directory"),
        pytest.param([*(part.name for part in directory().parts), directory().label + MANIFEST], [], id="a-finished-directory"),
        pytest.param([f"{directory().file}{dumps.UNFINISHED}/toc.dat"], [], id="a-directory-that-is-being-made"),
        pytest.param(["acme-20261205T130000Z" + DUMP], [], id="its-manifest-is-about-to-come"),
    ],
)
def test_a_dump_without_a_manifest(names: list[str], late: list[str]) -> None:
    check = dumps.judge_finished("acme", listing(*names), now=NOON + 60 * MINUTE + dt.timedelta(seconds=30))
    assert (check.ok, check.observed) == (not late, {"without_manifest": late})


def test_what_the_listing_shows_of_a_dump() -> None:
    assert dumps.noted(dump(), listing(dump().file)).told() == {"files": 1, "read": 0, "remembered": 0, "read_bytes": 0}
    assert dumps.noted(dump(), {}).missing == [dump().file]
    assert dumps.noted(dump(5), listing(dump(5).file)).short == [dump(5).file]


def test_what_the_listing_shows_of_a_directory() -> None:
    one = directory()
    whole = {part.name: Stored(part.size, "1") for part in one.parts}
    assert dumps.noted(one, whole).told() == {"files": 3, "read": 0, "remembered": 0, "read_bytes": 0}
    toc, data = f"{one.file}/toc.dat", f"{one.file}/3001.dat.gz"
    assert dumps.noted(one, {name: file for name, file in whole.items() if name != toc}).missing == [toc]
    assert dumps.noted(one, {**whole, data: Stored(9, "1")}).short == [data]
    assert dumps.noted(one, {**whole, f"{one.file}/more": Stored(9, "1")}).extra == [f"{one.file}/more"]
    assert dumps.noted(one, {**whole, f"{directory(1).file}/more": Stored(9, "1")}).extra == []


def test_too_many_directories() -> None:
    names = [name for one in (directory(0), directory(1)) for name in (one.label + MANIFEST, *(part.name for part in one.parts))]
    assert dumps.surplus(names, "acme", 1) == [directory(1).label + MANIFEST, directory(1).file]
    assert dumps.is_taken(names, directory(1).label)
    assert not dumps.is_taken(names, directory(2).label)
    assert dumps.unfinished([directory().file + dumps.UNFINISHED], "acme") == [directory().file + dumps.UNFINISHED]


def test_too_many_are_the_oldest_and_their_manifests_go_first() -> None:
    names = [one.label + suffix for one in (dump(0), dump(1), dump(2), dump(0, database="zeta")) for suffix in (DUMP, MANIFEST)]
    unfinished = dump(9).file
    assert dumps.surplus([*names, unfinished], "acme", 0) == []
    assert dumps.surplus([*names, unfinished], "acme", 2) == [dump(2).label + MANIFEST, dump(2).file]
    assert dumps.surplus(names, "acme", 5) == []


def test_what_killed_runs_left_of_this_database() -> None:
    ours = [dump(database="acme.com").label + suffix + dumps.UNFINISHED for suffix in (DUMP, MANIFEST)]
    others = [dump(database="acme").file + dumps.UNFINISHED, dump(database="acme.com").file, "acme.com.part"]
    assert dumps.unfinished([*others, *ours], "acme.com") == sorted(ours)


@pytest.mark.parametrize(
    ("ok", "unreadable", "wanted"),
    [
        pytest.param(False, [], False, id="all-was-read"),
        pytest.param(False, ["acme-20261205T010000Z.manifest.json"], None, id="what-it-lacks-may-be-in-one-that-was-not"),
        pytest.param(True, ["acme-20261205T010000Z.manifest.json"], True, id="it-lacks-nothing"),
    ],
)
def test_a_catalogue_that_could_not_be_read_whole_fails_nothing(ok: bool, unreadable: list[str], wanted: bool | None) -> None:
    assert dumps.without(Check("retention_full", ok, 2, ">= 3", "", "RETENTION"), unreadable).ok is wanted
