"""F4: a window opens during a run, at every mutation of change_normal.

./dev python -m tests.faults.window_opens --name LAB [--tenants acme:bravo] [--from acme:held]

For each step of each tenant that is guarded by the calendars: a freeze is written into the calendar file in the instant before
the guard is asked. The change must stop right there, the tenant must be brought back to what it was, earlier cohorts must keep
what they got, later ones must stay untouched; and one that was stopped before its tenant was touched must go on afterwards.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.lab.site import Site
from tests.support.estate import QUICK, Estate, freeze
from tests.support.estate_fixtures import tenant_state
from tests.support.starting import GOOD

STEPS = ("started", "held", "checkpointed", "updated", "deployed", "proved", "opened")
"""All but ``released``: when users are let in already it is too late to go back, and the guard lets it finish."""
RULE = "freeze of today"
RELEASES = (*GOOD, "6")
"""Whatever two tenants run, one of these is new to both."""
CALLBACKS = Path(__file__).resolve().parents[1] / "support" / "callbacks"


def opens_at(estate: Estate, change_id: str, place: str, *, tenants: str) -> list[str]:
    """Runs a change to the place, opens the window there, and returns what was not as it should be."""
    name, _colon, step = place.partition(":")
    release = next(r for r in RELEASES if all(estate.releases[r]["image"] not in estate.images(t).values() for t in tenants.split(":")))
    before = {t: tenant_state(estate, t) for t in tenants.split(":")}
    calendars = estate.calendars(change_id)
    own = estate.root / "own" / change_id
    frozen = estate.write_own(change_id, "frozen.yml", [freeze(RULE)])
    change = estate.change(change_id, release, tenants=tenants, **QUICK)
    command = estate.change_command(change, *calendars)
    estate.run(command, f"{change_id}-plan")
    estate.sign(change_id)
    env = {
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "at_guard",
        "AT_GUARD": place,
        "AT_GUARD_PUT": f"{frozen}:{own / 'calendar.yml'}",
    }
    code, out = estate.run(command, change_id, env=env)
    assert "at_guard: " in out, f"{place}: the run never came there:\n{out[-4000:]}"
    wrong = [] if code else ["the run did not fail"]
    wrong += stopped_there(estate, change_id, name, step)
    names = tenants.split(":")
    for other in names[names.index(name) :]:
        wrong += [] if tenant_state(estate, other) == before[other] else [f"{other} is not as it was"]
    wrong += [f"{t} was not released" for t in names[: names.index(name)] if f"{t}:released" not in estate.steps(change_id)]
    if step == STEPS[0] and not wrong:
        estate.calendars(change_id)
        code, out = estate.run(command, f"{change_id}-again")
        wrong += [] if code == 0 else [f"after the freeze it does not go on: {out[-2000:]}"]
    return wrong


def stopped_there(estate: Estate, change_id: str, name: str, step: str) -> list[str]:
    """What the record says of the tenant, held against: all steps before this one, then the way back."""
    mine = [s.split(":")[1] for s in estate.steps(change_id) if s.startswith(f"{name}:")]
    done = list(STEPS[: STEPS.index(step)])
    wanted = [*done, "failed", "rolled_back"] if done else []
    if mine != wanted:
        return [f"recorded {mine}, wanted {wanted}"]
    failed: list[dict[str, Any]] = [e["evidence"] for e in estate.events(change_id) if e["event"] == "failed"]
    return [f"the reason is {f['reason']!r}" for f in failed if RULE not in f["reason"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="a lab that is up")
    parser.add_argument("--tenants", default="acme:bravo", help="tenants of different cohorts, in their order")
    parser.add_argument("--from", dest="first", default="", help="begin with this place")
    options = parser.parse_args()
    estate = Estate(Site.named(options.name))
    estate.prove_backups()
    places = [f"{name}:{step}" for name in options.tenants.split(":") for step in STEPS]
    bad = 0
    for number, place in enumerate(places):
        if options.first and places.index(options.first) > number:
            continue
        change_id, began = f"OPEN-2026-{int(time.time())}", time.monotonic()
        wrong = opens_at(estate, change_id, place, tenants=options.tenants)
        bad += bool(wrong)
        print(f"{place:<22}{time.monotonic() - began:7.1f} s  {'; '.join(wrong) or 'stopped there, as it should'}", flush=True)
    print(f"F4: a window opened at {len(places)} mutations, {bad} of them not stopped as they should")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
