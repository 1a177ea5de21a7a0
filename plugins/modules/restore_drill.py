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
  - With O(odoo), Odoo is started on the copy, too, and does the canary's business transactions.
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
      - V(single_tenant) with O(dumps) brings back the newest dump that M(odoo_ops.change_control.tenant_dump) has taken of the one
        database in O(databases), into a new cluster. Each of its files has to be what the manifest says.
      - V(single_tenant) brings back the one database in O(databases) out of a backup of the whole cluster. The others are not read from
        the repository. The database is then dumped and restored next to itself, as it would be into the cluster in use, every table
        has to have as many rows there, and O(max_rto) holds until then. O(target) may be given.
      - V(rebuild) starts from nothing but what the backups hold, as after the loss of a site. It unpacks O(bundle), restores the newest
        backup, brings the files out of O(filestore), and starts the release that the bundle names with the modules that it holds.
        O(max_rto) holds until Odoo's login page answers. O(odoo) has to be given.
    type: str
    choices: [restore, pitr, rebuild, single_tenant]
    default: restore
  bundle:
    description:
      - With O(kind=rebuild), the newest folder that M(odoo_ops.change_control.recovery_bundle) has written for the tenant, or the folder
        of all that it has written.
    type: path
  tenant:
    description: The tenant whose O(bundle) it is. By default the database that Odoo serves.
    type: str
  odoo:
    description:
      - Starts Odoo on the copy. Before, the files that its database names are brought out of O(filestore), and the database is
        neutralised (C(odoo neutralize)) and asked whether any mail server, scheduled action, payment provider or webhook could still act.
        Odoo is not started when one could.
      - Odoo runs in a network namespace of its own that has no way out, so the host has to let the user of the task make one. Its cron
        threads are off.
    type: dict
    suboptions:
      command:
        description:
          - Odoo's executable, or a wrapper that takes the same arguments, such as one that starts the container image that the environment
            variable E(ODOO_IMAGE) names. It has to reach the folder and the socket that its arguments name, and stay in its network.
        type: path
        required: true
      image:
        description: What the command finds in E(ODOO_IMAGE). With O(kind=rebuild) it is that of the bundle, whatever is given.
        type: str
        default: ""
      database:
        description: The database that it serves. By default the one in O(databases).
        type: str
      run_as:
        description: The user that Odoo runs as when the module runs as root, V(root) or the one in O(run_as), which is the default.
        type: str
      login:
        description: The canary's user in the database. Without one it is only proved that the login page answers.
        type: str
        default: ""
      password:
        description: Its password.
        type: str
        default: ""
      api_key:
        description: Its API key.
        type: str
        default: ""
      company:
        description: The canary's company.
        type: str
        default: Change canary
      transactions:
        description: The business transactions that are done on the copy, as in M(odoo_ops.change_control.odoo_canary), three times each.
        type: list
        elements: str
        default: [login, invoice, timesheet]
      transaction_files:
        description: Files on the controller, or folders of them, with transactions of the estate's own.
        type: list
        elements: path
        default: []
      ready_timeout:
        description: How long the login page may take to answer, as an ISO 8601 duration.
        type: str
        default: PT5M
      update:
        description:
          - A change that is carried out on the neutralised copy, as a rehearsal. How long it takes, the locks that it holds and the rows
            that it writes are returned as RV(rehearsal), and the transactions are done after it, on the new release.
        type: dict
        suboptions:
          command:
            description: Odoo's executable of the new release. By default that of O(odoo.command).
            type: path
          image:
            description: What it finds in E(ODOO_IMAGE). By default that of O(odoo.image).
            type: str
          modules:
            description: The modules that are updated, as C(--update) takes them. None means that only the release is another one.
            type: list
            elements: str
            required: true
          digest:
            description: The digest of the plan that is rehearsed. It is returned with what was seen.
            type: str
            default: ""
          max_time:
            description: The update may take at most this ISO 8601 duration. Not judged when not given.
            type: str
          max_lock:
            description:
              - Nobody may have to wait for one table longer than this ISO 8601 duration. Not judged when not given, as for a tenant that
                is out of service while it is updated.
            type: str
  definitions:
    description: What the transactions are. The action of this name reads them out of their files; there is no need to give it.
    type: list
    elements: dict
  filestore:
    description: Where the files of the tenant are. It has to be given with O(odoo).
    type: dict
    suboptions:
      path:
        description: The directory of the database's filestore.
        type: path
      bucket:
        description: The bucket, instead of O(filestore.path).
        type: str
      prefix:
        description: The prefix in the bucket. By default the name of the database.
        type: str
  target:
    description:
      - The instant to go back to with O(kind=pitr) and O(kind=single_tenant), as RFC 3339 with an offset. By default O(kind=pitr) draws
        one between the oldest and the newest backup, so that the whole window is proved over time.
      - A transaction after it has to be in the archive, else the verdict is V(unknown).
    type: str
  stanza:
    description: The stanza of the cluster. Either it or O(dumps) has to be given.
    type: str
  dumps:
    description:
      - The C(location) of M(odoo_ops.change_control.tenant_dump), a folder or V(s3://bucket/prefix), with O(kind=single_tenant). O(s3)
        says how that bucket and the one in O(filestore) are reached.
    type: str
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
  - odoo_ops.change_control.s3
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

- name: Last night's dump comes back
  odoo_ops.change_control.restore_drill:
    kind: single_tenant
    databases: [acme]
    dumps: /var/backups/odoo
    max_rto: PT30M

- name: The tenant comes back from nothing, and posts invoices
  odoo_ops.change_control.restore_drill:
    stanza: dedicated
    config: /etc/pgbackrest/pgbackrest.conf
    kind: rebuild
    databases: [initech]
    bundle: /srv/recovery/initech
    filestore:
      bucket: odoo-filestore
    s3:
      endpoint_url: https://s3.example.com
      access_key: drill
      secret_key: "{{ vault_drill_s3 }}"
    odoo:
      command: /usr/local/bin/odoo-of-image
      login: change-canary
      password: "{{ vault_canary_password }}"
      api_key: "{{ vault_canary_api_key }}"
    max_rto: PT2H

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
    - With O(odoo) also NOT_ODOO, NEUTRAL, ODOO_START, TRANSACTIONS, UPDATE, UPDATE_TIME, LOCK_TIME, and those of
      M(odoo_ops.change_control.filestore_verify) for files that are not there or not right; with O(bundle) also RELEASE and those of
      M(odoo_ops.change_control.recovery_bundle).
  returned: always
  type: dict
  sample: {"schema": 1, "subject": "restore drill of stanza shared", "measured_at": "2026-11-21T03:10:00Z", "checks": [
    {"id": "rto_s", "ok": true, "observed": 4.1, "expected": "<= 3600", "hint": "Restore from nearer or faster storage.", "code": "RTO"}]}
rto_s:
  description:
    - Seconds from the start of the drill to the first accepted connection, with O(kind=single_tenant) until the database is back, with
      O(kind=rebuild) what it took until Odoo answered.
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
odoo:
  description: The Odoo that was started on the copy, with the modules of its database. Null when it did not come to that.
  returned: always
  type: dict
  sample: {"version": "Odoo Server 19.0", "ready_s": 2.4, "modules": {"account": "19.0.1.4", "base": "19.0.1.3"}}
rehearsal:
  description: What O(odoo.update) did to the copy. Null when it did not come to that.
  returned: always
  type: dict
  sample: {"digest": "sha256:7d1c", "image": "registry/odoo@sha256:5e0a", "modules": "acme_billing", "seconds": 6.2,
    "locks": [{"table": "account_move", "mode": "AccessExclusiveLock", "seconds": 1.3}],
    "rows": {"account_move": {"inserted": 0, "updated": 1200, "deleted": 0}}}
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
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import transactions_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._drill import Drill, Order, processors
from ansible_collections.odoo_ops.change_control.plugins.module_utils._drill_dump import DumpDrill
from ansible_collections.odoo_ops.change_control.plugins.module_utils._drill_odoo import OdooOrder, Update
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import (
    GATE_SPEC,
    gate_result,
    refuse_leaks,
    run_module,
    seconds,
    utc_now,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import command_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import OPTIONS as S3_OPTIONS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signals import Interrupted

UPDATE_SPEC: dict[str, Any] = {
    "command": {"type": "path"},
    "image": {"type": "str"},
    "modules": {"type": "list", "elements": "str", "required": True},
    "digest": {"type": "str", "default": ""},
    "max_time": {"type": "str"},
    "max_lock": {"type": "str"},
}
ODOO_SPEC: dict[str, Any] = {
    "command": {"type": "path", "required": True},
    "image": {"type": "str", "default": ""},
    "database": {"type": "str"},
    "run_as": {"type": "str"},
    "login": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "api_key": {"type": "str", "default": "", "no_log": True},
    "company": {"type": "str", "default": "Change canary"},
    "transactions": {"type": "list", "elements": "str", "default": ["login", "invoice", "timesheet"]},
    "transaction_files": {"type": "list", "elements": "path", "default": []},
    "ready_timeout": {"type": "str", "default": "PT5M"},
    "update": {"type": "dict", "options": UPDATE_SPEC},
}
EITHER = ("path", "bucket")
FILESTORE_SPEC: dict[str, Any] = {
    "path": {"type": "path"},
    "bucket": {"type": "str"},
    "prefix": {"type": "str"},
}
RULES: dict[str, Any] = {
    "required_by": {"odoo": "filestore"},
    "required_if": [("kind", "rebuild", ("bundle", "odoo"))],
    "required_one_of": [("stanza", "dumps")],
    "mutually_exclusive": [("stanza", "dumps")],
}
SPEC: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": ["restore", "pitr", "rebuild", "single_tenant"], "default": "restore"},
    "bundle": {"type": "path"},
    "tenant": {"type": "str"},
    "definitions": {"type": "list", "elements": "dict"},
    "odoo": {"type": "dict", "options": ODOO_SPEC, "required_by": {"login": ("password", "api_key")}},
    "filestore": {"type": "dict", "options": FILESTORE_SPEC, "required_one_of": [EITHER], "mutually_exclusive": [EITHER]},
    "s3": {"type": "dict", "default": {}, "options": S3_OPTIONS},
    "target": {"type": "str"},
    "stanza": {"type": "str"},
    "dumps": {"type": "str"},
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
    if given["target"] and kind in ("restore", "rebuild"):
        raise ValueError(f"target is {given['target']}, and kind is {kind}. Set kind to pitr or single_tenant, or leave target out.")
    if given["bundle"] and kind != "rebuild":
        raise ValueError(f"bundle is {given['bundle']}, and kind is {kind}. Set kind to rebuild, or leave bundle out.")
    if kind == "single_tenant" and len(databases) != 1:
        raise ValueError(f"databases is {databases}, wanted exactly one with kind single_tenant: the database of the tenant.")
    if given["dumps"] and (kind != "single_tenant" or given["target"]):
        raise ValueError(f"dumps is {given['dumps']}, and kind is {kind}. Set kind to single_tenant, and leave target out.")
    to_instant, odoo = kind == "pitr" or given["target"], odoo_order(given) if given["odoo"] else None
    return Order(
        stanza=given["stanza"] or "",
        dumps=given["dumps"] or "",
        s3=given["s3"],
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
        odoo=odoo,
        bundle=Path(given["bundle"]) if given["bundle"] else None,
        tenant=given["tenant"] or (odoo.database if odoo else ""),
    )


def odoo_order(given: dict[str, Any]) -> OdooOrder:
    odoo, databases = given["odoo"], given["databases"]
    database = odoo["database"] or (databases[0] if len(databases) == 1 else "")
    if not database or (given["kind"] == "single_tenant" and database != databases[0]):
        raise ValueError(f"database of odoo is {odoo['database']!r}, wanted one of databases ({databases}). Name the one it serves.")
    run_as = odoo["run_as"] or given["run_as"]
    if run_as not in ("root", given["run_as"]):
        raise ValueError(f"run_as of odoo is {run_as}, wanted root or {given['run_as']}: nobody else reaches the copy's socket.")
    return OdooOrder(
        command=odoo["command"],
        image=odoo["image"],
        database=database,
        run_as=run_as,
        store={**given["filestore"], "s3": given["s3"]},
        known=transactions_of(given["definitions"] or ()),
        transactions=tuple(dict.fromkeys(odoo["transactions"])) if odoo["login"] else (),
        login=odoo["login"],
        password=odoo["password"],
        api_key=odoo["api_key"],
        company=odoo["company"],
        ready_s=seconds(odoo, "ready_timeout") or 1,
        timeout_s=seconds(given, "timeout") or 1,
        update=update_order(odoo) if odoo["update"] else None,
    )


def update_order(odoo: dict[str, Any]) -> Update:
    update = odoo["update"]
    return Update(
        command=update["command"] or odoo["command"],
        image=update["image"] or odoo["image"],
        modules=",".join(update["modules"]),
        digest=update["digest"],
        max_update_s=seconds(update, "max_time"),
        max_lock_s=seconds(update, "max_lock"),
    )


def perform(given: dict[str, Any], check: bool) -> dict[str, Any]:
    what = f"stanza {given['stanza']}" if given["stanza"] else f"the dumps in {given['dumps']}"
    at, subject = utc_now(), f"restore drill of {what}"
    try:
        drill = (DumpDrill if given["dumps"] else Drill)(order(given), began=at)
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
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True, **RULES), perform)


if __name__ == "__main__":
    main()
