# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which controls of a standard a record shows at work. The standards are data: meta/controls.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

SHOWN, PARTLY, NOT_SHOWN = "shown", "partly", "not shown"
RECORD = "record"
"""Pseudo event: the proved record as a whole."""


class Recorded(Protocol):
    """An event of the ledger."""

    @property
    def seq(self) -> int: ...
    @property
    def event(self) -> str: ...


def map_controls(frameworks: Sequence[Mapping[str, Any]], events: Sequence[Recorded], *, intact: bool) -> list[dict[str, Any]]:
    """For each control the entries that show it. ``shown``: each kind of event that the control names is there; ``partly``: some
    are. An entry of a record that is not intact shows nothing."""
    seqs: dict[str, list[int]] = {}
    for event in events if intact else ():
        seqs.setdefault(event.event, []).append(event.seq)
    if seqs:
        seqs[RECORD] = []
    return [
        {"id": one["id"], "title": one["title"], "controls": [_control(control, seqs) for control in one["controls"]]} for one in frameworks
    ]


def _control(control: Mapping[str, Any], seqs: Mapping[str, list[int]]) -> dict[str, Any]:
    wanted = control["events"]
    there = [name for name in wanted if name in seqs]
    state = SHOWN if len(there) == len(wanted) else PARTLY if there else NOT_SHOWN
    return {
        "id": control["id"],
        "title": control["title"],
        "how": control["how"],
        "state": state,
        "entries": sorted(seq for name in there for seq in seqs[name]),
        "missing": [name for name in wanted if name not in seqs],
    }
