"""pg_backup_verify and restore_drill against the repositories that the lab's clusters have in S3."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.lab.site import Site
from tests.support.ansible import run_module

pytestmark = pytest.mark.lab

PARTS = ["s3", "postgres"]


@pytest.mark.parametrize("name", ["shared", "dedicated"])
def test_the_labs_clusters(site: Site, scratch: Path, name: str) -> None:
    cluster = site.facts("postgres")["clusters"][name]
    tool = {"stanza": cluster["stanza"], "command": cluster["pgbackrest"]}
    found = run_module("pg_backup_verify", {**tool, "depth": "checksums"})
    assert found["verdict"] == "pass", found["msg"]
    drilled = run_module("restore_drill", {**tool, "scratch": str(scratch), "max_rto": "PT5M"})
    assert drilled["verdict"] == "pass", drilled["msg"]


def test_s3_that_refuses(site: Site, tmp_path: Path) -> None:
    """A wrong key: one message, soon, and without the key."""
    given = Path(site.facts("postgres")["clusters"]["shared"]["config"]).read_text()
    lines = ["repo1-s3-key-secret=not-the-secret" if line.startswith("repo1-s3-key-secret") else line for line in given.splitlines()]
    wrong = tmp_path / "pgbackrest.conf"
    wrong.write_text("\n".join(lines) + "\n")
    began = time.monotonic()
    found = run_module("pg_backup_verify", {"stanza": "shared", "config": str(wrong)})
    assert time.monotonic() - began < 90
    assert (found["verdict"], found["failed"]) == ("unknown", True)
    assert "403 (Forbidden)" in found["msg"]
    assert "not-the-secret" not in str(found)


def test_s3_that_does_not_answer(site: Site, tmp_path: Path) -> None:
    given = Path(site.facts("postgres")["clusters"]["shared"]["config"]).read_text()
    wrong = tmp_path / "pgbackrest.conf"
    wrong.write_text(given.replace(site.facts("s3")["host"], "localhost:9"))
    began = time.monotonic()
    found = run_module("pg_backup_verify", {"stanza": "shared", "config": str(wrong), "timeout": "PT3S"})
    assert time.monotonic() - began < 30
    assert found["verdict"] == "unknown"
    assert "no answer within 3 s" in found["msg"]
