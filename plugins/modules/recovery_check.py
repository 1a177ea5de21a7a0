#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gate: would a cluster, as large as it is now, still be back in time?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_check
short_description: Estimate whether a cluster would still be back in time
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Asks a cluster for the size of all its databases, and takes a restore to last as long per byte as it did in the last drill.
  - To be asked after a change, because a migration can make a database so much larger that what its users were promised cannot be kept.
  - What could not be told gives the verdict V(unknown), which does not pass.
  - O(login_user) has to be able to ask for the size of every database, such as a superuser or a member of C(pg_read_all_stats).
requirements:
  - psycopg >= 3.2
attributes:
  check_mode:
    description: Can run in check mode and return the same result, because it only reads.
    support: full
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: Nothing is changed.
  idempotent:
    description: A second run gives the same result as long as the cluster is as large.
    support: full
options:
  stanza:
    description: The stanza of the cluster, for the messages.
    type: str
    required: true
  max_rto:
    description: Within this ISO 8601 duration the cluster has to be back.
    type: str
    required: true
  last_drill:
    description: What the last restore drill of this cluster measured. Not given means that there was none.
    type: dict
    suboptions:
      rto_s:
        description: In how many seconds it had the cluster back.
        type: float
      database_bytes:
        description: How large all databases of the restored cluster were together.
        type: int
extends_documentation_fragment:
  - odoo_ops.change_control.reader
  - odoo_ops.change_control.gate
seealso:
  - module: odoo_ops.change_control.restore_drill
  - module: odoo_ops.change_control.pg_backup_verify
"""

EXAMPLES = r"""
- name: The shared cluster would still be back within two hours
  odoo_ops.change_control.recovery_check:
    stanza: shared
    host: 10.0.0.5
    login_password: "{{ vault_postgres }}"
    max_rto: PT2H
    last_drill:
      rto_s: 1840.5
      database_bytes: 81205043200
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(unknown).
  returned: always
  type: str
  sample: fail
evidence:
  description:
    - What was looked at, schema 1.
    - Codes are V(RTO_GROWN), V(RTO), when there is no drill to go by, and V(POSTGRES) and V(POSTGRES_UNREACHABLE).
  returned: always
  type: dict
  sample: {"schema": 1, "subject": "recovery of stanza shared", "measured_at": "2026-12-05T19:00:00Z", "checks": [
    {"id": "recovery_estimate_s", "ok": false, "observed": 9120.0, "expected": "<= 7200",
     "hint": "Its databases are 4.9 times as large as those that were drilled.", "code": "RTO_GROWN"}]}
database_bytes:
  description: How large all databases of the cluster are together, null when it did not answer.
  returned: always
  type: int
  sample: 402653184000
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objectives import judge_growth
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import (
    GATE_SPEC,
    gate_result,
    refuse_leaks,
    run_module,
    seconds,
    utc_now,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import connect, size_of_all
from ansible_collections.odoo_ops.change_control.plugins.module_utils._reader import READER_SPEC, reader

SPEC: dict[str, Any] = {
    "stanza": {"type": "str", "required": True},
    **READER_SPEC,
    "max_rto": {"type": "str", "required": True},
    "last_drill": {"type": "dict", "options": {"rto_s": {"type": "float"}, "database_bytes": {"type": "int"}}},
    **GATE_SPEC,
}


def perform(given: dict[str, Any], _check: bool) -> dict[str, Any]:
    at, size, drill = utc_now(), None, given["last_drill"] or {}
    try:
        max_rto_s = seconds(given, "max_rto") or 0
    except ValueError as exc:
        raise ChangeError(str(exc)) from exc
    try:
        with connect(reader(given), read_only=True) as cluster:
            size = size_of_all(cluster)
        found = judge_growth(drill.get("rto_s"), drill.get("database_bytes"), size, max_rto_s=max_rto_s)
    except ChangeError as exc:
        found = unknown("recovery_estimate_s", str(exc), hint="", code=str(exc.facts.get("code", "POSTGRES")))
    return gate_result(f"recovery of stanza {given['stanza']}", [found], at=at, enforce=given["enforce"], database_bytes=size)


def main() -> None:
    refuse_leaks(SPEC)
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), perform)


if __name__ == "__main__":
    main()
