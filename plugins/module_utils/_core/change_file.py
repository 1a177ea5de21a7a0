# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with a change file, said in words of what to write instead.

The structure is judged by the JSON Schema in ``meta/schemas/change.schema.json``; a :class:`Violation` carries what the
schema validator found. What a schema cannot say (times, people, tenants) is judged by :func:`judge_change`.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.kinds import kind_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.toggles import errors as toggle_errors


@dataclass(frozen=True)
class Violation:
    """One finding of the schema validator: where, which rule, what the rule wants, what stands there."""

    path: Sequence[str | int]
    rule: str
    wanted: Any
    seen: Any
    schema: Mapping[str, Any]


TYPE_NAMES = {
    "string": "a text in quotes",
    "array": "a list",
    "object": "a mapping",
    "integer": "a whole number",
    "boolean": "true or false",
}


def explain(violation: Violation, *, root: str = "change") -> list[str]:
    """The violation as sentences: one for each missing or unknown key, one otherwise. ``root`` is what the file is called."""
    where = ".".join([root, *(str(p) for p in violation.path)])
    wanted, seen = violation.wanted, violation.seen
    if violation.rule == "required":
        return [f"{where}.{key} is missing. Write {_example(violation.schema, key)}." for key in wanted if key not in seen]
    if violation.rule == "additionalProperties":
        known = list(violation.schema.get("properties", {}))
        return [f"{where}.{key} is not a known key. {_suggest(key, known)}" for key in seen if key not in known]
    if violation.rule == "type":
        told = repr(seen) if violation.path or not seen else kind_of(seen)  # another file altogether, whose text is nobody's business
        names = [str(TYPE_NAMES.get(name, name)) for name in ([wanted] if isinstance(wanted, str) else wanted)]
        return [f"{where} is {told}. Write {' or '.join(names)}."]
    if violation.rule == "enum":
        return [f"{where} is {seen!r}. Write one of: {', '.join(map(str, wanted))}."]
    if violation.rule == "minItems":
        return [f"{where} is empty. Write at least one entry."]
    if violation.rule == "uniqueItems":
        return [f"{where} names an entry twice: {seen!r}. Write each once."]
    described = violation.schema.get("description")
    return [f"{where} is {seen!r}. Write {described}." if described else f"{where} is {seen!r}, which breaks {violation.rule}: {wanted}."]


def _example(schema: Mapping[str, Any], key: str) -> str:
    spec = schema.get("properties", {}).get(key, {})
    if "enum" in spec:
        return f"one of: {', '.join(spec['enum'])}"
    return str(spec.get("description") or TYPE_NAMES.get(str(spec.get("type")), "a value"))


def _suggest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known keys: {', '.join(known)}."


def judge_change(change: Mapping[str, Any], *, tenants: Sequence[str], unmatched: Sequence[str], now: dt.datetime | None) -> list[str]:
    """Errors that only the meaning of a change file shows. Parts that the schema refused are passed over here.

    ``tenants`` are the inventory hosts its pattern gave, ``unmatched`` the terms of the pattern that gave none.
    ``now`` is None for a change that has begun: its window is not asked then.
    """
    errors = [
        f"change.tenants names {term!r}, which is no host and no group of the inventory. Write an inventory pattern of tenants."
        for term in unmatched
    ]
    if isinstance(change.get("tenants"), str) and not tenants and not unmatched:
        errors.append(f"change.tenants is {change['tenants']!r}, which matches no tenant of the inventory. Pass the inventory with -i.")
    streams = change.get("streams")
    if isinstance(streams, list) and len(streams) > 1 and not change.get("bundle_justification"):
        errors.append(
            f"change.streams bundles {', '.join(map(str, streams))}. "
            "Split the change, or say in change.bundle_justification why they belong together."
        )
    if change:
        errors += toggle_errors(change)
    window = change.get("window")
    if now and isinstance(window, Mapping) and {"start", "duration"} <= window.keys():
        errors += _window_errors(window, now)
    return errors


def pattern_terms(pattern: str) -> list[str]:
    """The terms of an inventory pattern that must each match something: without exclusions and intersections."""
    return [term for term in (t.strip() for t in re.split(r"[,:]", pattern)) if term and not term.startswith(("!", "&"))]


def _window_errors(window: Mapping[str, Any], now: dt.datetime) -> list[str]:
    errors = []
    for key, parse in (("start", parse_instant), ("duration", parse_duration)):
        try:
            parse(window[key])
        except ValueError as exc:
            errors.append(f"change.window.{key} is {window[key]!r}: {exc}.")
    if errors:
        return errors
    if parse_duration(window["duration"]) <= 0:
        return [f"change.window.duration is {window['duration']!r}. Write how long the change may take, such as PT2H."]
    end = window_end(window)
    if end <= now:
        return [f"change.window ended at {rfc3339(end)}, and it is {rfc3339(now)}. Write a window that is not over."]
    return []


def window_end(window: Mapping[str, Any]) -> dt.datetime:
    """The instant at which the change's window ends (exclusive)."""
    return parse_instant(window["start"]) + dt.timedelta(seconds=parse_duration(window["duration"]))
