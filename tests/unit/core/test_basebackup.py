"""Manifests of base backups, and what a listing shows of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import basebackup
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.basebackup import File, Manifest, Range
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import Found, Stored

NOON = dt.datetime(2026, 12, 5, 12, 0, tzinfo=dt.timezone.utc)
MIB = 1 << 20


def entry(path: str, size: int = 10, checksum: str = "aabbccdd", **more: Any) -> dict[str, Any]:
    told = {"Path": path, "Size": size, "Last-Modified": "2026-12-05 12:00:00 GMT"}
    return {**told, "Checksum-Algorithm": "CRC32C", "Checksum": checksum, **more}


def written(*files: dict[str, Any], version: int = 1, own: str = "", **more: Any) -> bytes:
    """As PostgreSQL writes it: a line for each file, and the checksum last."""
    lines = ",\n".join(json.dumps(file) for file in files)
    others = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in more.items())
    ranges = '"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }\n],\n'
    text = f'{{ "PostgreSQL-Backup-Manifest-Version": {version},\n{others}"Files": [\n{lines}\n],\n{ranges}'
    return f'{text}"Manifest-Checksum": "{own or hashlib.sha256(text.encode()).hexdigest()}"}}\n'.encode()


def test_a_manifest_is_read() -> None:
    odd = {key: value for key, value in entry("x", checksum="00112233").items() if key != "Path"} | {"Encoded-Path": "626173652fff"}
    found = basebackup.read_manifest(written(entry("backup_label", 225), odd, version=2, **{"System-Identifier": 7710495708284763597}))
    files = {"backup_label": File(225, "CRC32C", "aabbccdd"), "base/\udcff": File(10, "CRC32C", "00112233")}
    assert found == Manifest(files, (Range(1, 0x2000028, 0x2000100),), NOON, "7710495708284763597")
    assert found.size == 235


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "no manifest", id="empty"),
        pytest.param(written(entry("backup_label"))[:-40], "no manifest", id="cut"),
        pytest.param(written(entry("backup_label"), own="0" * 64), "own checksum", id="another-checksum"),
        pytest.param(written(entry("backup_label")).replace(b'"Size": 10', b'"Size": 11'), "own checksum", id="altered"),
        pytest.param(written(entry("backup_label"), version=3), "version 3", id="newer"),
        pytest.param(written(entry("PG_VERSION")), "backup_label", id="no-label"),
        pytest.param(written(entry("backup_label"), entry("backup_label")), "twice", id="twice"),
        pytest.param(b'\n"Manifest-Checksum": "%s"}' % hashlib.sha256(b"\n").hexdigest().encode(), "no manifest", id="nothing-else"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        basebackup.read_manifest(data)


@pytest.mark.parametrize(
    ("start", "end", "size", "names"),
    [
        pytest.param(0x2000028, 0x2000100, 16 * MIB, ["000000010000000000000002"], id="one"),
        pytest.param(0x2000028, 0x3000000, 16 * MIB, ["000000010000000000000002"], id="to-its-end"),
        pytest.param(0x2000028, 0x3000001, 16 * MIB, ["000000010000000000000002", "000000010000000000000003"], id="a-byte-of-the-next"),
        pytest.param(0xFF000028, 0x100000100, 16 * MIB, ["0000000100000000000000FF", "000000010000000100000000"], id="over-4-GiB"),
        pytest.param(0x2000028, 0x2100100, MIB, ["000000010000000000000020", "000000010000000000000021"], id="small-segments"),
    ],
)
def test_which_segments_a_backup_needs(start: int, end: int, size: int, names: list[str]) -> None:
    assert Range(1, start, end).segments(size) == names


WANTED = Manifest(
    {"backup_label": File(5, "CRC32C", ""), "base/5/1": File(8192, "CRC32C", ""), "postgresql.auto.conf": File(1, "", "")}, (), NOON
)
THERE = {"backup_label": 5, "base/5/1": 8192, "backup_manifest": 99, "postgresql.auto.conf": 77, "pg_wal/000000010000000000000002": 9}


@pytest.mark.parametrize(
    ("there", "wrong", "due"),
    [
        pytest.param(THERE, {}, ["backup_label", "base/5/1"], id="all"),
        pytest.param({**THERE, "standby.signal": 0}, {}, ["backup_label", "base/5/1"], id="what-pg_basebackup-writes"),
        pytest.param({**THERE, "base/5/1": 0}, {"short": ["base/5/1"]}, ["backup_label"], id="another-size"),
        pytest.param({"backup_label": 5}, {"missing": ["base/5/1"]}, ["backup_label"], id="missing"),
        pytest.param({**THERE, "base/5/1.1": 8192}, {"extra": ["base/5/1.1"]}, ["backup_label", "base/5/1"], id="one-more"),
    ],
)
def test_what_a_listing_shows(there: dict[str, int], wrong: dict[str, list[str]], due: list[str]) -> None:
    found = Found("x")
    assert basebackup.noted(WANTED, {path: Stored(size, "") for path, size in there.items()}, found) == due
    assert {kind: getattr(found, kind) for kind in ("missing", "short", "corrupt", "extra") if getattr(found, kind)} == wrong
    assert found.files == 2


@pytest.mark.parametrize(("path", "parent"), [("base/5/1", False), ("base/5/INCREMENTAL.1", True), ("INCREMENTAL.d/x", False)])
def test_incremental_backups_are_known_by_their_files(path: str, parent: bool) -> None:
    assert basebackup.needs_parent(Manifest({path: File(1, "", "")}, (), NOON)) is parent
