#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gate: does the newest backup really come back, how long does it take, and how much would be lost?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_drill
short_description: Restore the newest backup into scratch, look at it, measure, and clean up
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Restores the newest backup and all WAL archived since into a scratch folder, opens it as a PostgreSQL instance that nobody can
    reach, reads every database to its end, measures, and removes it again.
  - The instance listens on a socket in a private folder alone. Archiving, replication and the workers of extensions are off, by
    options on its command line that nothing in the restored configuration can override, and it is asked whether that is so.
  - Everything is removed at success, at failure and at SIGTERM. What a killed drill left, its processes too, is removed by the next
    drill of the same stanza in the same scratch folder. Two drills of one stanza exclude each other there.
  - The module runs on a host that has pgBackRest, access to the repository, and PostgreSQL of the source's major version (12 or later).
    It needs no access to the source.
attributes:
  check_mode:
    description:
      - Restores nothing and writes nothing. Looks whether there is a backup, room and a server for it, and says what would be done.
      - The verdict is V(unknown), because nothing was proved, and the task does not fail for it. It fails when the drill could not start.
    support: full
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: Nothing is changed.
  idempotent:
    description: Nothing stays behind, so a second run does the same.
    support: full
options:
  kind:
    description:
      - V(restore) restores the newest backup up to the end of the archived WAL.
      - V(pitr) goes back to an instant, from the newest backup that had ended by then. The copy has to have all that was committed by
        then and nothing later; the last transaction that was repeated and the first one that was not tell, so that nothing has to be
        written to the source before. O(max_rpo) has no meaning then.
      - V(single_tenant) brings back the one database in O(databases) out of a backup of the whole cluster. The others are not read from
        the repository. The database is then dumped and restored next to itself, as it would be into the cluster in use, every table
        has to have as many rows there, and O(max_rto) holds until then. O(target) may be given.
    type: str
    choices: [restore, pitr, single_tenant]
    default: restore
  target:
    description:
      - The instant to go back to with O(kind=pitr) and O(kind=single_tenant), as RFC 3339 with an offset. By default O(kind=pitr) draws
        one between the oldest and the newest backup, so that the whole window is proved over time.
      - A transaction after it has to be in the archive, else the verdict is V(unknown).
    type: str
  stanza:
    description: The stanza of the cluster.
    type: str
    required: true
  config:
    description: Path of pgBackRest's configuration file. Without it pgBackRest, or the wrapper in O(command), uses its own.
    type: path
  command:
    description:
      - The executable of pgBackRest, or a wrapper that takes the same arguments. It runs as the user of the task.
      - A wrapper that changes the user has to change to O(run_as).
    type: path
    default: pgbackrest
  scratch:
    description:
      - Folder below which the drill makes its own. It has to belong to the user of the task or to root, and nobody else may write it.
      - It needs 1.2 times the size of the cluster, with O(kind=single_tenant) 3.6 times that of the database. It is made when it is not
        there.
    type: path
    default: /var/tmp/odoo-restore-drill
  run_as:
    description: The user that the scratch instance runs as when the module runs as root, because PostgreSQL refuses root.
    type: str
    default: postgres
  pg_bin:
    description:
      - Folder of PostgreSQL's programs. By default the usual places for the backup's version are looked through, then the C(PATH).
    type: path
  login_user:
    description: The superuser of the restored cluster that looks at it.
    type: str
    default: postgres
  databases:
    description:
      - Databases that must be there and are looked at. By default all that accept connections, templates aside.
      - Exactly one with O(kind=single_tenant).
    type: list
    elements: str
    default: []
  max_rto:
    description:
      - From the start to the first accepted connection at most this ISO 8601 duration may pass, with O(kind=single_tenant) to the end of
        what brings the database back. Not judged when not given.
    type: str
  max_rpo:
    description:
      - At most this ISO 8601 duration may lie between the last transaction that came back and the start of the drill. Not judged when
        not given.
      - A cluster that nobody writes to looks old although nothing would be lost. It counts from the end of the backup at the latest.
    type: str
  timeout:
    description: How long the restore, the start, and reading one database may each take, as an ISO 8601 duration.
    type: str
    default: PT6H
  processes:
    description: Parallel processes of the restore. By default as many as there are processors, 8 at most.
    type: int
