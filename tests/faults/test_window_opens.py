"""F4 at one place, where most has to be brought back. All of them: ./dev python -m tests.faults.window_opens"""

from __future__ import annotations

import pytest

from tests.faults.window_opens import opens_at
from tests.support.estate import Estate

pytestmark = pytest.mark.lab


def test_a_window_that_opens_during_a_run_stops_it_and_brings_the_tenant_back(estate: Estate, change_id: str) -> None:
    assert opens_at(estate, change_id, "acme:opened", tenants="acme:bravo") == []
