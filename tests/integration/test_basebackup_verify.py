"""pg_backup_verify with engine basebackup, over what a real pg_basebackup wrote."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible import run_module
from tests.support.basebackups import PLAIN, TAR, WAYS, BaseBackups
from tests.support.damages_basebackup import PLAIN_DAMAGES, flip, table

LABEL = "monday"


@pytest.fixture(scope="module")
def made() -> Iterator[BaseBackups]:
    home = Path(tempfile.mkdtemp(prefix="bb-"))  # short: a socket lies in it
    home.chmod(0o755)
    one = BaseBackups(home)
    try:
        one.make()
        yield one
    finally:
        one.stop()
        shutil.rmtree(home)


@pytest.fixture(autouse=True)
def _empty(made: BaseBackups) -> Iterator[None]:
    yield
    made.clear()


def verify(made: BaseBackups, **more: Any) -> dict[str, Any]:
    return run_module("pg_backup_verify", {"engine": "basebackup", "location": str(made.location), "depth": "full", **more})


def codes(result: dict[str, Any]) -> set[str]:
    return {check["code"] for check in result["evidence"]["checks"] if check["ok"] is not True}


def sums(result: dict[str, Any], key: str) -> int:
    return sum(part[key] for part in result["content"].values())


@pytest.mark.parametrize("way", WAYS)
def test_whatever_pg_basebackup_writes_can_be_proved(made: BaseBackups, way: str) -> None:
    made.take(LABEL, *WAYS[way])
    found = verify(made, expect={"system_id": made.system_id(), "version": made.bin.parent.name})
    assert found["verdict"] == "pass", found["msg"]
    assert found["content"]["manifests"]["read"] == 1
    assert found["content"][f"basebackup_{LABEL}"]["read"] == found["content"][f"basebackup_{LABEL}"]["files"] > 900
    assert found["content"][f"wal_{LABEL}"]["read"] == found["content"][f"wal_{LABEL}"]["files"] >= 1
    assert found["backup"]["system_id"] == made.system_id()
    assert found["pitr_window"] == {"earliest": None, "latest": None}
    assert codes(verify(made, depth="catalogue", expect={"system_id": "1"})) == {"SYSTEM_ID"}


@pytest.mark.parametrize("name", PLAIN_DAMAGES)
def test_damage_has_its_code_and_postgresql_agrees(made: BaseBackups, name: str) -> None:
    where = made.take(LABEL, *PLAIN)
    damage, code = PLAIN_DAMAGES[name]
    assert made.verified(where)
    damage(where)
    found = verify(made)
    assert (found["verdict"], code in codes(found)) == ("fail", True), found["msg"]
    assert not made.verified(where)


@pytest.mark.parametrize(
    ("how", "verdict", "code"),
    [
        pytest.param((*PLAIN, "--wal-method=none"), "fail", "INCOMPLETE", id="without-wal"),
        pytest.param((*TAR, "--wal-method=none"), "fail", "INCOMPLETE", id="tar-without-wal"),
        pytest.param((*PLAIN, "--manifest-checksums=none"), "unknown", "TOOL", id="without-checksums"),
        pytest.param((*PLAIN, "--no-manifest"), "fail", "NO_BACKUP", id="without-manifest"),
    ],
)
def test_what_cannot_be_relied_upon_does_not_pass(made: BaseBackups, how: tuple[str, ...], verdict: str, code: str) -> None:
    made.take(LABEL, *how)
    found = verify(made)
    assert (found["verdict"], code in codes(found)) == (verdict, True), found["msg"]


@pytest.mark.parametrize("way", ["plain", "gz"])
def test_what_was_proved_is_not_read_again(made: BaseBackups, tmp_path: Path, way: str) -> None:
    where = made.take(LABEL, *WAYS[way])
    args = {"depth": "checksums", "state": str(tmp_path / "memory"), "sample": 0.001}
    first, again = verify(made, **args), verify(made, **args)
    assert (first["verdict"], again["verdict"]) == ("pass", "pass"), again["msg"]
    assert sums(first, "remembered") == sums(again, "read_bytes") == 0 < sums(first, "read_bytes")
    made.take("tuesday", *WAYS[way])
    new = verify(made, **args)
    assert (new["verdict"], new["content"][f"basebackup_{LABEL}"]["read"]) == ("pass", 0)
    assert new["content"]["basebackup_tuesday"]["remembered"] == 0
    flip(table(where) if way == "plain" else where / "base.tar.gz", -5)
    assert verify(made, **args)["verdict"] == verify(made, **args)["verdict"] == "fail", "what is damaged is not remembered as proved"


def test_a_backup_that_was_not_finished_is_told_once_nobody_writes_to_it(made: BaseBackups) -> None:
    made.take(LABEL, *PLAIN)
    half = made.take("tuesday", *PLAIN)
    (half / "backup_manifest").unlink()
    assert verify(made)["verdict"] == "pass", "it may be on its way"
    for path in (half, *half.iterdir()):
        os.utime(path, (0, 0), follow_symlinks=False)
    found = verify(made)
    assert (found["verdict"], codes(found)) == ("fail", {"INCOMPLETE"})
    assert "tuesday" in found["msg"]


def test_one_backup_may_be_named_itself(made: BaseBackups) -> None:
    where = made.take(LABEL, *PLAIN)
    found = verify(made, location=str(where), max_age="PT0S")
    assert (found["backup"]["label"], codes(found)) == (LABEL, {"AGE"})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"stanza": "main"}, "stanza given", id="stanza"),
        pytest.param({"database": "acme", "copies": 2}, "copies, database given", id="several"),
        pytest.param({"location": "/nowhere/at/all"}, "cannot be read", id="no-such-directory"),
        pytest.param({"location": None}, "location", id="no-location"),
    ],
)
def test_bad_input_has_one_clear_message(made: BaseBackups, more: dict[str, Any], words: str) -> None:
    given = {key: value for key, value in {"location": str(made.location), **more}.items() if value is not None}
    found = run_module("pg_backup_verify", {"engine": "basebackup", **given})
    assert found.get("failed")
    assert words in found["msg"]
