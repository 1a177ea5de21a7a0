"""Whether a real cluster would still be back in time, as large as it is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.lab.customers import admin_dsn
from tests.lab.site import Site
from tests.support.ansible import run_module

pytestmark = pytest.mark.lab
PARTS = ["postgres"]


@pytest.fixture(scope="module")
def cluster(site: Site) -> dict[str, Any]:
    return dict(site.facts("postgres")["clusters"]["shared"])


@pytest.fixture(scope="module")
def size(cluster: dict[str, Any]) -> int:
    with psycopg.connect(admin_dsn(cluster)) as db:
        row = db.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchone()
    assert row is not None
    return int(row[0])


def check(cluster: dict[str, Any], **more: Any) -> dict[str, Any]:
    where = {
        "host": cluster["host"],
        "port": cluster["port"],
        "login_user": cluster["admin_user"],
        "login_password": cluster["admin_password"],
    }
    return run_module("recovery_check", {"stanza": "shared", "max_rto": "PT1H", **where, "enforce": False, **more})


@pytest.mark.parametrize(
    ("rto_s", "times", "verdict"),
    [
        pytest.param(60, 1.0, "pass", id="as-large-as-then"),
        pytest.param(60, 0.01, "fail", id="a-hundred-times-as-large"),
        pytest.param(3599, 9.0, "pass", id="smaller"),
    ],
)
def test_a_cluster_is_held_against_its_drill(cluster: dict[str, Any], size: int, rto_s: float, times: float, verdict: str) -> None:
    found = check(cluster, last_drill={"rto_s": rto_s, "database_bytes": int(size * times)})
    assert (found["verdict"], found["changed"]) == (verdict, False), found["msg"]
    assert found["database_bytes"] == pytest.approx(size, rel=0.2)
    assert [c["code"] for c in found["evidence"]["checks"] if not c["ok"]] == ([] if verdict == "pass" else ["RTO_GROWN"])


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param({}, "RTO", id="never-drilled"),
        pytest.param({"last_drill": {"rto_s": 60}}, "RTO", id="a-drill-that-did-not-tell"),
        pytest.param({"last_drill": {"rto_s": 60, "database_bytes": 1}, "login_password": "wrong"}, "POSTGRES_UNREACHABLE", id="no-answer"),
    ],
)
def test_what_cannot_be_told_does_not_pass(cluster: dict[str, Any], more: dict[str, Any], code: str) -> None:
    found = check(cluster, **more)
    assert (found["verdict"], found["evidence"]["checks"][0]["code"]) == ("unknown", code)
    assert check(cluster, **more, enforce=True)["failed"] is True


def test_a_limit_that_is_no_duration(cluster: dict[str, Any]) -> None:
    assert "option max_rto" in check(cluster, max_rto="soon")["msg"]
