"""What changes how many can work at once has to be proved by as many users."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.demand import Decided, load_errors


@pytest.mark.parametrize(
    ("given", "wanted", "refused"),
    [
        pytest.param({}, 1, False, id="nothing-asked"),
        pytest.param({}, 4, True, id="asked-and-not-said"),
        pytest.param({"concurrency": 3}, 4, True, id="too-few"),
        pytest.param({"concurrency": 4}, 4, False, id="enough"),
        pytest.param({"concurrency": 8}, 1, False, id="more-than-asked"),
    ],
)
def test_load(given: dict[str, Any], wanted: int, refused: bool) -> None:
    decided = Decided("normal", (), ("config",), (), {}, None, None, concurrency=wanted)
    found = load_errors({"verification": {"transactions": ["login"], **given}}, decided)
    assert bool(found) is refused
    if refused:
        assert f"Write at least {wanted}" in found[0]
