# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a copy of an Odoo database may be started: nothing in it sends a mail, runs by itself, or moves money.

What ``odoo neutralize`` does for the modules that it knows is asked of the database again, because a release without the command's
files for a module leaves that module as it is, and says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from .checks import Check, unknown


class Question(NamedTuple):
    """Rows of ``table`` that could act. The table is asked where the database has it with all of these columns."""

    id: str
    table: str
    columns: tuple[str, ...]
    rows: str


QUESTIONS = (
    Question("outgoing mail servers", "ir_mail_server", ("active", "smtp_host"), "active AND smtp_host IS DISTINCT FROM 'invalid'"),
    Question("incoming mail servers", "fetchmail_server", ("active",), "active"),
    Question(
        "scheduled actions",
        "ir_cron",
        ("active",),
        "active AND id NOT IN (SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND module = 'base' AND name = 'autovacuum_job')",
    ),
    Question("payment providers", "payment_provider", ("state",), "state NOT IN ('test', 'disabled')"),
    Question("webhooks", "ir_act_server", ("state", "webhook_url"), "state = 'webhook' AND webhook_url !~ '^neutralization'"),
    Question("in-app purchases", "iap_account", ("account_token",), "account_token NOT LIKE '%+disabled'"),
    Question("push devices", "mail_push_device", ("id",), "true"),
    Question("Google calendars", "res_users_settings", ("google_calendar_rtoken",), "google_calendar_rtoken IS NOT NULL"),
    Question("Microsoft calendars", "res_users_settings", ("microsoft_calendar_rtoken",), "microsoft_calendar_rtoken IS NOT NULL"),
    Question("carriers", "delivery_carrier", ("prod_environment",), "prod_environment"),
)
FLAG = "SELECT count(*) FROM ir_config_parameter WHERE key = 'database.is_neutralized' AND lower(value) = 'true'"
COLUMNS = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"


def to_ask(there: Collection[tuple[str, str]]) -> dict[str, str]:
    """The queries that count what could act, by what they count. ``there``: (table, column) of the database."""
    known = [one for one in QUESTIONS if all((one.table, column) in there for column in one.columns)]
    return {one.id: f"SELECT count(*) FROM public.{one.table} WHERE {one.rows}" for one in known}  # noqa: S608 - all of it is written here


def judge_neutral(counts: Mapping[str, int], *, flagged: bool) -> Check:
    """May Odoo be started on it? ``flagged``: the database says of itself that it is neutralised."""
    hint = "Odoo was not started on the copy. See what odoo neutralize of this release says, and give its modules a data/neutralize.sql."
    missing = {"outgoing mail servers", "scheduled actions"} - counts.keys()
    if missing:
        return unknown("neutralised", f"{', '.join(sorted(missing))} cannot be counted", hint="Is this an Odoo database?", code="NEUTRAL")
    active = {name: count for name, count in counts.items() if count}
    if not flagged:
        active["marked as neutralised"] = 0
    return Check("neutralised", not active, active or "nothing acts by itself", "nothing acts by itself", hint, "NEUTRAL")
