"""How pg_backup_verify reads the bytes of a real repository: directly, through pgBackRest, encrypted, and what it remembers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults import repository_damage
from tests.support.ansible import command, environment, parse, run_module
from tests.support.pgbackrest import Repository

ENCRYPTED = "repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=" + "x7" * 24


@contextmanager
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bk-"))  # short: a socket lies in it
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def repository(**how: Any) -> Iterator[Repository]:
    with home() as place:
        made = Repository(place, **how)
        try:
            made.make()
        finally:
            made.stop()
        yield made


@pytest.fixture(scope="module")
def made() -> Iterator[Repository]:
    with repository() as one:
        yield one


@pytest.fixture
def whole(made: Repository) -> Iterator[Repository]:
    yield made
    made.whole()


def wrapped(made: Repository) -> dict[str, Any]:
    """Nothing but a command, so that only pgBackRest knows where the repository is."""
    wrapper = made.home / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec pgbackrest --config={made.config} "$@"\n')
    wrapper.chmod(0o755)
    return {"stanza": made.stanza, "command": str(wrapper)}


def configured(made: Repository) -> dict[str, Any]:
    return {"stanza": made.stanza, "config": str(made.config)}


def flip(file: Path, at: int = 300) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 0x10
    file.write_bytes(content)


def sums(result: dict[str, Any], key: str) -> int:
    return sum(part[key] for part in result["content"].values())


def codes(result: dict[str, Any]) -> set[str]:
    return {check["code"] for check in result["evidence"]["checks"] if check["ok"] is not True}


@pytest.mark.parametrize("how", [configured, wrapped], ids=["directly", "through-pgbackrest"])
def test_damage_is_found_and_named(whole: Repository, how: Callable[[Repository], dict[str, Any]]) -> None:
    found = run_module("pg_backup_verify", {**how(whole), "depth": "full"})
    assert found["verdict"] == "pass", found["msg"]
    assert sums(found, "read") == sums(found, "files") > 15
    segment = whole.wal(whole.archived()[-2])[0]
    flip(segment)
    flip(whole.repo / "backup" / whole.stanza / whole.label("F") / "backup.manifest.copy")
    found = run_module("pg_backup_verify", {**how(whole), "depth": "full"})
    assert (found["verdict"], codes(found)) == ("fail", {"CHECKSUM"})
    wal = next(part for name, part in found["content"].items() if name.startswith("wal_"))
    assert wal["corrupt"] == {"count": 1, "names": [str(segment.relative_to(whole.repo))]}
    backup = found["content"][f"backup_{whole.label('F')}"]
    assert backup["corrupt"]["names"] == [f"backup/{whole.stanza}/{whole.label('F')}/backup.manifest.copy"]


def test_what_was_proved_is_not_read_again(whole: Repository, tmp_path: Path) -> None:
    args = {**configured(whole), "depth": "checksums", "state": str(tmp_path / "memory"), "sample": 0.001}
    predicted = run_module("pg_backup_verify", args, True)
    assert (predicted["verdict"], (tmp_path / "memory").exists()) == ("pass", False)
    first = run_module("pg_backup_verify", args)
    again = run_module("pg_backup_verify", args)
    assert (first["verdict"], again["verdict"]) == ("pass", "pass")
    assert sums(first, "remembered") == 0
    assert sums(again, "read_bytes") == 0 < sums(first, "read_bytes")
    assert sums(again, "remembered") + sums(again, "read") == sums(again, "files")

    largest = max((whole.repo / "backup" / whole.stanza / whole.label("F")).rglob("*"), key=lambda path: path.stat().st_size)
    flip(largest)
    damaged = run_module("pg_backup_verify", args)
    assert (damaged["verdict"], codes(damaged)) == ("fail", {"CHECKSUM"})
    assert sums(damaged, "read_bytes") == largest.stat().st_size
    assert run_module("pg_backup_verify", args)["verdict"] == "fail", "what is damaged is not remembered as proved"
    assert sums(run_module("pg_backup_verify", {**args, "depth": "full"}), "remembered") == 0
    assert sums(run_module("pg_backup_verify", {**args, "sample": 100}), "remembered") == 0

    (tmp_path / "memory").write_bytes(b"{}")
    done = subprocess.run(command("pg_backup_verify", args), env=environment(), capture_output=True, text=True, check=False)
    assert "everything is read again" in done.stderr
    assert sums(parse(done.stdout), "remembered") == 0


def test_a_reading_that_runs_out_of_time_goes_on_where_it_ended(whole: Repository, tmp_path: Path) -> None:
    args = {**configured(whole), "depth": "checksums", "state": str(tmp_path / "memory"), "sample": 0.001}
    found = run_module("pg_backup_verify", {**args, "checksums_timeout": "PT0S"})
    assert (found["verdict"], codes(found)) == ("unknown", {"TOOL"})
    assert "goes on from here" in found["msg"]
    after = run_module("pg_backup_verify", args)
    assert after["verdict"] == "pass"
    assert sums(after, "remembered") > 0


@pytest.mark.parametrize("bundle", [False, True], ids=["files", "bundles"])
def test_an_encrypted_repository_is_read_through_pgbackrest(bundle: bool) -> None:
    with repository(bundle=bundle, more=ENCRYPTED) as made:
        args = {**configured(made), "depth": "full"}
        clean = run_module("pg_backup_verify", args)
        assert clean["verdict"] == "pass", clean["msg"]
        assert sums(clean, "read") == sums(clean, "files") > 15
        flip(made.wal(made.archived()[-2])[0], 600)
        found = run_module("pg_backup_verify", args)
        assert (found["verdict"], "CHECKSUM" in codes(found)) == ("fail", True), found["msg"]


SAMPLED = (
    "pgbackrest lz4 bundled",
    "pgbackrest gz",
    "basebackup plain",
    "basebackup sha",
    "basebackup lz4",
    "barman",
    "dump",
    "filestore folder",
)


def test_a_sample_of_all_damages_is_found() -> None:
    with home() as place:
        tallies, alarms = repository_damage.run(place, count=304, clean=16, ways=SAMPLED)
    assert sum(tally.cases for tally in tallies.values()) == 304
    assert {kind: tally.missed for kind, tally in tallies.items() if tally.missed} == {}
    assert sum(tally.harmless for tally in tallies.values()) < 100
    assert alarms == 0
