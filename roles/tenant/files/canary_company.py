# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes the canary company of one tenant: run as ``odoo shell -d DATABASE --no-http < canary_company.py``.

Everything that ``odoo_canary`` writes later is confined to this company: its own chart of accounts, journal, customer,
service, project, employee, and one user who can see no other company. Idempotent; a second run changes nothing.

Environment: CANARY_LOGIN, CANARY_PASSWORD (required); CANARY_COMPANY ("Change canary"), CANARY_API_KEY (Odoo stores its
hash only), TENANT_ADMIN_PASSWORD (optional). Prints one line of JSON with ids, ``changed``, and no secrets. The shell
hands an exception of this script on, so a failure ends in a traceback and an exit code that is not 0, and nothing is
committed.
"""

import json
import os

from odoo import Command, api
from odoo.addons.base.models.res_users import INDEX_SIZE, KEY_CRYPT_CONTEXT

KEY_NAME = "change canary"
KEY_SCOPE = "rpc"
LOCK = 7301_1905  # two jobs at once wait for each other
MODULES = ("account", "hr_timesheet")
GROUPS = ("base.group_user", "account.group_account_user", "hr_timesheet.group_hr_timesheet_user")
GROUPS_OF_MODULES = {"sale": "sales_team.group_sale_manager"}  # only where the module is installed; nobody less may delete an order
READS = ("ir.module.module", "ir.cron")  # which modules are installed, and whether scheduled actions run
DOCUMENT = "This file belongs to the change canary. Each release must be able to read it.\n"


def required(name):
    """A variable that must be there; its value never reaches a message."""
    value = os.environ.get(name, "")
    if not value:
        raise SystemExit(f"canary_company.py: the environment variable {name} is missing or empty: set it in the Job")
    return value


def ensure(model, domain, values):
    """The record that matches, made when it is not there. Archived ones count, so that a run never makes a second one."""
    records = model.with_context(active_test=False, no_reset_password=True, mail_create_nosubscribe=True, tracking_disable=True)
    found = records.search(domain, limit=1, order="id")
    if found:
        return found
    made = records.create(values)
    CHANGES.append(model._name)
    return made


def check_modules(env):
    installed = env["ir.module.module"].search([("name", "in", MODULES), ("state", "=", "installed")]).mapped("name")
    if missing := sorted(set(MODULES) - set(installed)):
        raise SystemExit(f"canary_company.py: modules {', '.join(missing)} are not installed: install them first")


def has(env, module):
    return env.ref(f"base.module_{module}").state == "installed"


def ensure_company(env, name):
    company = ensure(env["res.company"], [("name", "=", name)], {"name": name, "currency_id": env.ref("base.USD").id})
    if company.parent_id or company == env.ref("base.main_company", raise_if_not_found=False):
        raise SystemExit(f"canary_company.py: {name!r} is a company of the tenant, not a canary company: choose another CANARY_COMPANY")
    if not company.chart_template:
        env["account.chart.template"].try_loading("generic_coa", company=company, install_demo=False)
        CHANGES.append("account.chart.template")
    return company


def ensure_user(env, company, login):
    groups = [env.ref(group) for group in (*GROUPS, *(group for module, group in GROUPS_OF_MODULES.items() if has(env, module)))]
    groups.append(ensure_reader(env, company))
    values = {
        "name": company.name,
        "login": login,
        "company_id": company.id,
        "company_ids": [Command.set(company.ids)],
        "group_ids": [Command.set([group.id for group in groups])],
        "notification_type": "inbox",
    }
    user = ensure(env["res.users"], [("login", "=", login)], values)
    if user.company_ids != company or not user.active:
        raise SystemExit(
            f"canary_company.py: user {login!r} is archived or sees companies {user.company_ids.mapped('name')}, wanted only "
            f"{company.name!r}: give CANARY_LOGIN a name that no person has"
        )
    if lacking := [group for group in groups if group not in user.all_group_ids]:
        user.write({"group_ids": [Command.link(group.id) for group in lacking]})
        CHANGES.append("res.users")
    return user


def ensure_reader(env, company):
    """A group that may read what tells of the health of the whole database, and write none of it."""
    group = ensure(env["res.groups"], [("name", "=", company.name)], {"name": company.name, "comment": "Reads what canaries look at."})
    for model in READS:
        values = {"name": f"{company.name} reads {model}", "model_id": env["ir.model"]._get_id(model), "group_id": group.id}
        rights = {"perm_read": True, "perm_write": False, "perm_create": False, "perm_unlink": False}
        ensure(env["ir.model.access"], [("model_id", "=", values["model_id"]), ("group_id", "=", group.id)], {**values, **rights})
    return group


def set_password(env, user, password):
    """Stores the hash directly: writing the field would send the user a mail about it. An equal password is left alone."""
    env.cr.execute("SELECT password FROM res_users WHERE id = %s", [user.id])
    stored = env.cr.fetchone()[0]
    context = user._crypt_context()
    if stored and context.identify(stored) != "plaintext" and context.verify(password, stored):
        return
    user._set_encrypted_password(user.id, context.hash(password))
    CHANGES.append("password")


def set_api_key(env, user, key):
    """Puts a key that we know where Odoo keeps its own: the hash, and the first digits to find it by."""
    if len(key) < 32:
        raise SystemExit("canary_company.py: CANARY_API_KEY is shorter than 32 characters: use 40 random hexadecimal digits")
    env.cr.execute("SELECT id, key FROM res_users_apikeys WHERE user_id = %s AND name = %s AND scope = %s", [user.id, KEY_NAME, KEY_SCOPE])
    rows = env.cr.fetchall()
    if len(rows) == 1 and KEY_CRYPT_CONTEXT.verify(key, rows[0][1]):
        return
    env.cr.execute("DELETE FROM res_users_apikeys WHERE user_id = %s AND name = %s", [user.id, KEY_NAME])
    env.cr.execute(
        "INSERT INTO res_users_apikeys (name, user_id, scope, expiration_date, key, index) VALUES (%s, %s, %s, NULL, %s, %s)",
        [KEY_NAME, user.id, KEY_SCOPE, KEY_CRYPT_CONTEXT.hash(key), key[:INDEX_SIZE]],
    )
    CHANGES.append("api_key")


def own_journal(env, company, code, kind, name):
    values = {"name": name, "code": code, "type": kind, "company_id": company.id, "show_on_dashboard": False}
    return ensure(env["account.journal"], [("company_id", "=", company.id), ("code", "=", code)], values)


def ensure_order_numbers(env, company):
    """Orders of the canary count for themselves: else they take numbers of the row that all companies of the tenant share."""
    values = {"name": "Change canary orders", "code": "sale.order", "prefix": "CANRY", "padding": 5, "company_id": company.id}
    ensure(env["ir.sequence"], [("code", "=", values["code"]), ("company_id", "=", company.id)], values)


def ensure_data(env, company, user):
    """The journal, customer, service, employee and project that the transactions work on."""
    own = [("company_id", "=", company.id)]
    journal = own_journal(env, company, "CANRY", "sale", "Change canary")
    own_journal(env, company, "CANRM", "general", "Change canary entries")
    own_journal(env, company, "CANRB", "bank", "Change canary bank")
    if has(env, "sale"):
        ensure_order_numbers(env, company)
    partner = ensure(
        env["res.partner"], [*own, ("ref", "=", "CANARY")], {"name": "Change canary customer", "ref": "CANARY", "company_id": company.id}
    )
    product = ensure(
        env["product.product"],
        [*own, ("default_code", "=", "CANARY")],
        {
            "name": "Change canary service",
            "default_code": "CANARY",
            "type": "service",
            "list_price": 100.0,
            "company_id": company.id,
            "purchase_ok": False,
        },
    )
    employee = ensure(
        env["hr.employee"], [*own, ("user_id", "=", user.id)], {"name": company.name, "user_id": user.id, "company_id": company.id}
    )
    project = ensure(
        env["project.project"],
        [*own, ("name", "=", "Change canary")],
        {
            "name": "Change canary",
            "company_id": company.id,
            "allow_timesheets": True,
            "privacy_visibility": "employees",
            "user_id": user.id,
        },
    )
    ensure(
        env["ir.attachment"],
        [("res_model", "=", "res.partner"), ("res_id", "=", partner.id), ("name", "=", "Change canary")],
        {"name": "Change canary", "res_model": "res.partner", "res_id": partner.id, "raw": DOCUMENT.encode(), "mimetype": "text/plain"},
    )
    return {"journal": journal.id, "partner": partner.id, "product": product.id, "employee": employee.id, "project": project.id}


def main(env):
    login, password = required("CANARY_LOGIN"), required("CANARY_PASSWORD")
    env.cr.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    check_modules(env)
    company = ensure_company(env, os.environ.get("CANARY_COMPANY") or "Change canary")
    env = api.Environment(env.cr, env.uid, {**env.context, "allowed_company_ids": company.ids})
    company = company.with_env(env)
    user = ensure_user(env, company, login)
    set_password(env, user, password)
    if key := os.environ.get("CANARY_API_KEY"):
        set_api_key(env, user, key)
    if admin_password := os.environ.get("TENANT_ADMIN_PASSWORD"):
        set_password(env, env.ref("base.user_admin"), admin_password)
    ids = {"company": company.id, "user": user.id, **ensure_data(env, company, user)}
    env.cr.commit()
    print(json.dumps({"changed": bool(CHANGES), "changes": CHANGES, "company_name": company.name, "ids": ids}, sort_keys=True))


CHANGES = []
main(globals()["env"])  # the shell provides it
