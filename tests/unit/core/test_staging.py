"""What counts as having been in staging: the same image, proved there, and not too long ago."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.staging import Staged, staged, staging_check

NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.timezone.utc)
IMAGE, OTHER = "registry.lab/odoo@sha256:" + "a" * 64, "registry.lab/odoo@sha256:" + "b" * 64


def one(hours: float = 1, *, environment: str = "staging", image: str = IMAGE, passed: bool = True) -> Staged:
    return Staged("STG-2026-1", environment, image, NOW - dt.timedelta(hours=hours), passed)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        pytest.param([one()], "", id="passed"),
        pytest.param([one(environment="uat")], "", id="user-acceptance-counts"),
        pytest.param([one(24)], "", id="exactly-at-the-limit"),
        pytest.param([one(24.001)], "STAGING_STALE", id="too-long-ago"),
        pytest.param([one(-1)], "STAGING_STALE", id="from-the-future"),
        pytest.param([], "NOT_STAGED", id="never"),
        pytest.param([one(image=OTHER)], "NOT_STAGED", id="another-image"),
        pytest.param([one(environment="production")], "NOT_STAGED", id="production-is-no-staging"),
        pytest.param([one(environment="development")], "NOT_STAGED", id="development-is-none"),
        pytest.param([one(passed=False)], "STAGING_FAILED", id="failed"),
        pytest.param([one(2), one(1, passed=False)], "STAGING_FAILED", id="failed-after-it-passed"),
        pytest.param([one(2, passed=False), one(1)], "", id="mended"),
    ],
)
def test_staging(found: list[Staged], code: str) -> None:
    check = staging_check(found, image=IMAGE, max_age_s=86400, now=NOW)
    assert (check.code, check.ok) == (code, not code)


def event(name: str, at: str = "2026-12-05T18:00:00Z", **evidence: Any) -> Any:
    return SimpleNamespace(event=name, tenant=None, at=at, actor="ops-1", subject="", evidence=evidence)


PLANNED = event("planned", plan={"change": {"environment": "staging", "release": {"image": IMAGE}}})


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([event("drilled"), event("closed", result="succeeded")], None, id="no-change"),
        pytest.param([PLANNED], None, id="open"),
        pytest.param([PLANNED, event("verified", verdict="pass"), event("closed", result="succeeded")], True, id="succeeded"),
        pytest.param([PLANNED, event("closed", result="succeeded")], False, id="never-proved"),
        pytest.param([PLANNED, event("verified", verdict="pass"), event("closed", result="failed")], False, id="failed"),
    ],
)
def test_from_the_record(events: list[Any], wanted: bool | None) -> None:
    found = staged("STG-2026-1", events)
    assert (found.passed if found else None) is wanted
    assert found is None or (found.image, found.environment, found.at) == (IMAGE, "staging", NOW - dt.timedelta(hours=1))


WARN, REFUSE, GONE = {"acme.strict": "warn"}, {"acme.strict": "refuse"}, {"acme.strict": None}


@pytest.mark.parametrize(
    ("brought", "image", "wanted", "code"),
    [
        pytest.param((None, WARN), None, WARN, "", id="the-same-alone"),
        pytest.param((IMAGE, {**WARN, "acme.more": "1"}), None, WARN, "", id="beside-a-release-and-with-more"),
        pytest.param((None, WARN), None, REFUSE, "NOT_STAGED", id="another-value"),
        pytest.param((None, {}), None, GONE, "NOT_STAGED", id="not-named-is-not-absent"),
        pytest.param((None, GONE), None, GONE, "", id="absent"),
        pytest.param((IMAGE, WARN), IMAGE, WARN, "", id="with-its-release"),
        pytest.param((IMAGE, {}), IMAGE, WARN, "NOT_STAGED", id="its-release-without"),
        pytest.param((None, WARN), IMAGE, WARN, "NOT_STAGED", id="without-its-release"),
        pytest.param((OTHER, WARN), IMAGE, {}, "NOT_STAGED", id="another-release"),
    ],
)
def test_toggles_in_staging(brought: tuple[str | None, dict[str, Any]], image: str | None, wanted: dict[str, Any], code: str) -> None:
    there = Staged("STG-2026-1", "staging", brought[0], NOW - dt.timedelta(hours=1), True, brought[1])
    check = staging_check([there], image=image, toggles=wanted, max_age_s=86400, now=NOW)
    assert (check.code, check.ok) == (code, not code)


def test_toggles_from_the_record() -> None:
    change = {"environment": "uat", "toggles": [{"parameter": "acme.strict", "value": None}]}
    events = [event("planned", plan={"change": change}), event("verified", verdict="pass"), event("closed", result="succeeded")]
    found = staged("STG-2026-1", events)
    assert found is not None
    assert (found.image, found.toggles, found.passed) == (None, {"acme.strict": None}, True)
