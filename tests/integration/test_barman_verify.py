"""pg_backup_verify with engine barman, over what a real Barman keeps."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible import run_module
from tests.support.barman import Barman
from tests.support.damages_barman import DAMAGES, data, flip, labels, wal


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
