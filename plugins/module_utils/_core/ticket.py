# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a ticket in another system has to say of a change: its state, and the entry of the ledger that put it there.

The ledger is the truth; a ticket is told what is recorded, later or twice if need be, and nothing is ever decided by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

EVENT = "ticketed"
PLANNED, APPROVED, APPLYING, FAILED = "planned", "approved", "applying", "failed"
SUCCEEDED, ROLLED_BACK, STOPPED, ABANDONED = "succeeded", "rolled_back", "stopped", "abandoned"
STATES = (PLANNED, APPROVED, APPLYING, FAILED, SUCCEEDED, ROLLED_BACK, STOPPED, ABANDONED)
BEFORE_APPLYING = (PLANNED, APPROVED)
CLOSED = "3"

# Which of its own states each system goes through, in order, for a state of the change; none leaves its state alone.
WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "file": {},
    "servicenow": {
        PLANNED: ("-5",),
        APPROVED: ("-2",),
        APPLYING: ("-1",),
        FAILED: ("-1",),
        SUCCEEDED: ("0", CLOSED),
        ROLLED_BACK: ("0", CLOSED),
        STOPPED: ("0", CLOSED),
        ABANDONED: ("4",),
    },
    "jira": {
        PLANNED: ("To Do",),
        APPROVED: ("To Do",),
        APPLYING: ("In Progress",),
        FAILED: ("In Progress",),
        SUCCEEDED: ("Done",),
        ROLLED_BACK: ("Done",),
        STOPPED: ("Done",),
        ABANDONED: ("Done",),
    },
}
KEYS = {"servicenow": re.compile(r"[A-Z]{2,10}[0-9]{4,20}"), "jira": re.compile(r"[A-Z][A-Z0-9_]{0,30}-[0-9]{1,12}")}


class Recorded(Protocol):
    """An event of the ledger."""

    @property
    def seq(self) -> int: ...
    @property
    def event(self) -> str: ...
    @property
    def tenant(self) -> str | None: ...
    @property
    def at(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Step:
    """A state of the change, and the entry (its SHA-256, number and time) that put it there."""

    state: str
    entry: str
    seq: int
    at: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def history(events: Sequence[Recorded]) -> list[Step]:
    """The states that the change went through."""
    found: list[Step] = []
    for event in events:
        state = _next(found[-1].state if found else "", event)
        if state:
            found.append(Step(state, event.digest, event.seq, event.at))
    return found


def _next(state: str, event: Recorded) -> str:
    """The state that the event leads to; empty when it leads to none."""
    if event.tenant is None:
        if event.event == "closed":
            return _ended(event.evidence)
        if event.event == "planned" and state in ("", *BEFORE_APPLYING):
            return PLANNED
        return APPROVED if event.event == "approved" and state == PLANNED else ""
    if event.event == "started" and state in BEFORE_APPLYING:
        return APPLYING
    return FAILED if event.event == "failed" and state in (*BEFORE_APPLYING, APPLYING) else ""


def _ended(evidence: Mapping[str, Any]) -> str:
    result = evidence.get("result")
    if result in (SUCCEEDED, STOPPED, ABANDONED):
        return str(result)
    words = [str(word) for word in (evidence.get("tenants") or {}).values()]
    return ROLLED_BACK if "rolled back" in words and not any(word.startswith(FAILED) for word in words) else FAILED


def due(steps: Sequence[Step], shown: str | None) -> list[Step]:
    """What the ticket is not told yet; ``shown`` is the entry that it names. One that names none of them is told everything."""
    entries = [step.entry for step in steps]
    return list(steps[entries.index(shown) + 1 :] if shown in entries else steps)


def ways(system: str, given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The system's states for each state of the change, with what the estate has written instead; ValueError for an unknown one."""
    if strangers := sorted(set(given) - set(STATES)):
        raise ValueError(f"states holds {', '.join(strangers)}, wanted some of: {', '.join(STATES)}")
    return {**WAYS[system], **{state: _way(state, way) for state, way in given.items()}}


def _way(state: str, way: Any) -> tuple[str, ...]:
    found = way if isinstance(way, (list, tuple)) else [way]
    if any(isinstance(one, bool) or not isinstance(one, (str, int)) for one in found):
        raise ValueError(f"states.{state} is {way!r}, wanted a list of the ticket's states, such as [Done]")
    return tuple(str(one) for one in found)


def left_of(way: Sequence[str], now: str) -> tuple[str, ...]:
    """The part of the way that lies ahead of a ticket in this state."""
    return tuple(way[way.index(now) + 1 :] if now in way else way)


def key_error(system: str, key: str) -> str:
    """Why this cannot be the id of a ticket; empty when it can. It becomes part of an address and of a query."""
    form = KEYS.get(system)
    return "" if form is None or form.fullmatch(key) else f"the ticket is {key!r}, which is no id of {system}"


def sentence(change: str, step: Step) -> str:
    return f"{change} is {step.state.replace('_', ' ')} since {step.at} (ledger entry {step.seq}, sha256 {step.entry})"


# -- what the ledger keeps -------------------------------------------------------------------------------------------------
def evidence(system: str, key: str, step: Step, *, problem: str) -> dict[str, Any]:
    """Whether the ticket was told this state, or why not."""
    kept = {"schema": 1, "system": system, "ticket": key, "state": step.state, "entry": step.entry, "told": not problem}
    return {**kept, "problem": problem} if problem else kept


def news(events: Sequence[Recorded], found: Mapping[str, Any]) -> bool:
    """Whether the ledger does not say so already. That a ticket could not be told is said once for each state."""
    last = next((e.evidence for e in reversed(events) if e.event == EVENT and e.tenant is None), {})
    return any(last.get(key) != found[key] for key in ("system", "ticket", "state", "entry", "told"))
