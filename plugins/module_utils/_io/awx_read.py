# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads objects of AWX as the deciders want them: references found by name, links, surveys and the nodes of workflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_kinds import EDGES, TEMPLATES, Kind
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_objects import Live, Node, Target, Wanted, wanted_fields
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.awx_api import Awx, AwxError

APPROVAL = "/workflow_approval_templates/"
NODES = "workflow_job_template_nodes/"
NO_APPROVAL = {"name": "", "description": "", "timeout": 0}


class Names:
    """Finds what a name means: an object of this run, else one that AWX has."""

    def __init__(self, awx: Awx) -> None:
        self.awx = awx
        # (endpoint, name) of the objects of this run -> id, None for one that is not made (check mode)
        self.own: dict[tuple[str, str], int | None] = {}
        self._found: dict[tuple[str, str, int | None], int] = {}

    def target(self, endpoint: str, name: str, organization: int | None) -> Target:
        name = name.strip()
        for end in TEMPLATES if endpoint == "unified_job_templates" else (endpoint,):
            if (end, name) in self.own:
                return Target(name, self.own[end, name])
        key = (endpoint, name, organization)
        if key not in self._found:
            self._found[key] = self._ask(endpoint, name, organization)
        return Target(name, self._found[key])

    def _ask(self, endpoint: str, name: str, organization: int | None) -> int:
        found = self.awx.all(f"{endpoint}/", {"name": name})
        if len(found) > 1:
            found = [one for one in found if one.get("organization") == organization]
        if len(found) != 1:
            seen = "several have this name" if found else "there is none"
            raise AwxError(
                f"it names '{name}' of the {endpoint}, and {seen} in AWX. Create or rename it first, or correct the name.",
                code="NO_SUCH_NAME",
            )
        return int(found[0]["id"])


def wanted(kind: Kind, obj: Mapping[str, Any], names: Names) -> Wanted:
    """The object with its names resolved. AwxError for a name that leads nowhere."""
    home = names.target("organizations", obj["organization"], None).id if obj.get("organization") else None
    refs = {key: names.target(to, obj[key], home) if obj[key] else None for key, to in kind.refs.items() if key in obj}
    links = {key: tuple(names.target(to, name, home) for name in obj[key] or ()) for key, to in kind.links.items() if key in obj}
    listed = obj.get("workflow_nodes") or ()
    nodes = tuple(_wanted_node(node, names, home) for node in listed) if "workflow_nodes" in obj else None
    survey = (obj["survey_spec"] or {}) if "survey_spec" in obj else None
    return Wanted(kind, obj["name"].strip(), wanted_fields(kind, obj), refs, links, survey, nodes, listed)


def _wanted_node(node: Mapping[str, Any], names: Names, home: int | None) -> Node:
    work = node.get("unified_job_template")
    approval = node.get("create_approval_template")
    return Node(
        identifier=node["identifier"],
        target=names.target("unified_job_templates", work, home) if work else None,
        approval={**NO_APPROVAL, **approval} if approval else None,
        converge=bool(node.get("all_parents_must_converge", False)),
        extra_data=node.get("extra_data") or {},
        edges={way: frozenset(node.get(way) or ()) for way in EDGES},
    )


def find(awx: Awx, want: Wanted) -> dict[str, Any] | None:
    """The object of this name within its scope, or None. A scope that is not made yet holds nothing."""
    scope = {key: want.refs[key] for key in want.kind.scope}
    if any(target is None or target.id is None for target in scope.values()):
        return None
    query = {"name": want.name, **{key: target.id for key, target in scope.items() if target}}
    found = awx.all(f"{want.kind.endpoint}/", query)
    if len(found) > 1:
        raise AwxError(f"AWX has {len(found)} of this name. Rename or remove all but one.", code="AMBIGUOUS")
    return found[0] if found else None


def read(awx: Awx, want: Wanted) -> Live | None:
    """The object as AWX has it, as far as something is wanted of it."""
    document = find(awx, want)
    if document is None:
        return None
    at = f"{want.kind.endpoint}/{document['id']}/"
    links = {key: tuple(Target(one["name"], int(one["id"])) for one in awx.all(f"{at}{key}/")) for key in want.links}
    survey = awx.get(f"{at}survey_spec/") if want.survey is not None else {}
    nodes = tuple(read_nodes(awx, int(document["id"]))) if want.nodes is not None else ()
    return Live(int(document["id"]), document, links, survey, nodes)


def read_nodes(awx: Awx, workflow: int) -> list[Node]:
    documents = awx.all(NODES, {"workflow_job_template": workflow})
    names = {int(doc["id"]): str(doc["identifier"]) for doc in documents}
    return [_live_node(awx, doc, names) for doc in documents]


def _live_node(awx: Awx, doc: Mapping[str, Any], names: Mapping[int, str]) -> Node:
    work = doc.get("unified_job_template")
    address = str((doc.get("related") or {}).get("unified_job_template") or "")
    approval = awx.get(address) if APPROVAL in address else None
    told = str(((doc.get("summary_fields") or {}).get("unified_job_template") or {}).get("name", work))
    return Node(
        identifier=str(doc["identifier"]),
        target=Target(told, int(work)) if work and not approval else None,
        approval={key: approval.get(key) or empty for key, empty in NO_APPROVAL.items()} if approval else None,
        converge=bool(doc.get("all_parents_must_converge")),
        extra_data=doc.get("extra_data") or {},
        edges={way: frozenset(_known(doc.get(way) or (), names)) for way in EDGES},
        id=int(doc["id"]),
        approval_id=int(approval["id"]) if approval else None,
    )


def _known(ids: Sequence[int], names: Mapping[int, str]) -> list[str]:
    return [names[one] for one in ids if one in names]
