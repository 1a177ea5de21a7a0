# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""traffic_check: what real traffic does on the new release, against the old one. Documented in the module of the same name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import signals, traffic
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_signals
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.prometheus import Prometheus, PrometheusError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signals_read import read_reachable, read_sides
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction

WEEK_S = 7 * 86400
FEWEST_STEPS = 2
SERVER_SPEC: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "headers": {"type": "dict", "no_log": True},
    "token_file": {"type": "path", "no_log": False},
    "ca_path": {"type": "path"},
    "timeout_s": {"type": "float", "default": 30.0},
}


@dataclass(frozen=True)
class Times:
    """When the new release worked, until when the old one had, how long a step is, and what is the longest time to look at."""

    since: int
    until: int
    before: int
    step: int


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **GATE_SPEC,
        "prometheus": {"type": "dict", "required": True, "options": SERVER_SPEC},
        "state": {"type": "str", "choices": ["judged", "reachable"], "default": "judged"},
        "compare": {"type": "str", "choices": [signals.SIDE_BY_SIDE, signals.BEFORE_AFTER]},
        "subject": {"type": "str", "default": "real traffic"},
        "selectors": {"type": "dict", "default": {}},
        "baseline": {"type": "dict", "default": {}},
        "canary": {"type": "dict", "default": {}},
        "since": {"type": "str"},
        "until": {"type": "str"},
        "before": {"type": "str"},
        "most": {"type": "str", "default": "PT2H"},
        "step": {"type": "str", "default": "PT1M"},
        "tolerance": {"type": "float", "default": 1.2},
        "alpha": {"type": "float", "default": 0.01},
        "catalogue": {"type": "path"},
        "only": {"type": "list", "elements": "str", "default": []},
    }
    RULES: ClassVar[dict[str, Any]] = {"required_if": [("state", "judged", ("compare", "since"))]}

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now = utc_now()
        queries, times = _queries(args), _times(args, now)
        told: dict[str, Any] = {"told": [], "figures": {}, "periods": {}}
        try:
            server = Prometheus(args["prometheus"]["url"], **{k: v for k, v in args["prometheus"].items() if k != "url"})
            look = _reached if args["state"] == "reachable" else _judged
            checks, told = look(server, args, queries, times)
        except PrometheusError as exc:
            checks = [unknown("traffic", str(exc).rstrip("."), hint="Correct the address or the token.", code="NOT_ASKED")]
        return gate_result(args["subject"], checks, at=now, enforce=args["enforce"], **told)


def _queries(args: Mapping[str, Any]) -> dict[str, signals.Query]:
    """The queries that are asked; ChangeError for a bad catalogue, name or selector."""
    documents = [read_signals(), *([read_signals(args["catalogue"])] if args["catalogue"] else [])]
    given = {f"{option}.{name}": value for option in ("selectors", "baseline", "canary") for name, value in args[option].items()}
    if errors := signals.selector_errors(given):
        raise ChangeError(" ".join(errors))
    if not args["tolerance"] > 1 or not 0 < args["alpha"] <= 0.1:
        raise ChangeError(f"tolerance is {args['tolerance']} and alpha {args['alpha']}. Write more than 1, and above 0 and at most 0.1.")
    try:
        return signals.chosen(signals.queries_of(*documents), args["compare"], args["only"])
    except ValueError as exc:
        raise ChangeError(str(exc)) from exc


def _times(args: Mapping[str, Any], now: dt.datetime) -> Times:
    try:
        until = min(parse_instant(args["until"]), now) if args["until"] else now
        since = parse_instant(args["since"]) if args["since"] else until
        before = parse_instant(args["before"]) if args["before"] else since
        step, most = parse_duration(args["step"]), parse_duration(args["most"])
    except ValueError as exc:
        raise ChangeError(str(exc)) from exc
    if before > since or since > until or step < 1:
        raise ChangeError("wanted before <= since <= until <= now, and a step of a second or more. Correct the times.")
    return Times(int(since.timestamp()), min(int(until.timestamp()), int(since.timestamp()) + most), int(before.timestamp()), step)


def _judged(
    server: Prometheus, args: Mapping[str, Any], queries: dict[str, signals.Query], times: Times
) -> tuple[list[Check], dict[str, Any]]:
    period = signals.period(times.since, times.until, times.step)
    if period.points < FEWEST_STEPS:
        why = f"{times.until - times.since} s have passed since the release, which are {period.points} steps of {period.step} s"
        hint = "Wait for two steps at least, for durations better 40; shorter steps need a shorter scrape interval."
        return [unknown("traffic_period", why, hint=hint, code="TOO_SHORT")], {"told": [], "figures": {}, "periods": {}}
    together = args["compare"] == signals.SIDE_BY_SIDE
    new, old = ({**args["selectors"], **args[side]} if together else args["selectors"] for side in ("canary", "baseline"))
    unasked = traffic.unasked(queries, new, old, period, together=together)
    wanted = [("the canary" if together else "the time since", period, new)]
    if together:
        wanted.append(("the baseline", period, old))
    else:
        wanted += [("the time before", period.earlier(period.end - times.before), old), ("the week before", period.earlier(WEEK_S), old)]
    now, *references = read_sides(server, {name: query for name, query in queries.items() if name not in unasked}, wanted)
    found = traffic.judge(queries, now, references, traffic.Settings(args["tolerance"], args["alpha"], together), unasked=unasked)
    periods = {side.name: _span(side.period) for side in (now, *references)}
    return found.checks, {"told": found.told, "figures": found.figures, "periods": periods}


def _span(period: signals.Period) -> dict[str, Any]:
    start, end = (dt.datetime.fromtimestamp(at, dt.timezone.utc).isoformat().replace("+00:00", "Z") for at in (period.start, period.end))
    return {"start": start, "end": end, "step_s": period.step}


def _reached(
    server: Prometheus, args: Mapping[str, Any], queries: dict[str, signals.Query], times: Times
) -> tuple[list[Check], dict[str, Any]]:
    """Whether each query gives a number now, with the selectors of the canary where sides are compared."""
    selectors = {**args["selectors"], **args["canary"]}
    unasked = traffic.unasked(queries, selectors, selectors, signals.period(times.since, times.until, times.step), together=False)
    asked = {name: query for name, query in queries.items() if name not in unasked}
    found, present = read_reachable(server, asked, selectors, at=times.until, step=times.step)
    judged = traffic.judge_reachable(queries, found, present, unasked=unasked)
    return judged.checks, {"told": judged.told, "figures": {}, "periods": {}}
