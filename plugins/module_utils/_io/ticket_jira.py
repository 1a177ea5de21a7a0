# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An issue in Jira, by its REST API of version 2. The entry of the ledger stands in a remote link of the issue. The link has an id of
ours, so telling it twice leaves one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ticket import Step, left_of, sentence
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.json_api import JsonApi, ToldError

ISSUE = "/rest/api/2/issue/"


class Jira:
    """One issue."""

    def __init__(self, api: JsonApi, key: str, *, change: str, ways: Mapping[str, Sequence[str]], link: str | None) -> None:
        self._api, self._path, self._change, self._ways = api, ISSUE + quote(key, safe=""), change, ways
        self._link = link or f"{api.url}/browse/{key}"
        self._id = f"system=odoo_ops.change_control&id={change}"

    def shown(self) -> str | None:
        self._status()  # an issue that is not there has no links either, and must not be taken for a new one
        try:
            found = self._api.ask("GET", f"{self._path}/remotelink", query={"globalId": self._id})
        except ToldError as exc:
            if exc.status == 404:
                return None
            raise
        summary = str(_at(found, "object").get("summary") or "")
        return summary.rpartition("sha256 ")[2].rstrip(")") or None

    def tell(self, step: Step) -> None:
        for target in left_of(self._ways.get(step.state, ()), self._status()):
            self._go_to(target)
        told = {"url": self._link, "title": f"{self._change}: {step.state.replace('_', ' ')}", "summary": sentence(self._change, step)}
        self._api.ask("POST", f"{self._path}/remotelink", body={"globalId": self._id, "relationship": "change record", "object": told})

    def _go_to(self, target: str) -> None:
        offered = _at(self._api.ask("GET", f"{self._path}/transitions"), "transitions", list)
        by_target = {str(_at(one, "to").get("name")): str(one.get("id")) for one in offered}
        if target not in by_target:
            raise ToldError(f"no transition leads to {target!r}, only to: {', '.join(sorted(by_target)) or 'nothing'}")
        self._api.ask("POST", f"{self._path}/transitions", body={"transition": {"id": by_target[target]}})
        if (seen := self._status()) != target:
            raise ToldError(f"the issue did not take the status {target!r}: it is {seen!r}")

    def _status(self) -> str:
        found = self._api.ask("GET", self._path, query={"fields": "status"})
        return str(_at(_at(found, "fields"), "status").get("name"))


def _at(document: Any, key: str, kind: type = dict) -> Any:
    found = document.get(key) if isinstance(document, dict) else None
    if not isinstance(found, kind):
        raise ToldError(f"the answer holds no {key}. Check that url is the address of Jira")
    return found
