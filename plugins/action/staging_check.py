# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""staging_check: the same image passed in staging before. Documented in the module of the same name."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.staging import Staged, staged, staging_check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, Ledger, open_ledger

TOGGLE: dict[str, dict[str, Any]] = {"parameter": {"type": "str", "required": True}, "value": {"type": "str"}}


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        **GATE_SPEC,
        "image": {"type": "str"},
        "toggles": {"type": "list", "elements": "dict", "options": TOGGLE, "default": []},
        "max_age": {"type": "str", "default": "P30D"},
    }
    RULES: ClassVar[dict[str, Any]] = {"required_one_of": [["image", "toggles"]]}

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now = utc_now()
        try:
            max_age_s = parse_duration(args["max_age"])
        except ValueError as exc:
            raise ChangeError(f"option max_age: {exc}") from exc
        what = {"image": args["image"], "toggles": {one["parameter"]: one["value"] for one in args["toggles"]}}
        check = staging_check(_closed(open_ledger(args), **what), **what, max_age_s=max_age_s, now=now)
        return gate_result("staging", [check], at=now, enforce=args["enforce"])


def _closed(ledger: Ledger, image: str | None, toggles: dict[str, str | None]) -> list[Staged]:
    """The closed changes of the ledger, each record proved. Those that do not bear an entry ``closed`` are not opened."""
    names = {key.partition("/")[0] for key in ledger.store.list("") if key.endswith("-closed.json")}
    found = (staged(name, ledger.events(name)) for name in sorted(names))
    return [one for one in found if one and one.brought(image, toggles)]
