# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How objects of AWX differ from the wanted ones, and what is to be sent. Pure: documents in, decisions out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .awx_kinds import Kind
from .objects import Difference, fingerprint

# What AWX shows instead of a secret that it has.
KEPT = "$encrypted$"


@dataclass(frozen=True)
class Target:
    """An object that another one refers to. ``id`` is None while it is not made yet, as in check mode."""

    name: str
    id: int | None

    def is_(self, other: int | None) -> bool:
        return self.id is not None and self.id == other


@dataclass(frozen=True)
class Node:
    """A node of a workflow, wanted or (with an id) live. Edges hold identifiers."""

    identifier: str
    target: Target | None
    approval: Mapping[str, Any] | None
    converge: bool
    extra_data: Mapping[str, Any]
    edges: Mapping[str, frozenset[str]]
    id: int | None = None
    approval_id: int | None = None


@dataclass(frozen=True)
class Wanted:
    """One object as it shall be; what a key says nothing about is None or absent, and left alone."""

    kind: Kind
    name: str
    fields: Mapping[str, Any]
    refs: Mapping[str, Target | None] = field(default_factory=dict)
    links: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    survey: Mapping[str, Any] | None = None
    nodes: tuple[Node, ...] | None = None
    listed: Sequence[Mapping[str, Any]] = ()

    def __str__(self) -> str:
        return f"{self.kind.endpoint} '{self.name}'"


@dataclass(frozen=True)
class Live:
    """The same object as AWX has it."""

    id: int
    document: Mapping[str, Any]
    links: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    survey: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()


def wanted_fields(kind: Kind, obj: Mapping[str, Any]) -> dict[str, Any]:
    """The plain fields as AWX will keep them: it trims texts."""
    return {name: obj[name].strip() if isinstance(obj[name], str) else obj[name] for name in kind.fields if name in obj}


# -- comparing -----------------------------------------------------------------------------------------------------------
def same(wanted: Any, live: Any, *, loose: bool = False, renew: bool = False) -> bool:
    """Whether a live value is the wanted one.

    ``loose``: keys that only the live mapping has do not count. A secret that AWX has cannot be compared: it counts as
    the wanted one unless ``renew``.
    """
    if live == KEPT:
        return not renew or wanted == KEPT
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        keys = wanted.keys() if loose else wanted.keys() | live.keys()
        return all(key in wanted and key in live and same(wanted[key], live[key], loose=loose, renew=renew) for key in keys)
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(same(a, b, loose=loose, renew=renew) for a, b in zip(wanted, live, strict=True))
    return bool(wanted == live) and isinstance(wanted, bool) == isinstance(live, bool)


