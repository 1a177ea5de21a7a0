"""SIGKILL at many places of a change, then the same command: the same end as without, nothing done twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.support.estate import QUICK, Estate
from tests.support.killing import Place, all_end, kill_at
from tests.support.starting import start_elsewhere

pytestmark = pytest.mark.lab

# A release whose migration leaves a row each time it runs
COUNTING = "6"
# Of two cohorts
TENANTS = ["acme", "bravo"]
CHECKPOINT = "Checkpointed | Take a restore point"
RESTORE = "Rollback data | Restore database and filestore from the checkpoint"
TO_THE_END = [
    Place("after the approval", event="approved", unrecorded="acme:started"),
    Place("in the hold", ("Step | Act (held)", "Apply | route, cron"), after_s=0.3, unrecorded="acme:held"),
    Place("in the checkpoint", (CHECKPOINT,), after_s=1.5, unrecorded="acme:checkpointed"),
    Place("in the checkpoint but not its workers", (CHECKPOINT,), after_s=1.5, unrecorded="acme:checkpointed", alone=True),
    Place("in the update Job", ("Apply | update_job",), after_s=1.5, unrecorded="acme:updated"),
    Place("in the canary", ("Prove | Do the business transactions on both",), after_s=1.0, unrecorded="acme:proved"),
    Place("before users are let in", event="acme:opened", unrecorded="acme:released"),
    Place("as users are let in", ("Step | Act (released)", "Apply | cron, route"), after_s=0.5, unrecorded="acme:released"),
    Place("between the cohorts", event="acme:released", unrecorded="bravo:started"),
    Place("in the close", event="closed"),
]
BACK = [
    Place("as it fails", event="acme:failed", unrecorded="acme:rolled_back"),
    Place("in the restore", (RESTORE,), after_s=2.0, unrecorded="acme:rolled_back"),
    Place("in the restore but not its workers", (RESTORE,), after_s=2.0, unrecorded="acme:rolled_back", alone=True),
    Place("after the restore", ("Rollback | Bring the previous image back",), after_s=0.5, unrecorded="acme:rolled_back"),
    Place("before it is closed", event="acme:rolled_back", unrecorded="closed"),
]


def strike(estate: Estate, command: Sequence[str], change_id: str, places: Sequence[Place]) -> None:
    """Kills the command at each place in turn."""
    struck = [place.name for place in places if kill_at(estate, command, change_id, place)]
    assert struck == [place.name for place in places]


def signed(estate: Estate, change: dict[str, Any]) -> list[str]:
    """The command of a change that is planned and signed."""
    stage(estate, change, "plan")
    estate.sign(change["id"])
    return estate.change_command(change)


def stage(estate: Estate, change: dict[str, Any], name: str) -> None:
    code, out = estate.run(estate.change_command(change, playbook=f"change_{name}"), f"{change['id']}-{name}")
    assert code == 0, out[-4000:]


def updates(estate: Estate, name: str) -> int:
    """How often the migration of release 6 ran in the tenant's database, all committed."""
    if estate.sql(name, "SELECT to_regclass('acme_update_log')") == [(None,)]:
        return 0
    return int(estate.sql(name, "SELECT count(*) FROM acme_update_log")[0][0])


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


def test_a_good_change_killed_at_every_step_comes_to_the_same_end(estate: Estate, change_id: str) -> None:
    start_elsewhere(estate, change_id, COUNTING, tenants=":".join(TENANTS))
    updated = {name: updates(estate, name) for name in TENANTS}
    change = estate.change(change_id, COUNTING, tenants=":".join(TENANTS), **QUICK)
    command = estate.change_command(change)
    strike(estate, command, change_id, [Place("after the plan", event="planned", unrecorded="gated")])
    command = signed(estate, change)
    strike(estate, command, change_id, TO_THE_END)
    assert not estate.report(change_id).exists(), "struck before the report was written"
    code, out = estate.run(command, change_id)
    assert code == 0, out[-6000:]
    all_end([place.log(change_id) for place in TO_THE_END])
    counted = Counter(step for step in estate.steps(change_id) if ":" in step)
    wanted = [f"{name}:{step}" for name in TENANTS for step in estate.planned(change_id)["plan"]["steps"]]
    assert counted == Counter(wanted), "every step of every tenant is recorded once"
    assert {name: updates(estate, name) for name in TENANTS} == {name: n + 1 for name, n in updated.items()}, "updated once"
    assert {image for name in TENANTS for image in estate.images(name).values()} == {change["release"]["image"]}
    assert_closed(estate, change_id, "succeeded")


def assert_closed(estate: Estate, change_id: str, result: str) -> None:
    report = json.loads(estate.report(change_id).read_text())
    assert (report["result"], report["ledger"]["verdict"]) == (result, "pass")
    assert estate.steps(change_id).count("closed") == 1
