# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters over gates and recorded events; each is documented in the file of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import impact as impacts
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import overview, report, report_page, waivers
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import utc_now


def worst_verdict(gates: Sequence[Mapping[str, Any]]) -> str:
    return report.worst([str(gate.get("verdict")) for gate in gates])


def change_result(events: Sequence[Mapping[str, Any]], drills: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    ended = report.result([SimpleNamespace(**event) for event in events], now=utc_now())
    return ended if drills is None else {**ended, "drills": overview.drills(drills)}


def change_report(events: Sequence[Mapping[str, Any]], verified: Mapping[str, Any]) -> dict[str, Any]:
    return report.report([SimpleNamespace(**event) for event in events], verified=verified)


def change_page(document: Mapping[str, Any]) -> str:
    return report_page.page(document)


def judged_gates(gates: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]) -> dict[str, Any]:
    return waivers.judge_gates(
        gates,
        required=plan["policy"]["gates"],
        waivers=plan["change"].get("waivers", []),
        waivable=plan["policy"]["waivable"],
        advised=plan["policy"].get("advise", []),
        now=utc_now(),
    )


def impact(objects: Sequence[Mapping[str, Any]], tenants: Mapping[str, Mapping[str, Any]]) -> list[str]:
    placed = [impacts.Placed(name, "", str(t.get("namespace", "")), str(t.get("stanza", ""))) for name, t in tenants.items()]
    return impacts.by_objects(objects, placed)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "worst_verdict": worst_verdict,
            "change_result": change_result,
            "change_report": change_report,
            "change_page": change_page,
            "judged_gates": judged_gates,
            "impact": impact,
        }
