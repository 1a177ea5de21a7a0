# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shape of an answer: which keys of which type whoever reads it relies on. Written as JSON Schema, of which it uses four words.

A contract is broken by what takes something away from its readers: a key that is gone, another type. A key more breaks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TYPES: tuple[tuple[str, Any], ...] = (
    ("null", type(None)),
    ("boolean", bool),
    ("integer", int),
    ("number", float),
    ("string", str),
    ("array", (list, tuple)),
    ("object", Mapping),
)


def type_of(value: Any) -> str:
    return next((name for name, kind in TYPES if isinstance(value, kind)), "unknown")


def types_of(shape: Mapping[str, Any]) -> list[str]:
    given = shape.get("type", [])
    return [given] if isinstance(given, str) else list(given)


def shape_of(value: Any) -> dict[str, Any]:
    """The shape of one value, to be recorded as a contract."""
    kind = type_of(value)
    if kind == "object":
        return {"type": kind, "properties": {str(k): shape_of(v) for k, v in value.items()}, "required": sorted(map(str, value))}
    if kind == "array":
        return {"type": kind, "items": joined([shape_of(one) for one in value])} if value else {"type": kind}
    return {"type": kind}


def joined(shapes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The shape that all of these have: every type seen, and only the keys that are in each."""
    kinds = sorted({kind for shape in shapes for kind in types_of(shape)})
    found: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    objects = [shape for shape in shapes if "properties" in shape]
    if objects:
        keys = sorted({key for shape in objects for key in shape["properties"]})
        found["properties"] = {key: joined([s["properties"][key] for s in objects if key in s["properties"]]) for key in keys}
        found["required"] = [key for key in keys if all(key in shape["required"] for shape in objects)]
    items = [shape["items"] for shape in shapes if "items" in shape]
    if items:
        found["items"] = joined(items)
    return found


def wrong_shape(value: Any, shape: Mapping[str, Any], where: str = "the answer") -> str:
    """The first thing in which a value breaks the contract, or nothing."""
    if not shape:
        return f"no shape of {where} is recorded. Put into the file, under shape: {shape_of(value)}"
    kind, wanted = type_of(value), types_of(shape)
    fits = kind in wanted or (kind == "integer" and "number" in wanted)
    if wanted and not fits:
        return f"{where} is of type {kind}, the contract says {' or '.join(wanted)}"
    if kind == "object":
        gone = [key for key in shape.get("required", ()) if key not in value]
        if gone:
            return f"{where} has no {', '.join(map(repr, gone))} any more"
        inner = [(f"{where}.{k}", value[k], s) for k, s in shape.get("properties", {}).items() if k in value]
    else:
        inner = [(f"{where}[{k}]", one, shape["items"]) for k, one in enumerate(value)] if kind == "array" and "items" in shape else []
    return next((why for place, one, within in inner if (why := wrong_shape(one, within, place))), "")
