# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""workload_check: how busy tenants will be in a window. Documented in the module of the same name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import workload
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import zone
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.prometheus import Prometheus, PrometheusError
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction

# Traefik names the service of a route after namespace and IngressRoute, which is web, and adds a digest of the rule.
QUERY = 'sum(rate(traefik_service_requests_total{service=~"<namespace>-web-[0-9a-f]+@kubernetescrd"}[10m]))'


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **GATE_SPEC,
        "prometheus": {
            "type": "dict",
            "required": True,
            "options": {
                "url": {"type": "str", "required": True},
                "query": {"type": "str", "default": QUERY},
                "headers": {"type": "dict", "no_log": True},
                "token_file": {"type": "path", "no_log": False},
                "ca_path": {"type": "path"},
                "timeout_s": {"type": "float", "default": 30.0},
            },
        },
        "tenants": {"type": "list", "elements": "str", "required": True},
        "at": {"type": "str"},
        "duration": {"type": "str", "default": "PT1H"},
        "threshold": {"type": "float", "default": 0.5},
        "weeks": {"type": "int", "default": 4},
        "least_weeks": {"type": "int", "default": 3},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now = utc_now()
        window = _window(args, now)
        given = {key: value for key, value in args["prometheus"].items() if key != "query"}
        try:
            server = Prometheus(given.pop("url"), **given)
        except PrometheusError as exc:
            checks = [unknown("workload_history", str(exc), hint="Correct change_workload.", code="NO_HISTORY")]
        else:
            checks = [check for name in args["tenants"] for check in _tenant(server, args, name, task_vars["hostvars"], window, now=now)]
        return gate_result("the expected load", checks, at=now, enforce=args["enforce"])


def _window(args: Mapping[str, Any], now: dt.datetime) -> workload.Window:
    if not 1 <= args["least_weeks"] <= args["weeks"] <= 4:
        raise ChangeError(f"weeks is {args['weeks']} and least_weeks {args['least_weeks']}. Give 1 to 4 weeks, and not more least_weeks.")
    try:
        at = parse_instant(args["at"]) if args["at"] else now
        return workload.Window(at, parse_duration(args["duration"]), dt.timezone.utc, args["weeks"], args["least_weeks"])
    except ValueError as exc:
        raise ChangeError(str(exc)) from exc


def _tenant(
    server: Prometheus, args: Mapping[str, Any], name: str, hostvars: Any, window: workload.Window, *, now: dt.datetime
) -> list[Check]:
    """The checks of one tenant, by what its inventory says. A tenant that cannot be asked is unknown, and the others are asked."""
    if name not in hostvars:
        return [unknown(f"workload_{name}", "not in the inventory", hint="Name tenants of the inventory.", code="NO_HISTORY")]
    variables = hostvars[name]
    query = args["prometheus"]["query"]
    for key in ("namespace", "domain"):
        query = query.replace(f"<{key}>", str(variables.get(f"tenant_{key}", "")))
    try:
        window = replace(window, zone=zone(str(variables.get("tenant_timezone", "UTC"))))
        threshold = workload.share_of_peak(variables.get("tenant_workload_threshold", args["threshold"]))
        samples = server.range(query.replace("<tenant>", name), *workload.needed(window, now), workload.STEP_S)
    except (PrometheusError, ValueError, TypeError) as exc:
        return [unknown(f"workload_{name}", str(exc).rstrip("."), hint="Without its history nothing is known of it.", code="NO_HISTORY")]
    return [
        workload.judge_load(name, samples, window, threshold=threshold, now=now),
        workload.judge_peaks(name, variables.get("tenant_workload_peaks", []), window),
    ]
