"""The demo says that it went as told only when the report says so, too."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.demo import GOOD, SLOW

CANARIES = {"acme"}


def report(**tenants: tuple[str, dict[str, str] | None]) -> dict[str, Any]:
    told = {name: {"result": result, "failure": failure} for name, (result, failure) in tenants.items()}
    return {"result": "succeeded", "ledger": {"verdict": "pass"}, "tenants": told}


SUCCEEDED = report(acme=("released", None), bravo=("released", None))
STOPPED = {
    **report(acme=("rolled back", {"step": "proved", "reason": "invoice.post is 40 % slower"}), bravo=("untouched", None)),
    "result": "failed",
}


def test_what_is_told_passes() -> None:
    assert GOOD.differences(SUCCEEDED, CANARIES) == []
    assert SLOW.differences(STOPPED, CANARIES) == []


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        pytest.param(["result"], "succeeded", "result is 'succeeded', wanted 'failed'", id="result"),
        pytest.param(["ledger", "verdict"], "unknown", "ledger is 'unknown', wanted 'pass'", id="ledger"),
        pytest.param(["tenants", "bravo", "result"], "rolled back", "bravo is 'rolled back', wanted 'untouched'", id="other-cohort"),
        pytest.param(["tenants", "acme", "result"], "failed, not rolled back", "acme is 'failed, not rolled back'", id="not-back"),
        pytest.param(["tenants", "acme", "failure", "step"], "updated", "failing step of acme is 'updated', wanted 'proved'", id="step"),
        pytest.param(["tenants", "acme", "failure", "reason"], "login failed", "reason of acme is 'login failed'", id="reason"),
        pytest.param(["tenants", "acme", "failure"], None, "failing step of acme is None", id="no-failure"),
    ],
)
def test_what_is_not_told_is_named(path: list[str], value: object, sentence: str) -> None:
    other = copy.deepcopy(STOPPED)
    inner = other
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert any(difference.startswith(sentence) for difference in SLOW.differences(other, CANARIES))


def test_a_report_without_the_canary_tenant_is_not_as_told() -> None:
    assert GOOD.differences(report(bravo=("released", None)), CANARIES) == ["canary tenants is None, wanted 'acme'"]
