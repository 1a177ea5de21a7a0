# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a canary stayed inside its company, and whether scheduled actions have one runner: judged by what the database says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .checks import Check

OWN = {"res_users": "user", "res_company": "company"}
"""The rows of the canary itself in tables without a company, by the name of their id."""


@dataclass(frozen=True)
class Table:
    """A table that Odoo keeps an author in."""

    name: str
    company: bool


def touched_sql(table: Table) -> str:
    """Counts rows that the canary's user wrote since five minutes before it began, and that are not its own: this clock and the database's
    may differ, and such a row is as wrong when an earlier canary wrote it. The name was quoted by the database.

    A row of another company counts whoever made it, one without a company when somebody else made it.
    """
    foreign = "create_uid IS DISTINCT FROM %(user)s"
    if table.company:
        foreign = f"((company_id IS NOT NULL AND company_id <> %(company)s) OR (company_id IS NULL AND {foreign}))"
    own = OWN.get(table.name)
    besides = f" AND id <> %({own})s" if own else ""
    since = "write_date >= %(since)s::timestamp - interval '5 minutes'"
    return f"SELECT count(*) FROM {table.name} WHERE {since} AND write_uid = %(user)s AND {foreign}{besides}"  # noqa: S608 - see above


def judge_outside(touched: Mapping[str, int], unseen: Sequence[str], looked: int) -> Check:
    """``touched``: rows by table; ``unseen``: tables that could not be looked through within the budget."""
    wanted = "no row of another company, and none that somebody else made"
    if touched:
        seen = ", ".join(f"{rows} in {table}" for table, rows in sorted(touched.items())[:10])
        hint = "Stop: the new release writes for one company into rows of others. Restore these rows, and do not roll it out."
        return Check("outside", False, f"{seen} (of {looked} tables)", wanted, hint, "OUTSIDE")
    if unseen:
        seen = f"{len(unseen)} of {looked} tables were not looked through in time: {', '.join(unseen[:5])}"
        return Check("outside", None, seen, wanted, "Raise timeout_s of postgres, or give the address of a standby.", "OUTSIDE_UNSEEN")
    return Check("outside", True, f"no such row in {looked} tables", wanted)


def judge_runners(processes: Sequence[str], wanted: int) -> Check:
    """Processes that wait for scheduled actions of this tenant."""
    seen = f"{len(processes)} ({', '.join(processes[:5])})" if processes else "0"
    if len(processes) <= wanted:
        return Check("cron_runners", True, seen, f"<= {wanted}")
    hint = "An old release still runs scheduled actions beside the new one, so that they act twice or on data they do not know: stop it."
    return Check("cron_runners", False, seen, f"<= {wanted}", hint, "CRON_TWICE")
