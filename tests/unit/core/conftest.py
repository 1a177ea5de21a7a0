"""What the tables of the change's deciders start from."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

IMAGE = "registry.lab/odoo@sha256:" + "a" * 64
TARGET = "registry.lab/odoo@sha256:" + "b" * 64
CHANGE: dict[str, Any] = {
    "id": "CHG-2026-0142",
    "title": "Billing module 19.0.2",
    "class": "normal",
    "domain": "application",
    "streams": ["code"],
    "environment": "production",
    "requester": "ops-1",
    "owner": "ops-1",
    "tenants": "multi_tenant",
    "impact": "Invoice posting of all shared tenants",
    "release": {"image": TARGET, "modules": ["acme_billing"]},
    "rollback": {"strategy": "previous_image", "point_of_no_return": "schema_contract"},
    "verification": {"transactions": ["login", "invoice", "timesheet"], "soak_s": 300},
    "window": {"start": "2026-12-05T20:00:00+01:00", "duration": "PT2H"},
    "waivers": [],
}
POLICY = {"approvals": 1, "gate_max_age": "PT4H", "tolerance": 1.2}


@pytest.fixture
def change() -> dict[str, Any]:
    return deepcopy(CHANGE)


@pytest.fixture
def policy() -> dict[str, Any]:
    return dict(POLICY)
