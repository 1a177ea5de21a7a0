# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A canary from the options of odoo_canary: its sides, its plan, what it measured as a result, and its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ._core import chart
from ._core.canary_record import Baseline
from ._core.checks import Check, unknown
from ._core.judge import Rules
from ._core.judge_drawn import drawable
from ._core.secrets import hide
from ._core.transaction_format import Transaction
from ._io.canary import Plan, Run, Sides, Watched, lacking
from ._io.odoo import Account, Address, OdooClient, OdooError
from ._io.postgres import Server
from ._io.whole_file import not_writable, write_whole

HALFWAY = "UPDATE_UNFINISHED"  # known to be wrong, where anything else that keeps a canary from running could only not be told


def client(name: str, params: Mapping[str, Any]) -> OdooClient:
    """The client of one side."""
    side = params[name]
    headers = {str(k): str(v) for given in ("marks", "headers") for k, v in (side[given] or {}).items()}
    account = Account(params["database"], params["login"], params["password"], params["api_key"])
    address = Address(side["url"], side["host"] or "", headers)
    return OdooClient(name, address, account, timeout_s=params["request_timeout_s"], ca_path=params["ca_path"], api=params["api"])


def sides_of(params: Mapping[str, Any]) -> Sides:
    return Sides(client("canary", params), client("baseline", params) if params["mode"] == "compare" else None)


def watched(given: Mapping[str, Any] | None) -> Watched | None:
    if given is None:
        return None
    server = Server(given["host"], given["port"], given["user"], given["password"], given["sslmode"])
    return Watched(server, given["role"] or given["user"], given["timeout_s"], given["cron_processes"])


def plan_of(params: Mapping[str, Any], known: Mapping[str, Transaction], recorded: Baseline) -> Plan:
    """The options as a plan. A smoke has as many rounds as it must pass."""
    smoke = params["mode"] == "smoke"
    least = params["rounds"] if smoke else params["min_rounds"]
    return Plan(
        change=params["change"],
        company=params["company"],
        known=known,
        transactions=tuple(dict.fromkeys(params["transactions"])),
        rules=Rules(params["tolerance"], params["alpha"], least, smoke, recorded.allowances),
        warmup=0 if smoke else params["warmup"],
        max_rounds=max(least, 3) if smoke else params["max_rounds"],
        budget_s=params["budget_s"],
        pause_s=params["pause_s"],
        concurrency=params["concurrency"],
        database=watched(params["postgres"]),
        modules=tuple(params["modules"]),
        ready_timeout_s=params["ready_timeout_s"],
        recorded=recorded.samples,
    )


def measured(run: Run, plan: Plan) -> dict[str, Any]:
    found = run.judgement
    drawn = drawable(run.records, plan.rules)
    return {
        "figures": {step: {**figures, **drawn[step]} for step, figures in found.figures.items()},
        "sentence": f"{found.sentence} Not done here: {lacking(run.not_applicable)}." if run.not_applicable else found.sentence,
        "rounds": run.rounds,
        "elapsed_s": run.elapsed_s,
        "stopped": run.stopped,
        "swept": run.swept,
        "warmed": run.warmed,
        "not_applicable": run.not_applicable,
        "ready_s": run.ready_s,
    }


def unwritable(given: Mapping[str, Any]) -> str:
    """Why the files that are asked for could not be written, or nothing: better now than after the work."""
    why = not_writable(Path(given["chart"])) if given["chart"] else ""
    return f"chart: {why}" if why else ""


def draw(given: Mapping[str, Any], told: Mapping[str, Any], secrets: Sequence[str]) -> list[str]:
    """Writes the picture, and returns, as a warning, why it could not: the verdict is as good without."""
    if not given["chart"]:
        return []
    shown = hide({"sentence": told["sentence"], "figures": told["figures"]}, secrets)
    try:
        page = chart.page(f"Canary of tenant {given['tenant']}, {given['change']}", shown["sentence"], shown["figures"])
        write_whole(Path(given["chart"]), page.encode())
    except OSError as exc:
        return [f"the chart could not be written to {given['chart']}: {exc.strerror}"]
    return []


def not_run(exc: OdooError) -> Check:
    """Why a canary could not run, as its one check."""
    code = "NOT_READY" if exc.facts.get("not_ready") else str(exc.facts.get("code") or "MISSING")
    if code == HALFWAY:
        return Check("modules", False, str(exc), "every module installed", "Do what the message says before anything else.", code)
    return unknown("transactions", str(exc), hint="Nothing was proved; see the reason.", code=code)
