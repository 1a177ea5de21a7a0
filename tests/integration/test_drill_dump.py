"""restore_drill with the newest dump of a tenant, in both formats."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Folder

from tests.support.ansible import run_module
from tests.support.basebackups import BaseBackups
from tests.support.damage_scenes import take_dumps


@pytest.fixture(scope="module", params=[pytest.param(None, id="custom"), pytest.param(2, id="directory")])
def taken(request: pytest.FixtureRequest) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="dd-"))
    home.chmod(0o755)
    made = BaseBackups(home)
    try:
        made.make()
        made.sql("CREATE TABLE invoice AS SELECT g AS id, repeat(md5(g::text), 9) AS body FROM generate_series(1, 2000) g")
        take_dumps(home, Folder(made.location), request.param)
        yield made.location
    finally:
        made.stop()
        shutil.rmtree(home)


@pytest.fixture
def place(taken: Path, tmp_path: Path) -> Path:
    """The dumps, to damage."""
    return Path(shutil.copytree(taken, tmp_path / "dumps"))


def drill(place: Path, scratch: Path, check: bool = False, **more: Any) -> dict[str, Any]:
    given = {"kind": "single_tenant", "dumps": str(place), "databases": ["postgres"], "scratch": str(scratch), **more}
    return run_module("restore_drill", given, check)


def bad(found: dict[str, Any]) -> set[str]:
    return {check["code"] for check in found["evidence"]["checks"] if check["ok"] is not True}


def newest(place: Path) -> Path:
    """The largest file of the newest dump."""
    manifest = max(place.glob("*.manifest.json"))
    stem = manifest.name.removesuffix(".manifest.json")
    files = [p for p in place.rglob("*") if p.is_file() and str(p.relative_to(place)).startswith(stem) and p != manifest]
    return max(files, key=lambda p: p.stat().st_size)


def test_the_newest_dump_comes_back(place: Path, scratch: Path) -> None:
    would = drill(place, scratch, check=True)
    assert (would["verdict"], would["failed"]) == ("unknown", False), would["msg"]
    found = drill(place, scratch, max_rto="PT5M", max_rpo="PT1H")
    assert found["verdict"] == "pass", found["msg"]
    assert newest(place).relative_to(place).parts[0].startswith(found["backup"]["label"])
    assert found["rto_s"] >= found["phases"]["restore_s"] + found["phases"]["import_s"] - 0.1
    assert found["rpo_s"] >= 0
    assert [one["name"] for one in found["databases"]] == ["postgres"]


def cut(place: Path) -> None:
    file = newest(place)
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "more", "code"),
    [
        pytest.param(cut, {}, "CHECKSUM", id="cut-off"),
        pytest.param(lambda place: newest(place).unlink(), {}, "INCOMPLETE", id="deleted"),
        pytest.param(lambda place: [file.unlink() for file in place.glob("*.manifest.json")], {}, "NO_BACKUP", id="no-manifest"),
        pytest.param(lambda _place: None, {"max_rto": "PT0S"}, "RTO", id="too-slow"),
        pytest.param(lambda _place: None, {"max_rpo": "PT1S"}, "RPO", id="too-old"),
        pytest.param(lambda _place: None, {"databases": ["globex"]}, "NO_BACKUP", id="of-another-database"),
    ],
)
def test_a_dump_that_does_not_come_back(place: Path, scratch: Path, damage: Callable[[Path], Any], more: dict[str, Any], code: str) -> None:
    damage(place)
    found = drill(place, scratch, **more)
    assert (found["verdict"], bad(found)) == ("fail", {code}), found["msg"]


def test_options_that_do_not_fit(scratch: Path, tmp_path: Path) -> None:
    assert "Set kind to single_tenant" in drill(tmp_path, scratch, kind="restore")["msg"]
    assert "mutually exclusive" in drill(tmp_path, scratch, stanza="main")["msg"]
