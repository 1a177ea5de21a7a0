"""What pgBackRest's documents say. The manifest is one that 2.45 wrote, shortened, and given its checksum anew."""

from __future__ import annotations

import hashlib
import json

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_info import (
    DamagedError,
    Piece,
    UnreadableError,
    databases_sizes,
    entries,
    manifest_of,
    read_info,
    read_manifest,
    segment_piece,
)

HEAD = """[backrest]
backrest-format=5
backrest-version="2.45"

[backup]
backup-bundle=true
backup-label="20261128-120411F"

[backup:option]
option-compress=true
option-compress-type="lz4"

[target:file]
"""
ONE = 'pg_data/PG_VERSION={"checksum":"' + "a" * 40 + '","repo-size":21,"size":3,"timestamp":1795867450}\n'
EMPTY = hashlib.sha1(b"").hexdigest()


def sealed(text: str) -> list[str]:
    """With the checksum that belongs at its end, computed from the form in which pgBackRest hashes a document: as one JSON object."""
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("["):
            current = sections.setdefault(line[1:-1], {})
        elif line:
            key, _equals, value = line.rpartition('={"') if '={"' in line else line.partition("=")
            current[key] = ('{"' if '={"' in line else "") + value
    told = ",".join(f'"{name}":{{' + ",".join(f"{json.dumps(k)}:{v}" for k, v in keys.items()) + "}" for name, keys in sections.items())
    own = hashlib.sha1(f"{{{told}}}".encode()).hexdigest()
    return [*f'{text}\n[backrest]\nbackrest-checksum="{own}"\n'.splitlines(keepends=True)]


def file(name: str, **told: object) -> str:
    return f"{name}={json.dumps({'size': 3, 'timestamp': 1, **told}, separators=(',', ':'))}\n"


SUM = "b" * 40


@pytest.mark.parametrize(
    ("line", "head", "wanted"),
    [
        pytest.param(ONE, HEAD, {"pg_data/PG_VERSION.lz4": [Piece(0, 21, "a" * 40, False, 3, "pg_data/PG_VERSION")]}, id="alone"),
        pytest.param(file("f", checksum=SUM), HEAD.replace('"lz4"', '"none"'), {"f": [Piece(0, 3, SUM, False, 3, "f")]}, id="as-it-is"),
        pytest.param(file("f", checksum=SUM, rck="c" * 40), HEAD, {"f.lz4": [Piece(0, 3, "c" * 40, True, 3, "f")]}, id="what-is-stored"),
        pytest.param(
            file("f", bni=1, bno=7, checksum=SUM, **{"repo-size": 5}), HEAD, {"bundle/1": [Piece(7, 5, SUM, False, 3, "f")]}, id="bundled"
        ),
        pytest.param(file("f", bni=1, checksum=SUM), HEAD, {"bundle/1": [Piece(0, 3, SUM, False, 3, "f")]}, id="first-of-a-bundle"),
        pytest.param(file("f", size=0), HEAD, {}, id="empty-and-bundled"),
        pytest.param(
            file("f", size=0, **{"repo-size": 15}),
            HEAD.replace("bundle=true", "bundle=false"),
            {"f.lz4": [Piece(0, 15, EMPTY, False, 0, "f")]},
            id="empty-and-alone",
        ),
        pytest.param(file("f", checksum=SUM, reference="20261127-120000F"), HEAD, {}, id="told-by-another-backup"),
        pytest.param(
            file("f", bi=1, bim=40, checksum=SUM, rck="c" * 40), HEAD, {"f.pgbi": [Piece(0, 3, "c" * 40, True, 3, "f")]}, id="in-blocks"
        ),
        pytest.param(file("a=b", checksum=SUM), HEAD, {"a=b.lz4": [Piece(0, 3, SUM, False, 3, "a=b")]}, id="an-equals-in-its-name"),
    ],
)
def test_where_content_is_and_what_it_has_to_be(line: str, head: str, wanted: dict[str, list[Piece]]) -> None:
    assert dict(read_manifest(sealed(head + line)).objects) == wanted


