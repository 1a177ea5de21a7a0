# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with a set of wanted objects, told as a whole before anything is sent."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from .awx_graph import graph_problems
from .awx_kinds import KINDS, TEMPLATES, Kind
from .awx_rrule import rrule_example, rrule_problems
from .awx_survey import survey_problems


def problems(objects: Mapping[str, Any]) -> list[str]:
    """Every fault, each with the object that has it."""
    found = [f"{name} is no kind of object{_meant(name, KINDS)}" for name in objects if name not in KINDS]
    for endpoint, kind in KINDS.items():
        listed = objects.get(endpoint, [])
        if not isinstance(listed, list):
            found.append(f"{endpoint} is {type(listed).__name__}, wanted a list")
            continue
        for number, obj in enumerate(listed, start=1):
            found += _object_problems(kind, number, obj)
    return found or _ambiguities(objects)


def _object_problems(kind: Kind, number: int, obj: Any) -> list[str]:
    if not isinstance(obj, Mapping) or not isinstance(obj.get("name"), str) or not obj["name"].strip():
        return [f"{kind.endpoint} {number} has no name"]
    found = [f"has no field {key} in AWX{_meant(key, kind.keys)}" for key in sorted(obj.keys() - kind.keys)]
    found += [f"lacks {key}" for key in kind.required if obj.get(key) in (None, "")]
    found += [f"{key} is {obj[key]!r}, wanted the name of one of the {to}" for key, to in kind.refs.items() if _no_ref(obj.get(key))]
    found += [f"{key} is no list of names" for key in kind.links if _no_links(obj.get(key))]
    found += [f"{key} is no mapping" for key in kind.texts if not isinstance(obj.get(key, {}), Mapping)]
    if isinstance(rule := obj.get("rrule"), str):
        found += [f"rrule: {reason}. Write it such as {rrule_example()}" for reason in rrule_problems(rule)]
    if obj.get("survey_spec"):
        found += [f"survey_spec: {reason}" for reason in survey_problems(obj["survey_spec"])]
    if kind.nodes and "workflow_nodes" in obj:
        found += graph_problems(obj["workflow_nodes"])
    return [f"{kind.endpoint} '{obj['name']}': {reason}" for reason in found]


def _no_ref(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and value)


def _no_links(value: Any) -> bool:
    return value is not None and not (isinstance(value, list) and all(isinstance(one, str) and one for one in value))


def _meant(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f". Did you mean {near[0]}?" if near else ""


def _ambiguities(objects: Mapping[str, Any]) -> list[str]:
    """Objects given twice, and references that could mean several of the given ones."""
    found = []
    counts: Counter[tuple[str, str]] = Counter()
    for endpoint, kind in KINDS.items():
        listed = objects.get(endpoint) or []
        identities = Counter((obj["name"].strip(), *(str(obj.get(ref)) for ref in kind.scope)) for obj in listed)
        found += [f"{endpoint} '{identity[0]}' is given twice" for identity, times in identities.items() if times > 1]
        counts.update((endpoint, obj["name"].strip()) for obj in listed)
    for endpoint, name, at in _references(objects):
        ends = TEMPLATES if endpoint == "unified_job_templates" else (endpoint,)
        if sum(counts[end, name] for end in ends) > 1:
            found.append(f"{at} names '{name}', and several of the given objects have this name")
    return found


def _references(objects: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(endpoint, name, where it stands) of all references."""
    found = []
    for endpoint, kind in KINDS.items():
        for obj in objects.get(endpoint) or []:
            at = f"{endpoint} '{obj['name']}': "
            found += [(to, obj[key], at + key) for key, to in kind.refs.items() if obj.get(key)]
            found += [(to, name, at + key) for key, to in kind.links.items() for name in obj.get(key) or []]
            nodes = [node for node in obj.get("workflow_nodes") or [] if node.get("unified_job_template")]
            found += [("unified_job_templates", node["unified_job_template"], f"{at}node {node['identifier']}") for node in nodes]
    return found
