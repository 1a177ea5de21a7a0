# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept of each task that ran: name, action, host, start, duration and outcome. Never its arguments, never its results.

The file is a JSON document at any time, one line for each task, so that what a killed run did is there as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import FAIL, PASS, UNKNOWN
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import CHANGE_ID, sha256

SCHEMA = 1
HEAD = b'{"schema":1,"tasks":['
TAIL = b"\n]}\n"
EMPTY = HEAD + TAIL
FAILED = ("failed", "unreachable")
BUILTIN = "ansible.builtin."
# They decide or tell, and do nothing; they are kept when they fail.
SILENT = frozenset(
    BUILTIN + name
    for name in (
        "add_host",
        "assert",
        "debug",
        "fail",
        "group_by",
        "import_role",
        "import_tasks",
        "include_role",
        "include_tasks",
        "include_vars",
        "meta",
        "set_fact",
        "set_stats",
        "validate_argument_spec",
    )
)
HIDDEN = "(no_log)"
KEYS = ("host", "began", "seconds", "outcome", "changed", "verdict")


def entry(
    *,
    run: str,
    play: str,
    task: str,
    action: str,
    host: str,
    began: str,
    seconds: float,
    outcome: str,
    result: Mapping[str, Any],
    no_log: bool,
) -> dict[str, Any] | None:
    """One task on one host; None when there is nothing to keep. Of the result only ``changed`` and a gate's verdict are looked at."""
    if outcome == "skipped" or (action in SILENT and outcome not in FAILED):
        return None
    verdict = result.get("verdict")
    return {
        "run": run,
        "play": play,
        "task": HIDDEN if no_log else task,
        "action": action,
        "host": host,
        "began": began,
        "seconds": round(seconds, 3),
        "outcome": outcome,
        "changed": result.get("changed") is True,
        "verdict": verdict if isinstance(verdict, str) and verdict in (PASS, FAIL, UNKNOWN) else None,
    }


def change_of(variables: Mapping[str, Any]) -> str | None:
    """The id of the change that a run is for, by its extra variables; None for another run."""
    change = variables.get("change")
    for given in (change.get("id") if isinstance(change, Mapping) else None, variables.get("change_id")):
        if isinstance(given, str) and CHANGE_ID.fullmatch(given):
            return str(given)
    return None


def line_of(one: Mapping[str, Any], *, first: bool) -> bytes:
    """What replaces the document's end when an entry is added."""
    return (b"\n" if first else b",\n") + json.dumps(one, sort_keys=True, separators=(",", ":")).encode() + TAIL


def mended(data: bytes) -> bytes:
    """The document with every entry that is whole, from one whose writer was killed in the middle of a line; ValueError for another."""
    if not data.startswith(HEAD) and not HEAD.startswith(data):
        raise ValueError("it does not begin like one")
    kept = []
    for line in data.split(b"\n")[1:]:
        text = line.removesuffix(b",")
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, dict) and "task" in found:
            kept.append(text)
    return HEAD + (b"\n" + b",\n".join(kept) if kept else b"") + TAIL


def evidence(data: bytes) -> dict[str, Any]:
    """What the ledger keeps of a file: its digest, and each task with what became of it on each host. ValueError for another file."""
    document = json.loads(data)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or not isinstance(document.get("tasks"), list):
        raise ValueError(f"it has not the keys schema ({SCHEMA}) and tasks")
    entries = [one for one in document["tasks"] if isinstance(one, dict)]
    return {
        "schema": SCHEMA,
        "sha256": sha256(data),
        "runs": sorted({str(one.get("run")) for one in entries}),
        "counts": {
            "tasks": len(entries),
            "changed": sum(one.get("changed") is True for one in entries),
            "failed": sum(one.get("outcome") in FAILED for one in entries),
        },
        "tasks": _grouped(entries),
    }


def _grouped(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in entries:
        names = {key: str(one.get(key)) for key in ("run", "play", "task", "action")}
        group = found.setdefault(tuple(names.values()), {**names, "hosts": []})
        group["hosts"].append({key: one.get(key) for key in KEYS if one.get(key) is not None})
    return list(found.values())
