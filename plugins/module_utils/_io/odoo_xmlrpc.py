# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Odoo's XML-RPC as text: what is sent, and what came back. It is deprecated in 19 and goes in a later release; JSON-2 begins with 19."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Mapping, Sequence
from typing import Any

# Before 19 these arguments had other names, or were counted: their place is the same in all releases.
PLACES = {
    "create": ("vals_list",),
    "write": ("vals",),
    "read": ("fields",),
    "search": ("domain",),
    "search_count": ("domain",),
    "search_read": ("domain", "fields"),
    "load": ("fields", "data"),
}
ON_MODEL = {"create", "search", "search_count", "search_read", "load", "fields_get", "read_group", "formatted_read_group", "name_search"}
"""Methods that take no ids."""
NOTHING = "cannot marshal None"  # what Odoo says after it has done, and committed, a method that gives nothing

ACCESS_ERROR = 4  # Odoo's number for what the user may not do


class FaultError(Exception):
    """Odoo's own error, in its words. ``denied``: the user lacks the right."""

    def __init__(self, words: str, *, denied: bool) -> None:
        super().__init__(words)
        self.denied = denied


def request(method: str, params: Sequence[Any]) -> bytes:
    return xmlrpc.client.dumps(tuple(params), method, allow_none=True).encode()


def execute(who: tuple[str, int, str], model: str, method: str, ids: Sequence[int], kwargs: Mapping[str, Any]) -> bytes:
    """The text of ``execute_kw``: with ids first where there are any, and the arguments that have a place at theirs."""
    rest = dict(kwargs)
    args: list[Any] = [] if method in ON_MODEL and not ids else [list(ids)]
    for name in PLACES.get(method, ()):
        if name not in rest:
            break
        args.append(rest.pop(name))
    return request("execute_kw", [*who, model, method, args, rest])


def answer(text: bytes) -> Any:
    """The value of a response; FaultError when it is one; ValueError when it is no XML-RPC."""
    try:
        values, _method = xmlrpc.client.loads(text, use_builtin_types=True)
    except xmlrpc.client.Fault as exc:
        if NOTHING in str(exc.faultString):
            return None
        words = str(exc.faultString or "no words").strip().splitlines()
        raise FaultError(words[-1], denied=exc.faultCode == ACCESS_ERROR) from None
    except Exception as exc:  # expat's errors and those of the values have no common base
        raise ValueError(f"{type(exc).__name__}: no XML-RPC") from exc
    return values[0] if values else None
