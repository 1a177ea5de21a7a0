# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps that bring the nodes of a workflow from what is there to what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .awx_graph import in_making_order
from .awx_kinds import EDGES
from .awx_objects import Node


@dataclass(frozen=True)
class Step:
    """``make`` (under ``parent`` by ``way``, or as a root), ``update``, ``approve`` (make or update what a node waits for),
    ``link`` and ``unlink`` (``parent`` to ``identifier`` by ``way``), ``remove``."""

    do: Literal["make", "update", "approve", "link", "unlink", "remove"]
    identifier: str
    parent: str = ""
    way: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


def node_steps(wanted: Sequence[Node], live: Sequence[Node], listed: Sequence[Mapping[str, Any]]) -> list[Step]:
    """Removals first, so that no step meets a circle; new nodes below their parents, so that none ever starts by itself.

    ``listed`` are the wanted nodes as they were given, for the order in which they are made.
    """
    before = {node.identifier: node for node in live}
    after = {node.identifier: node for node in wanted}
    steps = [Step("remove", name) for name in before if name not in after]
    steps += _edge_steps("unlink", [node for node in live if node.identifier in after], after)
    linked: set[tuple[str, str, str]] = set()
    for name, parent, way in in_making_order(listed):
        if name not in before:
            steps.append(Step("make", name, parent, way, _body(after[name])))
            linked.add((parent, way, name))
        elif changed := {key: value for key, value in _body(after[name]).items() if _body(before[name]).get(key) != value}:
            steps.append(Step("update", name, body=changed))
        steps += _approval_step(after[name], before.get(name))
    return steps + [s for s in _edge_steps("link", wanted, before) if (s.parent, s.way, s.identifier) not in linked]


def _body(node: Node) -> dict[str, Any]:
    out: dict[str, Any] = {"all_parents_must_converge": node.converge, "extra_data": dict(node.extra_data)}
    # the template of an approval is made by a call of its own
    return out if node.approval else {**out, "unified_job_template": node.target.id if node.target else None}


def _approval_step(wanted: Node, live: Node | None) -> list[Step]:
    if not wanted.approval or (live and live.approval == wanted.approval):
        return []
    return [Step("approve", wanted.identifier, body=dict(wanted.approval))]


def _edge_steps(do: Literal["link", "unlink"], nodes: Sequence[Node], others: Mapping[str, Node]) -> list[Step]:
    """The edges of ``nodes`` that ``others`` do not have."""
    steps = []
    for node in nodes:
        for way in EDGES:
            known = others[node.identifier].edges[way] if node.identifier in others else frozenset()
            names = sorted(node.edges[way] - known)
            steps += [Step(do, child, node.identifier, way) for child in names if do == "link" or child in others]
    return steps
