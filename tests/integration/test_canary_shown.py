"""What a canary shows: its chart, and what it says while it runs on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ansible import run_module
from tests.support.fake_odoo import ACCOUNT, canary, serving


@pytest.fixture(scope="module")
def old() -> Iterator[str]:
    with serving(0.02) as url:
        yield url


@pytest.fixture(scope="module")
def slow() -> Iterator[str]:
    with serving(0.04) as url:
        yield url


def test_the_chart_is_written_whole_and_holds_no_secret(old: str, slow: str, tmp_path: Path) -> None:
    file = tmp_path / "canary.html"
    found = run_module("odoo_canary", canary(old, slow, chart=str(file)))
    assert (found["verdict"], found["failed"]) == ("fail", True), found["msg"]
    page = file.read_text()
    assert "login: fail (SLOWER)" in page and "Canary of tenant acme, CHG-2026-0142" in page
    assert found["sentence"] in page
    assert [path.name for path in tmp_path.iterdir()] == ["canary.html"]
    assert not any(ACCOUNT[name] in page for name in ("password", "api_key"))
    assert len(json.dumps(found["figures"])) < 5000


def test_in_check_mode_there_is_no_chart(old: str, slow: str, tmp_path: Path) -> None:
    found = run_module("odoo_canary", canary(old, slow, chart=str(tmp_path / "canary.html")), check=True)
    assert (found["verdict"], found["failed"], found["stopped"]) == ("unknown", False, "check_mode")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["nowhere/canary.html", "."])
def test_a_chart_that_cannot_be_written_is_refused_before_anything_is_done(tmp_path: Path, name: str) -> None:
    gone = "http://127.0.0.1:9"
    found = run_module("odoo_canary", canary(gone, gone, chart=str(tmp_path / name), ready_timeout_s=0.2))
    assert found["failed"]
    assert "tenant acme: chart: " in found["msg"] and "director" in found["msg"], found["msg"]
