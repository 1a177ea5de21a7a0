# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gates of a change judged together: what the policy requires of them, less what a valid waiver excuses.

A waiver excuses a check that failed. It never excuses one that could not be told, and an expired one excuses nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import window_end
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import FAIL, PASS, UNKNOWN, rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant

# The gate that a check belongs to, by the first pattern that its id fits.
GATES = (
    ("calendars", "calendars"),
    ("window_*", "calendars"),
    ("wal_*", "wal"),
    ("content_read_*", "read"),
    ("restore_drill_*", "drill"),
    ("attachments_*", "filestore"),
    ("bucket_*", "filestore"),
    ("filestore*", "filestore"),
    ("rehearsal*", "rehearsal"),
    ("staged_*", "staging"),
    ("source_*", "source"),
    ("readiness_*", "readiness"),
    ("workload_*", "workload"),
    ("sync_windows_*", "sync_windows"),
    ("access_*", "access"),
    ("debt*", "debts"),
    ("break_glass_*", "break_glass"),
)
# These count whatever the policy says, and cannot be waived.
ALWAYS = ("debts", "break_glass")

CLUSTER_GATES = ("backup", "wal", "read", "drill")
ALL_GATES = ("calendars", *CLUSTER_GATES, "filestore", "rehearsal", "source", "staging", "readiness", "workload", "sync_windows", "access")


def gate_of(check_id: str) -> str:
    """The gate that a check belongs to. What is no other gate's is the backup's, which is never left out in production."""
    name = check_id.removeprefix("gate_")
    return name if name in ALL_GATES else next((gate for pattern, gate in GATES if fnmatchcase(check_id, pattern)), "backup")


def waiver_errors(change: Mapping[str, Any], waivable: Sequence[str]) -> list[str]:
    """What is wrong with the waivers of a change: each must name what may be waived, and hold until the window ends."""
    errors = []
    for number, waiver in enumerate(change.get("waivers", [])):
        where = f"change.waivers.{number}"
        if not any(fnmatchcase(waiver["check"], pattern) for pattern in waivable):
            told = f"one of: {', '.join(waivable)}" if waivable else "none: nothing can be waived here"
            errors.append(f"{where}.check is {waiver['check']!r}, which the policy does not let anyone waive. Write {told}.")
        try:
            expires = parse_instant(waiver["expires"])
        except ValueError as exc:
            errors.append(f"{where}.expires is {waiver['expires']!r}: {exc}.")
            continue
        if expires < window_end(change["window"]):
            errors.append(
                f"{where}.expires is {waiver['expires']}, and the change's window ends at {rfc3339(window_end(change['window']))}. "
                "Have it granted until then, or mend what it excuses."
            )
    return errors


def judge_gates(
    measured: Sequence[Mapping[str, Any]],
    *,
    required: Sequence[str],
    waivers: Sequence[Mapping[str, Any]],
    waivable: Sequence[str],
    now: dt.datetime,
    advised: Sequence[str] = (),
) -> dict[str, Any]:
    """One verdict over the results of gates: ``verdict``, ``msg`` and its ``lines``, and the ``gates`` with every check as it counted.

    A check of a gate that the policy does not require is kept with ``required: false``; a waived one with ``waived``, saying by whom,
    why and until when. A gate that is required and was not measured could not be told. Of an ``advised`` gate that is not required the
    checks that are not ok are told, and stop nothing.
    """
    usable = [w for w in waivers if any(fnmatchcase(w["check"], pattern) for pattern in waivable)]
    found = [_complete(m["evidence"], required) for m in measured]
    gates = [{**one, "checks": [_counted(c, required, usable, now) for c in one["checks"]]} for one in found]
    if missing := [gate for gate in required if not any(gate_of(c["id"]) == gate for one in found for c in one["checks"])]:
        gates.append({"schema": 1, "subject": "the policy", "measured_at": rfc3339(now), "checks": [_unmeasured(g) for g in missing]})
    counted = [(gate["subject"], check) for gate in gates for check in gate["checks"] if check.get("required", True)]
    lines = [*_lines(counted), *_advice(gates, advised)]
    return {
        "verdict": _verdict([check["ok"] for _subject, check in counted], required),
        "msg": " ".join(lines),
        "lines": lines,
        "gates": gates,
    }


def _complete(evidence: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """The evidence of one cluster with what it should hold and does not: each cluster has to show all that is required of clusters."""
    seen = {gate_of(check["id"]) for check in evidence["checks"]}
    missing = [gate for gate in CLUSTER_GATES if gate in required and gate not in seen] if seen & set(CLUSTER_GATES) else []
    return {**evidence, "checks": [*evidence["checks"], *map(_unmeasured, missing)]}


def _counted(check: Mapping[str, Any], required: Sequence[str], waivers: Sequence[Mapping[str, Any]], now: dt.datetime) -> dict[str, Any]:
    gate = gate_of(check["id"])
    if gate in ALWAYS:
        return dict(check)
    if gate not in required:
        return {**check, "required": False}
    mine = [w for w in waivers if w["check"] == check["id"]] if check["ok"] is False else []
    valid = [w for w in mine if now < parse_instant(w["expires"])]
    if valid:
        return {**check, "ok": True, "waived": dict(valid[0])}
    if mine:
        return {**check, "hint": f"The waiver of {mine[0]['owner']} expired at {mine[0]['expires']}. {check['hint']}".strip()}
    return dict(check)


def _unmeasured(gate: str) -> dict[str, Any]:
    hint = f"The policy requires the gate {gate}, and nothing measured it. Measure it, or take it out of the policy."
    return {"id": f"gate_{gate}", "ok": None, "observed": "not measured", "expected": "measured", "hint": hint, "code": "NOT_MEASURED"}


def _verdict(oks: Sequence[bool | None], required: Sequence[str]) -> str:
    if not required and not oks:
        return PASS
    if any(ok is False for ok in oks):
        return FAIL
    return PASS if oks and all(ok is True for ok in oks) else UNKNOWN


def _advice(gates: Sequence[Mapping[str, Any]], advised: Sequence[str]) -> list[str]:
    return [
        f"Advice, {gate['subject']}: {_told(check)}"
        for gate in gates
        for check in gate["checks"]
        if check.get("required") is False and check["ok"] is not True and gate_of(check["id"]) in advised
    ]


def _told(check: Mapping[str, Any]) -> str:
    return f"{check['id']} is {check['observed']}, wanted {check['expected']}. {check['hint']}".strip()


def _lines(counted: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The checks that are not ok, each with its subject, and those that a waiver excuses."""
    bad = [f"{subject}: {_told(c)}" for subject, c in counted if c["ok"] is not True]
    waived = [
        f"{subject}: {c['id']} is waived by {c['waived']['owner']} until {c['waived']['expires']}."
        for subject, c in counted
        if "waived" in c
    ]
    told = bad or [f"All {len(counted)} checks that the policy requires passed."]
    return [*told, *waived]
