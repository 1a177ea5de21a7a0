"""What odoo_canary compares with, and what it keeps for later: the old release beside it, the tenant's record, or nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible import run_module
from tests.support.fake_odoo import canary, serving

GONE = "http://127.0.0.1:9"
FAST, SLOW = 0.02, 0.08


@pytest.fixture(scope="module")
def fast() -> Iterator[str]:
    with serving(FAST) as url:
        yield url


@pytest.fixture(scope="module")
def slow() -> Iterator[str]:
    with serving(SLOW) as url:
        yield url


def recorded(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "acme.json").read_text())["runs"])


def measured_before(folder: Path, url: str, runs: int = 4) -> None:
    """As if the canary had been there on as many days before: its own first run, dated back."""
    found = run_module("odoo_canary", canary(url, url, record=str(folder), change="CHG-2026-0001"))
    assert (found["verdict"], found["msg"]) == ("pass", found["msg"])
    file = folder / "acme.json"
    document = json.loads(file.read_text())
    (first,) = document["runs"]
    now = dt.datetime.now(dt.timezone.utc)
    document["runs"] = [
        {**first, "change": f"CHG-2026-{n:04d}", "measured_at": (now - dt.timedelta(days=9 - n)).isoformat(timespec="seconds")}
        for n in range(runs)
    ]
    for n, one in enumerate(document["runs"]):
        one["steps"] = {step: [s * (1 + n / 500) for s in samples] for step, samples in first["steps"].items()}
    file.chmod(0o600)
    file.write_text(json.dumps(document))


def against_record(folder: Path, url: str, **more: Any) -> dict[str, Any]:
    options = canary(GONE, url, mode="record", record=str(folder), tolerance=2, **more)
    del options["baseline"]
    return run_module("odoo_canary", options)


def test_a_canary_that_compares_says_so_and_keeps_the_better_side(fast: str, slow: str, tmp_path: Path) -> None:
    options = canary(fast, fast, record=str(tmp_path))
    options["baseline"]["release"], options["canary"]["release"] = "old", "new"
    found = run_module("odoo_canary", options)
    assert found["verdict"] == "pass", found["msg"]
    assert found["baseline"] == found["evidence"]["baseline"]
    assert (found["baseline"]["kind"], found["baseline"]["release"], found["baseline"]["samples"]) == ("fresh", "old", found["rounds"])
    (kept,) = recorded(tmp_path)
    assert (kept["release"], kept["change"], len(kept["steps"]["login"])) == ("new", "CHG-2026-0142", found["rounds"])
    worse = run_module("odoo_canary", {**options, "change": "CHG-2026-0143", "canary": {"url": slow, "release": "newer"}})
    assert worse["verdict"] == "fail"
    assert [one["release"] for one in recorded(tmp_path)] == ["new", "old"], "what failed is no baseline for anybody"


def test_the_record_lets_the_same_through_and_stops_a_slower_one(fast: str, slow: str, tmp_path: Path) -> None:
    measured_before(tmp_path, fast)
    worse = against_record(tmp_path, slow, change="CHG-2026-0143")
    assert (worse["verdict"], worse["evidence"]["checks"][0]["code"]) == ("fail", "SLOWER")
    assert len(recorded(tmp_path)) == 4, "what failed is no baseline for anybody"
    found = against_record(tmp_path, fast)
    assert found["verdict"] == "pass", found["msg"]
    assert found["baseline"]["kind"] == "record" and found["baseline"]["runs"] == 4
    assert 1 < found["figures"]["login"]["path"]["allowance"] < 1.1
    assert len(recorded(tmp_path)) == 5, "what passed against the record belongs to it"


def test_without_a_record_nothing_is_done_and_it_says_how_to_get_one(tmp_path: Path) -> None:
    found = against_record(tmp_path, GONE, enforce=False)
    (check,) = found["evidence"]["checks"]
    assert (found["verdict"], found["failed"], check["code"], found["stopped"]) == ("unknown", False, "NO_RECORD", "error")
    assert "Give the option record to the canary of each change" in found["msg"]
    assert found["baseline"] == {"kind": "record", "release": "", "measured_at": None, "samples": 0, "runs": 0}
    assert list(tmp_path.glob("*.json")) == []


def test_days_that_differ_stop_it_before_anything_is_done(fast: str, tmp_path: Path) -> None:
    measured_before(tmp_path, fast)
    file = tmp_path / "acme.json"
    document = json.loads(file.read_text())
    document["runs"][0]["steps"]["login"] = [s * 2 for s in document["runs"][0]["steps"]["login"]]
    file.write_text(json.dumps(document))
    found = against_record(tmp_path, GONE)
    (check,) = found["evidence"]["checks"]
    assert (found["verdict"], found["failed"], check["code"]) == ("unknown", True, "RECORD_SCATTERS")
    assert "Give a tolerance of" in found["msg"]


def test_a_smoke_has_no_baseline_and_keeps_nothing(fast: str, tmp_path: Path) -> None:
    options = canary(GONE, fast, mode="smoke", record=str(tmp_path))
    found = run_module("odoo_canary", options)
    assert (found["verdict"], found["baseline"]["kind"]) == ("pass", "none")
    assert list(tmp_path.iterdir()) == []


def test_check_mode_reads_and_writes_nothing(tmp_path: Path) -> None:
    found = run_module("odoo_canary", canary(GONE, GONE, record=str(tmp_path)), check=True)
    assert (found["verdict"], found["failed"], found["baseline"]["kind"]) == ("unknown", False, "none")
    assert list(tmp_path.iterdir()) == []


def test_check_mode_says_that_a_record_is_not_enough(fast: str, tmp_path: Path) -> None:
    found = run_module("odoo_canary", canary(GONE, GONE, mode="record", record=str(tmp_path)), check=True)
    assert (found["verdict"], found["failed"], found["stopped"]) == ("unknown", True, "error")
    measured_before(tmp_path, fast)
    found = run_module("odoo_canary", canary(GONE, GONE, mode="record", record=str(tmp_path), tolerance=1.5), check=True)
    assert (found["verdict"], found["failed"], found["stopped"]) == ("unknown", False, "check_mode")


def test_bad_places_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    found = run_module("odoo_canary", canary(GONE, GONE, record=str(tmp_path / "nowhere"), ready_timeout_s=0.2))
    assert found["failed"] and "no directory in which this user may write" in found["msg"]
    options = canary(GONE, GONE, mode="record", ready_timeout_s=0.2)
    assert "record" in run_module("odoo_canary", options)["msg"]
