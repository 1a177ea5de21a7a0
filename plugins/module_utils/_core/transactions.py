# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the canary's business transactions need besides their declaration: tag, order, who may write where, and the limits of a run."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .transaction_format import Transaction

TAG = "canary:"
MOST_USERS = 64
SETTLING = 10  # rounds at most that are thrown away because a side is still warming up
SETTLED = 2.0  # a round that took this many times its side's fastest one is of a side that is warming up


def metrics(transactions: Iterable[Transaction]) -> list[str]:
    """The steps of these transactions, in their order."""
    return [metric for one in transactions for metric in one.metrics]


def tag(change: str) -> str:
    """What marks every row of this change's canary."""
    return f"{TAG}{change}"


def orders(change: str, rounds: int, transactions: Sequence[str]) -> list[dict[str, bool]]:
    """For each round and transaction: does the baseline go first? The same change draws the same order, so a run can be repeated."""
    draw = random.Random(f"odoo_canary {change}")  # noqa: S311  nothing is secret about the order
    return [{name: draw.random() < 0.5 for name in transactions} for _dummy in range(rounds)]


def wrong_session(info: Mapping[str, Any], company: str) -> str:
    """The canary's user must see the canary company and no other; else it must not write anything."""
    allowed = (info.get("user_companies") or {}).get("allowed_companies") or {}
    names = sorted(str(c.get("name")) for c in allowed.values())
    known = {str(c.get("name")) for c in allowed.values()} | {str(c.get("id")) for c in allowed.values()}
    if len(names) == 1 and company in known:
        return ""
    return f"the canary's user may work in companies {names}, wanted only {company!r}: run the tenant role, which makes that user"


def company_id(info: Mapping[str, Any]) -> int:
    """The one company of a session that :func:`wrong_session` found right."""
    return int(next(iter(info["user_companies"]["allowed_companies"].values()))["id"])


def limits_wrong(given: Mapping[str, Any]) -> str:
    """What is wrong with the numbers of a canary, all at once, or nothing."""
    rules = (
        ("tolerance", 1 < given["tolerance"] <= 10, "greater than 1, at most 10"),
        ("alpha", 0 < given["alpha"] <= 0.2, "between 0 and 0.2"),
        ("rounds", 1 <= given["rounds"] <= 1000, "1 to 1000"),
        ("warmup", 0 <= given["warmup"] <= 100, "0 to 100"),
        ("min_rounds", 1 <= given["min_rounds"] <= given["max_rounds"], "1 to max_rounds"),
        ("max_rounds", 1 <= given["max_rounds"] <= 2000, "1 to 2000"),
        ("budget_s", given["budget_s"] > 0, "greater than 0"),
        ("concurrency", 1 <= given["concurrency"] <= MOST_USERS, f"1 to {MOST_USERS}"),
        ("pause_s", 0 <= given["pause_s"] <= 60, "0 to 60"),
        ("ready_timeout_s", given["ready_timeout_s"] > 0, "greater than 0"),
        ("request_timeout_s", given["request_timeout_s"] > 0, "greater than 0"),
        ("transactions", bool(given["transactions"]), "at least one"),
    )
    return "; ".join(f"{name} is {given[name]}, wanted {wanted}" for name, ok, wanted in rules if not ok)


def applicable(wanted: Sequence[Transaction], installed: Iterable[str]) -> tuple[list[Transaction], dict[str, list[str]]]:
    """The transactions whose modules are there, and of each other one which are missing."""
    there = set(installed)
    missing = {one.name: sorted(set(one.modules) - there) for one in wanted}
    return [one for one in wanted if not missing[one.name]], {name: lacks for name, lacks in missing.items() if lacks}


def unfinished(states: Mapping[str, str]) -> list[str]:
    """Modules that an update or an installation left in the midst."""
    return sorted(f"{name} ({state})" for name, state in states.items() if state != "installed")


def behind(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Which of these modules the database does not have in the version of the release that answers.

    Odoo's names mislead: ``latest_version`` is the database's, ``installed_version`` that of the files.
    """
    found = {str(row["name"]): (row.get("latest_version") or "nothing", row.get("installed_version") or "nothing") for row in rows}
    seen = {name: found.get(name, ("nothing", "nothing")) for name in names}
    return [
        f"{name} is {have} in the database and {wanted} in the release"
        for name, (have, wanted) in seen.items()
        if have != wanted or name not in found
    ]


def warmed(seconds: Mapping[str, Sequence[float]], warmup: int) -> bool:
    """Whether the rounds so far (seconds of each side) were enough to warm up: as many as asked for, and the last was no slow one.

    A worker process loads the registry at its first request, so a side with several workers has several slow first rounds.
    """
    rounds = min((len(took) for took in seconds.values()), default=0)
    if rounds < warmup or not warmup:
        return rounds >= warmup
    return rounds >= warmup + SETTLING or all(took[-1] <= SETTLED * min(took) for took in seconds.values())
