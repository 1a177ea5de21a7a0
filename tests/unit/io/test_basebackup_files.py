"""Archives as streams, and what becomes of a file that cannot be read."""

from __future__ import annotations

import errno
import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import Found
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.basebackup_files import (
    PlaceError,
    Plain,
    Tar,
    decoded_chunks,
    files_of,
    note,
    readable,
)

TEXT = bytes(range(256)) * 5000
CODECS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "lz4": lz4.frame.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def read(tmp_path: Path, codec: str, data: bytes) -> bytes:
    path = tmp_path / "file"
    path.write_bytes(data)
    return b"".join(decoded_chunks(path, codec))


@pytest.mark.parametrize("codec", CODECS)
def test_streams_that_follow_each_other_are_one(tmp_path: Path, codec: str) -> None:
    one, other = CODECS[codec](TEXT), CODECS[codec](b"other")
    assert read(tmp_path, codec, one) == TEXT
    assert read(tmp_path, codec, one + other + one) == TEXT + b"other" + TEXT


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-3], id="cut-off"),
        pytest.param(lambda data: data + b"x" * 20, id="something-behind"),
        pytest.param(lambda _data: b"", id="empty"),
        pytest.param(lambda data: b"x" + data, id="something-before"),
    ],
)
def test_a_damaged_stream_is_an_error_without_a_number(tmp_path: Path, codec: str, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(OSError, match=r"cut off|decompressed") as told:
        read(tmp_path, codec, damage(CODECS[codec](TEXT)))
    assert told.value.errno is None


def test_the_members_of_an_archive_have_their_place_in_the_cluster(tmp_path: Path) -> None:
    for name, member in (
        ("base.tar.gz", "global/1"),
        ("16400.tar", "PG_15/5/7"),
        ("pg_wal.tar", "000000010000000000000002"),
        ("other.tar", "x"),
    ):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            info = tarfile.TarInfo(member)
            info.size = len(TEXT)
            archive.addfile(info, io.BytesIO(TEXT))
        data = buffer.getvalue()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    files = files_of(tmp_path)
    assert isinstance(files, Tar)
    found = {path: b"".join(chunks) for name in files.archives() for path, _size, chunks in files.members(name)}
    assert found == dict.fromkeys(("global/1", "pg_tblspc/16400/PG_15/5/7", "pg_wal/000000010000000000000002"), TEXT)
    assert files.first_page()[:4] == TEXT[:4]


def test_a_tablespace_is_read_where_its_link_leads(tmp_path: Path) -> None:
    home, space = tmp_path / "home", tmp_path / "space"
    for path in (home / "pg_tblspc", space / "PG_15"):
        path.mkdir(parents=True)
    (home / "PG_VERSION").write_text("15\n")
    (space / "PG_15" / "1").write_bytes(b"table")
    (home / "pg_tblspc" / "16400").symlink_to(space)
    files = files_of(home)
    assert isinstance(files, Plain)
    assert set(files.listing()) == {"PG_VERSION", "pg_tblspc/16400/PG_15/1"}
    assert b"".join(files.chunks("pg_tblspc/16400/PG_15/1")) == b"table"


def test_what_the_machine_refuses_is_not_called_damaged() -> None:
    found = Found("x")
    note(OSError("it is cut off"), "one", found)
    note(PermissionError(errno.EACCES, "Permission denied"), "two", found)
    assert (found.corrupt, found.unreadable) == (["one: it is cut off"], ["two"])


def test_a_place_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=rf"{tmp_path}/none cannot be read .*correct location"), readable(tmp_path):
        list((tmp_path / "none").iterdir())
