# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets system parameters of one tenant, all or none: run as ``odoo shell -d DATABASE --no-http < toggles.py``.

Through the ORM, so that what Odoo's modules do when such a parameter changes is done, and with its signal to all other processes of the
database: each of them forgets what it has cached before it answers its next request. The signal is given in any case, also by a run that
finds everything set, because the one that set it may have been killed in between.

Environment: TOGGLES, JSON of ``toggles``, each with ``parameter``, ``before`` and ``value``, where null is absent, and ``back``: whether
they go from the value to the one before. A parameter that has neither was changed by somebody else. On the way there nothing is set then,
and the exit code is not 0; on the way back it stays as it is.
"""

import json
import os

LOCK = 7301_1906  # two jobs at once wait for each other


def told(value):
    return "absent" if value is None else repr(value)


def current(env, name):
    env.cr.execute("SELECT value FROM ir_config_parameter WHERE key = %s FOR UPDATE", [name])
    found = env.cr.fetchone()
    return None if found is None else found[0]


def put(env, name, value):
    """set_param is what Odoo's modules hook into. An empty text, which some versions take for an order to remove, is only ever put back."""
    parameters = env["ir.config_parameter"]
    if value != "":
        parameters.set_param(name, False if value is None else value)
    elif record := parameters.search([("key", "=", name)]):
        record.write({"value": value})
    else:
        parameters.create({"key": name, "value": value})


def main(env):
    wanted = json.loads(os.environ["TOGGLES"])
    env.cr.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    found = {one["parameter"]: current(env, one["parameter"]) for one in wanted["toggles"]}
    strange = [one for one in wanted["toggles"] if found[one["parameter"]] not in (one["before"], one["value"])]
    if strange and not wanted["back"]:
        name = strange[0]["parameter"]
        raise SystemExit(
            f"toggles.py: {name} is {told(found[name])}, wanted {told(strange[0]['before'])} or {told(strange[0]['value'])}. "
            "Somebody has changed it since the plan was made, and nothing was set: find out who, then plan again under a new id."
        )
    to = "before" if wanted["back"] else "value"
    due = [one for one in wanted["toggles"] if one not in strange and found[one["parameter"]] != one[to]]
    for one in due:
        put(env, one["parameter"], one[to])
    env.flush_all()
    env.cr.commit()
    env.registry.clear_all_caches()
    env.registry.signal_changes()
    print(json.dumps({"changed": [one["parameter"] for one in due], "left": [one["parameter"] for one in strange]}))


main(globals()["env"])  # the shell provides it