def as_mapping(text: Any) -> Any:
    """Variables as the API carries them, as a mapping; what is no JSON stays as it is, and so differs from any mapping."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text) if text.strip() not in ("", "---") else {}
    except ValueError:
        return text


def differences(wanted: Wanted, live: Live | None, *, renew: bool = False) -> list[Difference]:
    """Everything that is not as wanted. The values of hidden fields are in it; :func:`shown` hides them."""
    found = _field_differences(wanted, live, renew=renew) + _ref_differences(wanted, live) + _link_differences(wanted, live)
    if wanted.survey is not None and (live is None or not same_survey(wanted.survey, live.survey)):
        found.append(Difference("survey_spec", dict(live.survey) if live and live.survey else None, dict(wanted.survey) or None))
    return [*found, *node_differences(wanted.nodes or (), live.nodes if live else ())] if wanted.nodes is not None else found


def _field_differences(wanted: Wanted, live: Live | None, *, renew: bool) -> list[Difference]:
    found = []
    for name, value in wanted.fields.items():
        before = live.document.get(name) if live else None
        before = as_mapping(before) if name in wanted.kind.texts else before
        if live is None or not same(value, before, loose=name in wanted.kind.completed, renew=renew):
            found.append(Difference(name, before, value))
    return found


def _ref_differences(wanted: Wanted, live: Live | None) -> list[Difference]:
    found = []
    for name, target in wanted.refs.items():
        if name == wanted.kind.lookup_only:
            continue
        before = live.document.get(name) if live else None
        if live is None or not (target.is_(before) if target else before is None):
            found.append(Difference(name, live_name(live.document, name) if live else None, target.name if target else None))
    return found


def live_name(document: Mapping[str, Any], name: str) -> Any:
    """The name of what a live reference leads to, its id where AWX does not tell the name."""
    summary = (document.get("summary_fields") or {}).get(name) or {}
    return summary.get("name", document.get(name))


def _link_differences(wanted: Wanted, live: Live | None) -> list[Difference]:
    found = []
    for name, targets in wanted.links.items():
        before = live.links.get(name, ()) if live else ()
        add, remove = link_changes(targets, before)
        if add or remove:
            found.append(Difference(name, sorted(t.name for t in before), sorted(t.name for t in targets)))
    return found


def link_changes(wanted: Sequence[Target], live: Sequence[Target]) -> tuple[list[Target], list[Target]]:
    """(to associate, to disassociate)."""
    ids = {target.id for target in wanted}
    return [t for t in wanted if not any(t.is_(other.id) for other in live)], [t for t in live if t.id not in ids]


def same_survey(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    return same(wanted, live, loose=True) if wanted else not live.get("spec")


def node_differences(wanted: Sequence[Node], live: Sequence[Node]) -> list[Difference]:
    before = {node.identifier: node for node in live}
    stay = {node.identifier for node in wanted}
    found = [Difference(f"workflow_nodes.{name}", _told(node), None) for name, node in before.items() if name not in stay]
    for node in wanted:
        if node.identifier not in before:
            found.append(Difference(f"workflow_nodes.{node.identifier}", None, _told(node)))
            continue
        is_now, shall_be = _told(before[node.identifier]), _told(node)
        paths = [key for key in shall_be if not _same_part(key, node, before[node.identifier])]
        found += [Difference(f"workflow_nodes.{node.identifier}.{key}", is_now[key], shall_be[key]) for key in paths]
    return found


def _told(node: Node) -> dict[str, Any]:
    return {
        "unified_job_template": node.target.name if node.target else None,
        "create_approval_template": dict(node.approval) if node.approval else None,
        "all_parents_must_converge": node.converge,
        "extra_data": dict(node.extra_data),
        **{way: sorted(names) for way, names in node.edges.items()},
    }


def _same_part(key: str, wanted: Node, live: Node) -> bool:
    if key == "unified_job_template":
        return wanted.target.is_(live.target.id if live.target else None) if wanted.target else live.target is None
    return bool(_told(wanted)[key] == _told(live)[key])


# -- what is sent --------------------------------------------------------------------------------------------------------
def body(wanted: Wanted, live: Live | None, found: Sequence[Difference]) -> dict[str, Any]:
    """The fields and references to send: all of a new object, the differing ones of one that is there."""
    names = {difference.path for difference in found}
    out: dict[str, Any] = {} if live else {"name": wanted.name}
    for name, value in wanted.fields.items():
        if live is None or name in names:
            out[name] = _sendable(wanted.kind, name, value, live)
    for name, target in wanted.refs.items():
        if name != wanted.kind.lookup_only and (live is None or name in names):
            out[name] = target.id if target else None
    return out


def _sendable(kind: Kind, name: str, value: Any, live: Live | None) -> Any:
    if name in kind.texts:
        return json.dumps(value, sort_keys=True)
    if live is not None and name in kind.completed:
        return completed(value, live.document.get(name))
    return value


def completed(wanted: Any, live: Any) -> Any:
    """The wanted values among those that AWX has beside them; AWX takes such a mapping as a whole."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return {**live, **{key: completed(value, live.get(key)) for key, value in wanted.items()}}
    return wanted


# -- what is shown -------------------------------------------------------------------------------------------------------
def shown(wanted: Wanted, found: Sequence[Difference], *, salt: str) -> dict[str, Any]:
    """The entry of ``--diff`` for one object."""

    def side(which: str) -> dict[str, Any]:
        values = {d.path: getattr(d, which) for d in found if getattr(d, which) is not None}
        return {path: masked(value, salt=salt) if path in wanted.kind.hidden else value for path, value in values.items()}

    return {"before_header": str(wanted), "after_header": str(wanted), "before": side("before"), "after": side("after")}


def masked(value: Any, *, salt: str) -> Any:
    """The same shape with fingerprints for values; what AWX hides stays as AWX shows it."""
    if isinstance(value, Mapping):
        return {key: masked(inner, salt=salt) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, salt=salt) for inner in value]
    return value if value in (None, KEPT) else fingerprint(value, salt=salt)


def secrets_of(wanted: Wanted) -> list[str]:
    """The texts below hidden fields, which no message may hold."""

    def texts(value: Any) -> list[str]:
        if isinstance(value, Mapping):
            return [text for inner in value.values() for text in texts(inner)]
        if isinstance(value, list):
            return [text for inner in value for text in texts(inner)]
        return [str(value)] if value not in (None, "") and not isinstance(value, bool) else []

    return [text for name in wanted.kind.hidden for text in texts(wanted.fields.get(name))]
