"""pg_backup_verify with engine barman, over what a real Barman keeps."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible import run_module
from tests.support.barman import Barman
from tests.support.damages_barman import DAMAGES, data, flip, labels, old, say, wal


@pytest.fixture(scope="module")
def made() -> Iterator[Barman]:
    home = Path(tempfile.mkdtemp(prefix="bm-"))  # short: a socket lies in it
    home.chmod(0o755)
    one = Barman(home)
    try:
        try:
            one.make()
        finally:
            one.stop()
        one.run("cp", "-a", one.location, home / "whole")
        yield one
    finally:
        shutil.rmtree(home)


@pytest.fixture
def whole(made: Barman) -> Iterator[Barman]:
    yield made
    shutil.rmtree(made.location)
    made.run("cp", "-a", made.home / "whole", made.location)


def verify(made: Barman, **more: Any) -> dict[str, Any]:
    return run_module("pg_backup_verify", {"engine": "barman", "location": str(made.location), "depth": "full", **more})


def codes(result: dict[str, Any]) -> set[str]:
    return {check["code"] for check in result["evidence"]["checks"] if check["ok"] is not True}


def sums(result: dict[str, Any], key: str) -> int:
    return sum(part[key] for part in result["content"].values())


def test_what_barman_keeps_can_be_proved(whole: Barman) -> None:
    found = verify(whole, max_wal_age="P1D", retention={"full": 2}, expect={"version": whole.bin.parent.name})
    assert found["verdict"] == "pass", found["msg"]
    assert found["backup"]["label"] == labels(whole)[-1]
    assert found["pitr_window"]["earliest"] < found["pitr_window"]["latest"]
    assert found["wal"]["newest"] == whole.archived()[-1]
    assert found["content"]["wal"]["read"] == len(whole.archived()) >= 5
    assert sums(found, "read") == sums(found, "files") > 1900
    assert codes(verify(whole, depth="catalogue", expect={"system_id": "1"})) == {"SYSTEM_ID"}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_has_its_code(whole: Barman, name: str) -> None:
    damage, code = DAMAGES[name]
    given = {"expect": {"system_id": verify(whole, depth="catalogue")["backup"]["system_id"]}}
    damage(whole)
    found = verify(whole, **given)
    assert (found["verdict"], code in codes(found)) == ("fail", True), found["msg"]


def test_barman_restores_no_wal_without_its_list(whole: Barman) -> None:
    """Why that is damage: of this version it takes what is not there for an empty list."""
    for count in (len(whole.archived()), 0):
        target = whole.home / f"restored-{count}"
        whole.barman("recover", "main", labels(whole)[0], str(target))
        assert (len([path for path in (target / "pg_wal").glob("*") if len(path.name) == 24]) > 0) == bool(count)
        shutil.rmtree(target)
        (whole.location / "wals/xlog.db").unlink(missing_ok=True)


def test_the_list_of_newer_versions(whole: Barman) -> None:
    """It bears the server's name; where there is none, Barman makes it again, or has it elsewhere."""
    listed = whole.location / "wals/xlog.db"
    old(wal(whole, -2))
    newer = listed.rename(listed.with_name("main-xlog.db"))
    assert verify(whole, depth="catalogue")["verdict"] == "pass"
    say(newer, wal(whole, -2).name, "X")
    assert codes(verify(whole, depth="catalogue")) == {"WAL_GAP"}
    newer.unlink()
    (whole.location / "meta").mkdir()
    assert verify(whole, depth="catalogue")["verdict"] == "pass"


def rewritten(made: Barman, number: int, form: Callable[[bytes], bytes]) -> None:
    path = wal(made, number)
    seen = path.stat()
    path.write_bytes(form(gzip.decompress(path.read_bytes())))
    os.utime(path, (seen.st_atime, seen.st_mtime))


def test_wal_that_is_compressed_by_xz_is_read(whole: Barman) -> None:
    for number in range(len(whole.archived())):
        rewritten(whole, number, lzma.compress)
    found = verify(whole)
    assert (found["verdict"], found["content"]["wal"]["read"]) == ("pass", len(whole.archived())), found["msg"]
    flip(wal(whole, -2), 300)
    assert codes(verify(whole)) == {"CHECKSUM"}


@pytest.mark.parametrize(
    ("head", "words"),
    [
        pytest.param(b"\xff\x06\x00\x00sNaPpY", "compressed by snappy", id="snappy"),
        pytest.param(b"\x85\x01\x8c\x03\xc0\xff\xee", "encrypted", id="gpg"),
    ],
)
@pytest.mark.parametrize("which", ["one", "all"])
def test_wal_that_cannot_be_read_is_unknown_and_not_damaged(whole: Barman, head: bytes, words: str, which: str) -> None:
    for number in [-2] if which == "one" else range(len(whole.archived())):
        rewritten(whole, number, lambda data: head + data[:1000])
    found = verify(whole)
    assert (found["verdict"], codes(found)) == ("unknown", {"DECODER"})
    assert words in found["msg"]
    assert verify(whole, depth="catalogue")["verdict"] == "pass"


def test_a_backup_without_checksums_is_not_proved(whole: Barman) -> None:
    (data(whole) / "backup_manifest").unlink()
    found = verify(whole)
    assert (found["verdict"], codes(found)) == ("unknown", {"TOOL"})
    assert "generate-manifest" in found["msg"]
    whole.barman("generate-manifest", "main", labels(whole)[-1])
    found = verify(whole)
    assert found["verdict"] == "pass", found["msg"]


def test_what_was_proved_is_not_read_again(whole: Barman, tmp_path: Path) -> None:
    args = {"depth": "checksums", "state": str(tmp_path / "memory"), "sample": 0.001}
    first, again = verify(whole, **args), verify(whole, **args)
    assert (first["verdict"], again["verdict"]) == ("pass", "pass"), again["msg"]
    assert sums(first, "remembered") == sums(again, "read_bytes") == 0 < sums(first, "read_bytes")
    flip(wal(whole, -2), 3000)
    damaged = verify(whole, **args)
    assert (damaged["verdict"], damaged["content"]["wal"]["read"]) == ("fail", 1)
    assert verify(whole, **args)["verdict"] == "fail", "what is damaged is not remembered as proved"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"stanza": "main"}, "stanza given", id="stanza"),
        pytest.param({"location": "/tmp"}, "no base and wals", id="no-server-of-barman"),
        pytest.param({"location": None}, "location", id="no-location"),
    ],
)
def test_bad_input_has_one_clear_message(made: Barman, more: dict[str, Any], words: str) -> None:
    given = {key: value for key, value in {"location": str(made.location), **more}.items() if value is not None}
    found = run_module("pg_backup_verify", {"engine": "barman", **given})
    assert found.get("failed")
    assert words in found["msg"]