extends_documentation_fragment:
  - odoo_ops.change_control.gate
seealso:
  - module: odoo_ops.change_control.pg_backup_verify
requirements:
  - Python 3.11 or later on the host
  - pgBackRest 2.36 or later on the host
  - PostgreSQL's server programs of the source's major version on the host
"""

EXAMPLES = r"""
- name: The shared cluster comes back within an hour and lacks at most five minutes
  odoo_ops.change_control.restore_drill:
    stanza: shared
    config: /etc/pgbackrest/pgbackrest.conf
    databases: [acme, globex]
    max_rto: PT1H
    max_rpo: PT5M
  register: drill

- name: It can be brought back to the instant before the accident
  odoo_ops.change_control.restore_drill:
    stanza: shared
    config: /etc/pgbackrest/pgbackrest.conf
    kind: pitr
    target: "2026-11-21T09:14:00+01:00"

- name: One tenant alone can be brought back out of the shared cluster
  odoo_ops.change_control.restore_drill:
    stanza: shared
    config: /etc/pgbackrest/pgbackrest.conf
    kind: single_tenant
    databases: [acme]
    max_rto: PT30M

- name: Hand it to the gate that wants a fresh drill
  odoo_ops.change_control.pg_backup_verify:
    stanza: shared
    config: /etc/pgbackrest/pgbackrest.conf
    last_drill:
      at: "{{ drill.evidence.measured_at }}"
      verdict: "{{ drill.verdict }}"
    max_drill_age: P30D
"""

RETURN = r"""
changed:
  description: Always V(false), because nothing stays behind.
  returned: always
  type: bool
  sample: false
verdict:
  description: V(pass), V(fail) or V(unknown). In check mode V(unknown) unless the drill could not start.
  returned: always
  type: str
  sample: pass
msg:
  description: What was looked at, what was seen, what was wanted, and what to do.
  returned: always
  type: str
  sample: "restore drill of stanza shared: all 12 checks passed."
evidence:
  description:
    - The checks, each with id, ok, observed, expected, hint and code.
    - Codes are NO_BACKUP, DISK, VERSION, RESTORE, OPEN, ISOLATION, SYSTEM_ID, DATABASE, CORRUPT, ODOO, RTO, RPO, PITR, PITR_END (nothing
      was archived after the instant), EXPORT, ROWS, CLEANUP, BUSY (another drill runs), INTERRUPTED, CHECK_MODE and TOOL (it could not
      be told).
  returned: always
  type: dict
  sample: {"schema": 1, "subject": "restore drill of stanza shared", "measured_at": "2026-11-21T03:10:00Z", "checks": [
    {"id": "rto_s", "ok": true, "observed": 4.1, "expected": "<= 3600", "hint": "Restore from nearer or faster storage.", "code": "RTO"}]}
rto_s:
  description:
    - Seconds from the start of the drill to the first accepted connection, with O(kind=single_tenant) until the database is back.
    - Null when it did not come to that.
  returned: always
  type: float
  sample: 4.1
rpo_s:
  description:
    - Seconds from the last transaction that came back to the start of the drill.
    - Null with O(kind=pitr) or O(target), and when it did not come to that.
  returned: always
  type: int
  sample: 42
instant:
  description: The instant to which it went back, null when to the end of what is archived.
  returned: always
  type: str
  sample: "2026-11-21T08:14:00Z"
phases:
  description: Seconds of each phase.
  returned: always
  type: dict
  sample: {"leftovers_s": 0.0, "preflight_s": 0.2, "restore_s": 2.6, "start_s": 1.3, "checks_s": 1.9, "cleanup_s": 0.2}
backup:
  description: The backup that was restored, null when there is none.
  returned: always
  type: dict
  sample: {"label": "20261121-054120F", "type": "full", "start": "2026-11-21T05:41:20Z", "stop": "2026-11-21T05:41:21Z",
    "lsn": {"start": "0/2000028", "stop": "0/2000100"}, "wal": {"start": "000000010000000000000002", "stop": "000000010000000000000002"},
    "size_bytes": 22992580, "references": [], "repo": 1, "system_id": "7710495708284763597", "version": "15"}
