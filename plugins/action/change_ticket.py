# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""change_ticket: a ticket in another system is kept in step with the ledger. Documented in the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ticket as tickets
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.json_api import JsonApi, ToldError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ticket_file import FileTicket
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ticket_jira import Jira
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ticket_servicenow import ServiceNow
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, open_ledger, os_user

REMOTE = ("url", "token_file")
TICKET_SPEC: dict[str, Any] = {
    "system": {"type": "str", "choices": ["file", "servicenow", "jira"], "default": "file"},
    "path": {"type": "path"},
    "url": {"type": "str"},
    "user": {"type": "str"},
    "token_file": {"type": "path", "no_log": False},
    "ca_path": {"type": "path"},
    "timeout_s": {"type": "int", "default": 10},
    "states": {"type": "dict", "default": {}},
    "link": {"type": "str"},
}


class Ticket(Protocol):
    """What every system can do."""

    def shown(self) -> str | None:
        """The entry of the ledger that the ticket names."""

    def tell(self, step: tickets.Step) -> None:
        """Brings the ticket into this state."""


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        "change": {"type": "str", "required": True},
        "title": {"type": "str", "default": ""},
        "id": {"type": "str"},
        "ticket": {
            "type": "dict",
            "required": True,
            "options": TICKET_SPEC,
            "required_if": [("system", "file", ("path",)), ("system", "servicenow", REMOTE), ("system", "jira", REMOTE)],
        },
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        ledger, wanted, system = open_ledger(args), args["ticket"], args["ticket"]["system"]
        key = args["id"] or (args["change"] if system == "file" else "")
        events = ledger.events(args["change"])
        steps = tickets.history(events)
        if not steps or not key:
            why = "has no plan yet" if key else "names no ticket"
            return {"changed": False, "told": None, "msg": f"{args['change']} {why}, so there is nothing to tell."}
        try:
            wrote, problem = _tell(_opened(args, wanted, key), steps, check_mode=self._task.check_mode), ""
        except ToldError as exc:
            wrote, problem = False, str(exc)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:  # whatever a ticket system answers, the change goes on
            wrote, problem = False, f"its answer is not understood ({type(exc).__name__})"
        found = tickets.evidence(system, key, steps[-1], problem=problem)
        added = tickets.news(events, found)
        if added and not self._task.check_mode:
            ledger.append(args["change"], tickets.EVENT, actor=os_user(), at=utc_now(), evidence=found, once=False)
        return {
            "changed": wrote or added,
            "told": not problem,
            "state": steps[-1].state,
            "msg": _message(args["change"], f"{system} {key}", steps[-1], problem),
        }


def _message(change: str, ticket: str, step: tickets.Step, problem: str) -> str:
    says = f"that {change} is {step.state.replace('_', ' ')}"
    return f"{ticket} could not be told {says}: {problem}. The next stage tries again." if problem else f"{ticket} says {says}."


def _tell(ticket: Ticket, steps: list[tickets.Step], *, check_mode: bool) -> bool:
    """Tells what the ticket does not say yet; whether there was anything."""
    due = tickets.due(steps, ticket.shown())
    for step in [] if check_mode else due:
        ticket.tell(step)
    return bool(due)


def _opened(args: Mapping[str, Any], wanted: Mapping[str, Any], key: str) -> Ticket:
    system, change = wanted["system"], args["change"]
    try:
        ways = tickets.ways(system, wanted["states"])
    except ValueError as exc:
        raise ChangeError(f"change_ticket: {exc}.") from exc
    if why := tickets.key_error(system, key):
        raise ToldError(why)
    if system == "file":
        return FileTicket(Path(wanted["path"]), change=change, title=args["title"])
    given = {name: wanted[name] for name in ("token_file", "user", "timeout_s", "ca_path")}
    api = JsonApi(wanted["url"], **given)
    if system == "jira":
        return Jira(api, key, change=change, ways=ways, link=wanted["link"])
    return ServiceNow(api, key, change=change, ways=ways)
