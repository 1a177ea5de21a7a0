"""Which rehearsals count."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.rehearsed import due, judge_rehearsed, rehearsals

NOW = dt.datetime(2026, 11, 29, 6, tzinfo=dt.timezone.utc)
DAY = 86400


class Event(NamedTuple):
    seq: int
    event: str
    tenant: str
    at: str
    actor: str
    evidence: dict[str, Any]


def rehearsed(hours_ago: float, verdict: str = "pass", digest: str = "sha256:a", tenant: str = "acme", event: str = "rehearsed") -> Event:
    at = (NOW - dt.timedelta(hours=hours_ago)).isoformat()
    return Event(1, event, "", at, "ops-1", {"tenant": tenant, "verdict": verdict, "plan_digest": digest})


@pytest.mark.parametrize(
    ("events", "code"),
    [
        pytest.param([rehearsed(1)], None, id="passed"),
        pytest.param([rehearsed(24)], None, id="exactly-at-the-limit"),
        pytest.param([rehearsed(24.01)], "REHEARSAL_STALE", id="too-long-ago"),
        pytest.param([rehearsed(-0.1)], "REHEARSAL_STALE", id="in-the-future"),
        pytest.param([], "NOT_REHEARSED", id="never"),
        pytest.param([rehearsed(1, digest="sha256:b")], "NOT_REHEARSED", id="another-plan"),
        pytest.param([rehearsed(1, tenant="globex")], "NOT_REHEARSED", id="another-tenant"),
        pytest.param([rehearsed(1, event="drilled")], "NOT_REHEARSED", id="another-event"),
        pytest.param([rehearsed(1)._replace(evidence={"verdict": "pass"})], "NOT_REHEARSED", id="written-by-hand"),
        pytest.param([rehearsed(1, "fail"), rehearsed(2)], "REHEARSAL_FAILED", id="failed-after-one-that-passed"),
        pytest.param([rehearsed(2, "fail"), rehearsed(1)], None, id="passed-after-one-that-failed"),
        pytest.param([rehearsed(1, "unknown")], "REHEARSAL_FAILED", id="could-not-tell"),
    ],
)
def test_the_newest_of_this_plan_counts(events: list[Event], code: str | None) -> None:
    codes = due(rehearsals(events), digest="sha256:a", tenants=["acme"], max_age_s=DAY, now=NOW)
    assert codes == ({} if code is None else {"acme": code})
    check = judge_rehearsed(codes, tenants=["acme"], max_age_s=DAY)
    assert (check.ok, check.code) == ((True, "") if code is None else (False, code))


def test_the_worst_tenant_decides() -> None:
    events = [rehearsed(1), rehearsed(1, "fail", tenant="globex")]
    tenants = ["acme", "globex", "initech"]
    codes = due(rehearsals(events), digest="sha256:a", tenants=tenants, max_age_s=DAY, now=NOW)
    assert codes == {"globex": "REHEARSAL_FAILED", "initech": "NOT_REHEARSED"}
    assert judge_rehearsed(codes, tenants=tenants, max_age_s=DAY).code == "REHEARSAL_FAILED"
