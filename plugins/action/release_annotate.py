# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""release_annotate: monitoring is told when a change began and how it ended. Documented in the module of the same name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import annotation
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.annotate import tell_grafana, tell_pushgateway, tell_textfile
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.json_api import JsonApi
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, open_ledger

WEB_SPEC: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "user": {"type": "str"},
    "token_file": {"type": "path", "no_log": False},
    "ca_path": {"type": "path"},
    "timeout_s": {"type": "float", "default": 10.0},
}


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        "change": {"type": "str", "required": True},
        "title": {"type": "str", "default": ""},
        "grafana": {"type": "dict", "options": WEB_SPEC},
        "pushgateway": {"type": "dict", "options": WEB_SPEC},
        "textfile": {"type": "path"},
        "keep": {"type": "str", "default": "P30D"},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        try:
            keep_s = parse_duration(args["keep"])
            what = annotation.told(args["change"], args["title"], open_ledger(args).events(args["change"]))
        except (ValueError, ChangeError) as exc:
            return _result([], [f"{args['change']} could not be annotated: {exc}"], {})
        if what is None:
            told = f"{args['change']} has touched no tenant yet, so there is nothing to annotate."
            return {"changed": False, "told": [], "problems": [], "msg": told}
        wrote, problems = {}, []
        for name, tell in _ways(args, what, keep_s=keep_s, check_mode=self._task.check_mode).items():
            try:
                wrote[name] = tell()
            except ChangeError as exc:
                problems.append(f"{args['change']} could not be annotated, {name}: {str(exc).rstrip('.')}. The next stage tries again.")
            except Exception as exc:
                problems.append(f"{args['change']} could not be annotated, {name}: what came is not understood ({type(exc).__name__}).")
        return _result(sorted(wrote), problems, wrote)


def _result(told: list[str], problems: list[str], wrote: Mapping[str, bool]) -> dict[str, Any]:
    """Never failed: what could not be told is a warning."""
    msg = " ".join(problems) or f"{', '.join(told) or 'nobody'} knows how far the change is."
    return {"changed": any(wrote.values()), "told": told, "problems": problems, "msg": msg, **({"warnings": problems} if problems else {})}


def _ways(args: Mapping[str, Any], what: annotation.Told, *, keep_s: int, check_mode: bool) -> dict[str, Callable[[], bool]]:
    """Whom to tell, and how."""
    when: dict[str, Any] = {"now": utc_now(), "keep_s": keep_s, "check_mode": check_mode}

    def web(name: str) -> JsonApi:
        given = dict(args[name])
        return JsonApi(given.pop("url"), **given)

    ways: dict[str, Callable[[], bool]] = {
        "grafana": lambda: tell_grafana(web("grafana"), what, check_mode=check_mode),
        "pushgateway": lambda: tell_pushgateway(web("pushgateway"), what, **when),
        "textfile": lambda: tell_textfile(Path(args["textfile"]), what, **when),
    }
    return {name: tell for name, tell in ways.items() if args[name]}
