# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The graph of a workflow: what AWX refuses in it, and in which order its nodes can be made so that none ever starts by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .awx_kinds import EDGES

_KEYS = {"identifier", "unified_job_template", "create_approval_template", "all_parents_must_converge", "extra_data", *EDGES}
_APPROVAL_KEYS = {"name", "description", "timeout"}


def graph_problems(nodes: Any) -> list[str]:
    """Reasons, empty when AWX takes the nodes."""
    if not isinstance(nodes, Sequence) or isinstance(nodes, str) or not nodes:
        return ["workflow_nodes holds no node"]
    unnamed = [n for n, node in enumerate(nodes, 1) if not isinstance(node, Mapping) or not _text(node.get("identifier"))]
    if unnamed:
        return [f"node {n} has no identifier" for n in unnamed]
    names = [node["identifier"] for node in nodes]
    found = [f"node {name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for node in nodes:
        found += [f"node {node['identifier']}: {reason}" for reason in _node_problems(node, set(names))]
    if not found and (circle := cycle(nodes)):
        found.append(f"the nodes run in a circle: {' -> '.join(circle)}")
    return found


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _node_problems(node: Mapping[str, Any], names: set[str]) -> list[str]:
    found = [f"{key} is no key of a node; known are {', '.join(sorted(_KEYS))}" for key in sorted(node.keys() - _KEYS)]
    work = [key for key in ("unified_job_template", "create_approval_template") if node.get(key)]
    if len(work) != 1:
        found.append("it needs either unified_job_template or create_approval_template")
    found += _approval_problems(node.get("create_approval_template"))
    ways: dict[str, list[str]] = {}
    for way in EDGES:
        for child in node.get(way) or []:
            ways.setdefault(child, []).append(way)
    found += [f"{way[0]} names {child}, which is no node of this workflow" for child, way in ways.items() if child not in names]
    found += [f"{child} is in {' and '.join(way)}; AWX allows one of them" for child, way in ways.items() if len(way) > 1]
    return found


def _approval_problems(approval: Any) -> list[str]:
    if approval is None:
        return []
    if not isinstance(approval, Mapping) or not _text(approval.get("name")):
        return ["create_approval_template needs a name"]
    found = [f"create_approval_template has no key {key}" for key in sorted(approval.keys() - _APPROVAL_KEYS)]
    timeout = approval.get("timeout", 0)
    if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 0:
        found.append(f"the approval's timeout is {timeout!r}, wanted whole seconds, 0 for none")
    return found


def children(node: Mapping[str, Any]) -> list[str]:
    return [child for way in EDGES for child in node.get(way) or []]


def cycle(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Identifiers along a circle, the first one repeated at the end; empty when there is none."""
    ways = {node["identifier"]: children(node) for node in nodes}
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for child in ways[name]:
            if circle := walk(child, [*path, name]):
                return circle
        done.add(name)
        return []

    return next((circle for name in ways if (circle := walk(name, []))), [])


def in_making_order(nodes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """(identifier, parent, relation) of each node, parents first; the first parent made is the one it is made under.

    A node made without a parent would start with the workflow, so only true roots come without one (``""``).
    """
    by_name = {node["identifier"]: node for node in nodes}
    with_parents = {child for node in nodes for child in children(node)}
    order = [(name, "", "") for name in by_name if name not in with_parents]
    reached = {name for name, _parent, _way in order}
    for name, _parent, _way in order:  # grows while it is walked
        for way in EDGES:
            for child in by_name[name].get(way) or []:
                if child not in reached:
                    reached.add(child)
                    order.append((child, name, way))
    return order
