# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change request in ServiceNow, by its Table API. The entry of the ledger stands in the field correlation_id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ticket import CLOSED, SUCCEEDED, Step, left_of, sentence
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.json_api import JsonApi, ToldError

TABLE = "/api/now/table/change_request"
FIELDS = "sys_id,number,state,correlation_id"


class ServiceNow:
    """One change request."""

    def __init__(self, api: JsonApi, number: str, *, change: str, ways: Mapping[str, Sequence[str]]) -> None:
        self._api, self._number, self._change, self._ways = api, number, change, ways
        self._record: dict[str, Any] = {}

    def shown(self) -> str | None:
        query = {
            "sysparm_query": f"number={self._number}",
            "sysparm_fields": FIELDS,
            "sysparm_limit": "2",
            "sysparm_display_value": "false",
        }
        found = _result(self._api.ask("GET", TABLE, query=query), list)
        if len(found) != 1 or not isinstance(found[0], dict) or found[0].get("number") != self._number:
            raise ToldError(f"there are {len(found)} change requests {self._number}, wanted one")
        self._record = found[0]
        change, _slash, entry = str(self._record.get("correlation_id") or "").partition("/")
        if change not in ("", self._change):
            raise ToldError(f"{self._number} belongs to {change}. Write another ticket into the change file")
        return entry or None

    def tell(self, step: Step) -> None:
        way = left_of(self._ways.get(step.state, ()), str(self._record.get("state")))
        for state in way[:-1]:
            self._patch({"state": state})
        note = sentence(self._change, step)
        body = {"correlation_id": f"{self._change}/{step.entry}", "correlation_display": "odoo_ops.change_control", "work_notes": note}
        for state in way[-1:]:
            body["state"] = state
            if state == CLOSED:
                body |= {"close_code": "successful" if step.state == SUCCEEDED else "unsuccessful", "close_notes": note}
        self._patch(body)

    def _patch(self, body: Mapping[str, str]) -> None:
        """A rule of the instance may take a value back and still answer 200, so the answer is read."""
        path, query = f"{TABLE}/{self._record['sys_id']}", {"sysparm_fields": FIELDS, "sysparm_display_value": "false"}
        self._record = _result(self._api.ask("PATCH", path, query=query, body=body), dict)
        kept = {key: str(self._record.get(key)) for key in ("state", "correlation_id") if key in body}
        if wrong := [key for key, value in kept.items() if value != body[key]]:
            raise ToldError(f"{self._number} did not take {wrong[0]}: it is {kept[wrong[0]]!r}, wanted {body[wrong[0]]!r}")


def _result(document: Any, kind: type) -> Any:
    found = document.get("result") if isinstance(document, dict) else None
    if not isinstance(found, kind):
        raise ToldError("the answer holds no result. Check that url is the address of a ServiceNow instance")
    return found
