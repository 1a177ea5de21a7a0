# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""blackout_check: may the whole planned duration run for every tenant touched? Documented in the module of the same name."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from ansible.errors import AnsibleError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_decide import Question, blocking_rows, checks, decide
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.calendar_model import CLASSES, DOMAINS, ENVIRONMENTS, Scope
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import CalendarError, read_calendars
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_holidays import preload
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction

preload()


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **GATE_SPEC,
        "at": {"type": "str"},
        "duration": {"type": "str", "default": "PT0S"},
        "tenants": {"type": "list", "elements": "str", "required": True},
        "scope": {
            "type": "dict",
            "default": {},
            "options": {
                "environment": {"type": "str", "choices": list(ENVIRONMENTS)},
                "domain": {"type": "str", "choices": list(DOMAINS)},
                "class": {"type": "str", "choices": list(CLASSES)},
            },
        },
        "horizon_days": {"type": "int", "default": 90},
        "calendars": {"type": "list", "elements": "raw", "required": True},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now = utc_now()
        question = _question(args, now)
        subject = ", ".join(question.tenants) if len(question.tenants) <= 3 else f"{len(question.tenants)} tenants"
        try:
            answer = decide(read_calendars(args["calendars"], self._find), question)
        except CalendarError as exc:
            blind = unknown("calendars", str(exc).rstrip("."), hint="An unreadable calendar allows nothing.", code="CALENDAR_ERROR")
            nothing = {"allowed": False, "blocking": [], "next_start": None, "next_start_reason": "the calendars cannot be read"}
            return gate_result(subject, [blind], at=now, enforce=args["enforce"], **nothing)
        return gate_result(
            subject,
            checks(answer, question),
            at=now,
            enforce=args["enforce"],
            allowed=answer.allowed,
            blocking=blocking_rows(answer),
            next_start=rfc3339(answer.next_start) if answer.next_start else None,
            next_start_reason=answer.why_none,
        )

    def _find(self, path: str) -> str:
        """An absolute path: files/ of the role first, then beside the playbook, as Ansible's own file options do."""
        try:
            return str(self._find_needle("files", path))
        except AnsibleError as exc:
            raise CalendarError(f"calendar file {path}: was not found. Write its path, absolute or beside the playbook.") from exc


def _question(args: dict[str, Any], now: dt.datetime) -> Question:
    scope = args["scope"]
    try:
        return Question(
            at=now if args["at"] is None else parse_instant(str(args["at"])),
            duration_s=parse_duration(str(args["duration"])),
            tenants=tuple(dict.fromkeys(str(name) for name in args["tenants"])),
            scope=Scope(environment=scope.get("environment"), domain=scope.get("domain"), change_class=scope.get("class")),
            horizon_days=args["horizon_days"],
        )
    except ValueError as exc:
        raise ChangeError(str(exc), verdict="unknown", allowed=False) from exc
