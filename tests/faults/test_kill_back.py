"""SIGKILL in and before a rollback, then the same command, or the rollback by hand: everything is as before the change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.estate import QUICK, Estate
from tests.support.killing import COUNTING, TENANTS, Place, all_end, assert_closed, signed, stage, strike, updates
from tests.support.starting import start_elsewhere

pytestmark = pytest.mark.lab

RESTORE = "Rollback data | Restore database and filestore from the checkpoint"
BACK = [
    Place("as it fails", event="acme:failed", unrecorded="acme:rolled_back"),
    Place("in the restore", (RESTORE,), after_s=1.0, unrecorded="acme:rolled_back"),
    Place("in the restore but not its workers", (RESTORE,), after_s=1.0, unrecorded="acme:rolled_back", alone=True),
    Place("after the restore", ("Rollback release | Bring the previous image back",), after_s=0.2, unrecorded="acme:rolled_back"),
    Place("before it is closed", event="acme:rolled_back", unrecorded="closed"),
]


def test_a_change_killed_when_it_is_updated_is_brought_back_by_hand(
    estate: Estate, change_id: str, state: Callable[[], dict[str, Any]]
) -> None:
    start_elsewhere(estate, change_id, COUNTING, tenants="acme")
    before, updated = state(), updates(estate, "acme")
    change = estate.change(change_id, COUNTING, tenants="acme", **QUICK)
    signed(estate, change)
    stage(estate, change, "approve")
    apply = estate.change_command(change, playbook="change_apply")
    strike(estate, apply, change_id, [Place("when it is updated", event="acme:updated", unrecorded="acme:deployed")])
    assert updates(estate, "acme") == updated + 1, "there must be something to bring back"
    _code, out = estate.run(estate.change_command(change, playbook="change_rollback"), f"{change_id}-rollback")
    assert estate.steps(change_id)[-3:] == ["acme:failed", "acme:rolled_back", "closed"], out[-4000:]
    assert state() == before
    assert_closed(estate, change_id, "failed")


def test_a_rollback_killed_at_every_step_comes_to_the_same_end(estate: Estate, change_id: str, state: Callable[[], dict[str, Any]]) -> None:
    before = state()
    command = signed(estate, estate.change(change_id, "5", tenants=":".join(TENANTS)))
    strike(estate, command, change_id, BACK)
    assert not estate.report(change_id).exists()
    code, out = estate.run(command, change_id)
    assert code != 0
    all_end([place.log(change_id) for place in BACK])
    assert state() == before
    assert Counter(estate.steps(change_id))["acme:rolled_back"] == 1, out[-4000:]
    assert_closed(estate, change_id, "failed")