databases:
  description: What was seen in each database. C(odoo_modules) is null unless it is Odoo's.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "acme", "opened": true, "error": "", "size_bytes": 81234567, "integrity": "pg_amcheck", "damage": "",
    "odoo_modules": 14, "seconds": 1.6}]
database_bytes:
  description: How large all databases of the restored cluster are together, null when it did not come to that.
  returned: always
  type: int
  sample: 402653184
cleaned:
  description: Folders of earlier drills that were removed.
  returned: always
  type: list
  elements: str
  sample: []
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._drill import Drill, Interrupted, Order, processors
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import (
    GATE_SPEC,
    gate_result,
    refuse_leaks,
    run_module,
    seconds,
    utc_now,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import command_of

SPEC: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": ["restore", "pitr", "single_tenant"], "default": "restore"},
    "target": {"type": "str"},
    "stanza": {"type": "str", "required": True},
    "config": {"type": "path"},
    "command": {"type": "path", "default": "pgbackrest"},
    "scratch": {"type": "path", "default": "/var/tmp/odoo-restore-drill"},  # noqa: S108 - its owner and mode are checked
    "run_as": {"type": "str", "default": "postgres"},
    "pg_bin": {"type": "path"},
    "login_user": {"type": "str", "default": "postgres"},
    "databases": {"type": "list", "elements": "str", "default": []},
    "max_rto": {"type": "str"},
    "max_rpo": {"type": "str"},
    "timeout": {"type": "str", "default": "PT6H"},
    "processes": {"type": "int"},
    **GATE_SPEC,
}


def order(given: dict[str, Any]) -> Order:
    """The options as the drill wants them; ValueError for one that is not understood."""
    kind, databases = given["kind"], given["databases"]
    if given["target"] and kind == "restore":
        raise ValueError(f"target is {given['target']}, and kind is {kind}. Set kind to pitr or single_tenant, or leave target out.")
    if kind == "single_tenant" and len(databases) != 1:
        raise ValueError(f"databases is {databases}, wanted exactly one with kind single_tenant: the database of the tenant.")
    to_instant = kind == "pitr" or given["target"]
    return Order(
        stanza=given["stanza"],
        command=command_of(given["command"], given["config"]),
        scratch=Path(given["scratch"]).resolve(),
        run_as=given["run_as"],
        pg_bin=given["pg_bin"],
        login=given["login_user"],
        databases=databases,
        max_rto_s=seconds(given, "max_rto"),
        max_rpo_s=None if to_instant else seconds(given, "max_rpo"),
        timeout_s=seconds(given, "timeout") or 1,
        processes=max(1, given["processes"] or processors()),
        kind=kind,
        target=parse_instant(given["target"]) if given["target"] else None,
    )


def perform(given: dict[str, Any], check: bool) -> dict[str, Any]:
    at, subject = utc_now(), f"restore drill of stanza {given['stanza']}"
    try:
        drill = Drill(order(given), began=at)
    except ValueError as exc:
        raise ChangeError(str(exc)) from exc
    if check:
        would = drill.predict()
        if all(one.ok for one in drill.checks):
            nothing = unknown("restored", would, hint="Run it without check mode.", code="CHECK_MODE")
            result = gate_result(subject, [*drill.checks, nothing], at=at, enforce=False, **drill.found)
            return {**result, "msg": f"{subject}: {would}."}
        return gate_result(subject, drill.checks, at=at, enforce=given["enforce"], **drill.found)
    try:
        drill.run()
    except Interrupted as exc:
        ended = unknown("finished", f"ended by {exc}", hint="What it had made is removed; run it again.", code="INTERRUPTED")
        return {**gate_result(subject, [*drill.checks, ended], at=utc_now(), enforce=False, **drill.found), "failed": True}
    return gate_result(subject, drill.checks, at=utc_now(), enforce=given["enforce"], **drill.found)


def main() -> None:
    refuse_leaks(SPEC)
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), perform)


if __name__ == "__main__":
    main()
