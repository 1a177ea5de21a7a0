# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What monitoring is told of a change: from when until when it was under way, and how it ended. As an annotation and as metrics.

The ledger is the truth; both are made from it anew each time, so telling twice changes nothing.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ticket
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import FAIL, PASS, UNKNOWN
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.report import planned

JOB = "odoo_change"
OURS = "odoo-ops"
NAMED = 30
"""With more tenants their number is tagged, not their names."""
VERDICTS = (PASS, FAIL, UNKNOWN)
ENDS = {ticket.SUCCEEDED: PASS, ticket.FAILED: FAIL, ticket.ROLLED_BACK: FAIL, ticket.STOPPED: UNKNOWN}
FILE = re.compile(r"odoo_change_[A-Z]+-[0-9]{4}-[0-9]+\.prom")


@dataclass(frozen=True)
class Told:
    """A change as monitoring sees it. ``ended`` is None while it is under way."""

    change: str
    title: str
    labels: Mapping[str, str]
    tenants: tuple[str, ...]
    started: dt.datetime
    ended: dt.datetime | None = None
    state: str = ticket.APPLYING

    @property
    def verdict(self) -> str:
        """Empty while it is under way."""
        return ENDS.get(self.state, UNKNOWN) if self.ended else ""


def told(change: str, title: str, events: Sequence[Any]) -> Told | None:
    """What there is to tell; None while no tenant was touched."""
    begun = [event for event in events if event.event == "started" and event.tenant]
    plan = planned(events)
    if not begun or not plan:
        return None
    closed = next((event for event in events if event.event == "closed" and event.tenant is None), None)
    return Told(
        change,
        title,
        {key: str(value) for key, value in (("class", plan["class"]), *((k, plan["change"][k]) for k in ("domain", "environment")))},
        tuple(plan["tenants"]),
        parse_instant(begun[0].at),
        parse_instant(closed.at) if closed else None,
        ticket.history(events)[-1].state if closed else ticket.APPLYING,
    )


# -- an annotation in Grafana --------------------------------------------------------------------------------------------
def identity(change: str) -> list[str]:
    """The tags that an annotation of the change is found by."""
    return [OURS, f"change:{change}"]


def annotation(what: Told) -> dict[str, Any]:
    """As Grafana has it: times in milliseconds, a region once it has ended."""
    tenants = [f"tenant:{name}" for name in what.tenants] if len(what.tenants) <= NAMED else [f"tenants:{len(what.tenants)}"]
    ended = [f"result:{what.state}", f"verdict:{what.verdict}"] if what.ended else []
    says = what.state.replace("_", " ") if what.ended else "under way"
    return {
        "time": milliseconds(what.started),
        **({"timeEnd": milliseconds(what.ended)} if what.ended else {}),
        "tags": [*identity(what.change), *(f"{key}:{value}" for key, value in what.labels.items()), *tenants, *ended],
        "text": f"{what.change}{': ' if what.title else ''}{what.title} ({says})",
    }


def milliseconds(at: dt.datetime) -> int:
    return round(at.timestamp() * 1000)


def differs(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an annotation that is there does not say what is wanted. The order of tags means nothing."""
    tags = set(found.get("tags") or [])
    return tags != set(wanted["tags"]) or any(found.get(key) != value for key, value in wanted.items() if key != "tags")


# -- metrics -------------------------------------------------------------------------------------------------------------
def metrics(what: Told, *, grouped: bool) -> str:
    """In the text format of Prometheus. ``grouped``: the label change comes from the group that they are pushed to."""
    own = {} if grouped else {"change": what.change}
    verdicts = [({"verdict": name}, float(name == what.verdict)) for name in VERDICTS]
    families: list[tuple[str, str, list[tuple[dict[str, str], float]]]] = [
        ("odoo_change_info", "A change that was begun, by its class, domain and environment.", [(dict(what.labels), 1)]),
        ("odoo_change_tenant_info", "The tenants of the change.", [({"tenant": name}, 1) for name in what.tenants]),
        ("odoo_change_started_timestamp_seconds", "When its first tenant was begun.", [({}, what.started.timestamp())]),
    ]
    if what.ended:
        families.append(("odoo_change_ended_timestamp_seconds", "When it was closed.", [({}, what.ended.timestamp())]))
    families.append(("odoo_change_verdict", "1 for what its result is; all 0 while it is under way.", verdicts))
    return "".join(line for family in families for line in family_lines(*family, own))


def family_lines(name: str, text: str, samples: Sequence[tuple[Mapping[str, str], float]], own: Mapping[str, str]) -> list[str]:
    head = [f"# HELP {name} {text}\n", f"# TYPE {name} gauge\n"]
    return head + [f"{name}{labels({**own, **more})} {value:.15g}\n" for more, value in samples]


def labels(given: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{key}="{quoted(value)}"' for key, value in given.items()) + "}" if given else ""


def quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def samples_of(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The numbers of :func:`metrics` by name and labels, to compare with what is there."""
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line):
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")
            found[match[1], frozenset((key, unquoted(value)) for key, value in pairs)] = float(match[3])
    return found


def unquoted(value: str) -> str:
    return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], value)


def forgotten(ends: Mapping[str, float], *, now: dt.datetime, keep_s: int) -> list[str]:
    """The changes that ended so long ago that their metrics need not be kept."""
    return [change for change, ended in ends.items() if ended < now.timestamp() - keep_s]