def test_what_it_builds_upon() -> None:
    assert read_manifest(sealed(HEAD + file("f", checksum=SUM, reference="20261127-120000F"))).references == {"20261127-120000F"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(HEAD.replace('"lz4"', '"xz"') + ONE, "compressed by xz", id="a-compression-of-the-future"),
        pytest.param(HEAD + file("f", bi=1, checksum=SUM), "only pgBackRest reads", id="blocks-without-checksum"),
        pytest.param(
            HEAD.replace("[target:file]", '[cipher]\ncipher-pass="x"\n\n[target:file]') + file("f", bni=1, checksum=SUM),
            "only pgBackRest reads",
            id="pieces-encrypted-one-by-one",
        ),
        pytest.param(HEAD + file("f"), "only pgBackRest reads", id="no-checksum"),
        pytest.param(HEAD + 'f={"timestamp":1}\n', "KeyError", id="no-size"),
        pytest.param(HEAD + "f=[]\n", "TypeError", id="another-form"),
    ],
)
def test_a_whole_document_that_is_not_understood_is_not_called_damaged(text: str, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_manifest(sealed(text))


def test_every_byte_counts() -> None:
    """Each one is altered. What is then not understood is damaged as well, because the checksum says so."""
    lines = "".join(sealed(HEAD + ONE))
    for at in range(len(lines)):
        for other in (chr(ord(lines[at]) ^ 1), ""):
            altered = lines[:at] + other + lines[at + 1 :]
            if [line for line in altered.splitlines() if line] == [line for line in lines.splitlines() if line]:
                continue  # an empty line more or less says nothing
            with pytest.raises(DamagedError):
                read_manifest(altered.splitlines(keepends=True))


@pytest.mark.parametrize("end", [1, 2, 40])
def test_a_document_that_is_cut_off_is_damaged(end: int) -> None:
    lines = sealed(HEAD + ONE)
    with pytest.raises(DamagedError):
        list(entries(lines[: len(lines) - min(end, len(lines))]))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        pytest.param(f"00000001000000000000000A-{SUM}.lz4", "lz4", id="compressed"),
        pytest.param(f"00000001000000000000000A-{SUM}", "none", id="as-it-is"),
        pytest.param(f"00000001000000000000000A.partial-{SUM}.gz", "gz", id="partial"),
        pytest.param("00000002.history", None, id="history"),
        pytest.param("00000001000000000000000A.00000028.backup", None, id="label-of-a-backup"),
        pytest.param(f"00000001000000000000000A-{SUM}.lz4.pgbackrest.tmp", None, id="on-its-way"),
    ],
)
def test_a_segment_is_named_after_its_content(name: str, wanted: str | None) -> None:
    found = segment_piece(name)
    assert (found[1] if found else None) == wanted
    assert found is None or (found[0].sha1, found[0].length) == (SUM, None)


def test_what_each_database_takes() -> None:
    """The templates and what is no database's belong to the rest; a tablespace's files to their database."""
    known = [("acme", 16400), ("postgres", 5), ("tpl_odoo", 16384)]
    text = "[db]\n" + "".join(f'{name}={{"db-id":{oid},"db-last-system-id":16383}}\n' for name, oid in known)
    sizes = {
        "pg_data/PG_VERSION": 3,
        "pg_data/base/5/1259": 100,
        "pg_data/base/16384/1259": 7,
        "pg_data/base/16400/1259": 1000,
        "pg_data/base/16400/PG_VERSION": 3,
        "pg_tblspc/16390/PG_15_202209061/16400/2619": 50,
        "pg_data/global/1213": 20,
    }
    text += "[target:file]\n" + "".join(f'{name}={{"size":{size},"timestamp":1}}\n' for name, size in sizes.items())
    assert databases_sizes(sealed(text)) == ({"acme": 1053, "tpl_odoo": 7}, 123)
    with pytest.raises(DamagedError):
        databases_sizes([line.replace(":1000,", ":1,") for line in sealed(text)])


def test_the_manifest_of_another_backup_is_damage() -> None:
    assert manifest_of(sealed(HEAD + ONE), "20261128-120411F").label == "20261128-120411F"
    with pytest.raises(DamagedError, match="it is of 20261128-120411F"):
        manifest_of(sealed(HEAD + ONE), "20261129-120411F")


ARCHIVE_INFO = '[backrest]\nbackrest-format=5\n\n[db]\ndb-id=1\ndb-system-id=7\ndb-version="15"\n'
BACKUP_INFO = "[backrest]\nbackrest-format=5\n\n[db]\ndb-catalog-version=202209061\ndb-control-version=1300\ndb-id=1\n"


@pytest.mark.parametrize(
    ("text", "name", "right"),
    [
        pytest.param(ARCHIVE_INFO, "archive.info", True, id="archive"),
        pytest.param(ARCHIVE_INFO, "archive.info.copy", True, id="its-copy"),
        pytest.param(BACKUP_INFO, "backup.info", True, id="backup"),
        pytest.param(BACKUP_INFO, "backup.info.copy", True, id="the-copy-of-that"),
        pytest.param(BACKUP_INFO, "archive.info", False, id="backup-for-archive"),
        pytest.param(ARCHIVE_INFO, "backup.info.copy", False, id="archive-for-backup"),
        pytest.param(HEAD + ONE, "backup.info", False, id="a-manifest-for-backup"),
        pytest.param(HEAD + ONE, "archive.info", False, id="a-manifest-for-archive"),
    ],
)
def test_another_document_of_pgbackrest_is_damage(text: str, name: str, right: bool) -> None:
    if right:
        read_info(sealed(text), name)
    else:
        with pytest.raises(DamagedError, match="another document"):
            read_info(sealed(text), name)
