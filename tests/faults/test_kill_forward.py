"""SIGKILL at many places of a good change, then the same command: the same end as without, nothing done twice."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.estate import QUICK, Estate
from tests.support.killing import COUNTING, TENANTS, Place, all_end, assert_closed, signed, strike, updates
from tests.support.starting import start_elsewhere

pytestmark = pytest.mark.lab

CHECKPOINT = "Checkpointed | Take a restore point"
TO_THE_END = [
    Place("after the approval", event="approved", unrecorded="acme:started"),
    Place("in the hold", ("Step | Act (held)", "Apply | route, cron"), after_s=0.2, unrecorded="acme:held"),
    Place("in the checkpoint", (CHECKPOINT,), after_s=1.0, unrecorded="acme:checkpointed"),
    Place("in the checkpoint but not its workers", (CHECKPOINT,), after_s=1.0, unrecorded="acme:checkpointed", alone=True),
    Place("in the update Job", ("Apply | update_job",), after_s=1.0, unrecorded="acme:updated"),
    Place("in the canary", ("Prove | Do the business transactions on both",), after_s=1.0, unrecorded="acme:proved"),
    Place("before users are let in", event="acme:opened", unrecorded="acme:released"),
    Place("as users are let in", ("Step | Act (released)", "Apply | cron, route"), after_s=0.1, unrecorded="acme:released"),
    Place("between the cohorts", event="acme:released", unrecorded="bravo:started"),
    Place("in the close", event="closed"),
]


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
