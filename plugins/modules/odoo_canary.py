#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_canary
short_description: Do the business transactions on old and new release and judge which is worse
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Does the same business transactions on a baseline (old release) and a canary (new release) of one tenant, in interleaved
    pairs and random order, and judges errors and speed of every step.
  - The transactions are declared in YAML, with a schema. Those that ship are C(login), C(session) (whoever is logged in stays so),
    C(invoice), C(timesheet), C(journal_entry), C(bank_statement), C(payment_batch), C(project_report), C(order), C(document) (a file
    of the file store), C(scheduled_actions) and C(integration_xmlrpc). O(transaction_files) adds an estate's own; the format is in
    docs/transactions.md.
  - A transaction whose Odoo modules are not installed is not applicable. It is told in RV(not_applicable), and is not judged.
  - Each step is timed by itself. An invoice is set back to draft and posted again twice, and the median counts, because posting is short
    and noisy. The canary's journal must not be locked with hashes.
  - The judge looks after every pair and stops as soon as it knows. The probability of a false C(fail) over all steps is at
    most O(alpha), and so is the probability of a false C(pass) of a step that is as slow as O(tolerance) allows.
  - Writes only into the tenant's canary company, as a user who sees no other company, and takes everything back. What a killed
    run has left there is found by its tag and taken back by the next run.
  - Only one canary may work on a tenant at a time.
  - While it runs where Ansible itself runs, and the standard output of that is a terminal, it says every five seconds what is known.
options:
  tenant:
    description: Name of the tenant, for messages and evidence.
    type: str
    required: true
  change:
    description: Id of the change. It tags every row written, and draws the random order.
    type: str
    required: true
  database:
    description: Name of the tenant's database.
    type: str
    required: true
  login:
    description: Login of the canary company's user.
    type: str
    required: true
  password:
    description: Password of that user, for the login transaction.
    type: str
    required: true
  api_key:
    description: API key of that user, for the work on models through JSON-2.
    type: str
    required: true
  company:
    description: Name or id of the canary company. It must be the only company of the user.
    type: str
    default: Change canary
  baseline:
    description: Where the old release answers. Required with O(mode=compare).
    type: dict
    suboptions: &side
      url:
        description: Base address, without a path.
        type: str
        required: true
      host:
        description: Host header, when it differs from the address.
        type: str
        default: ''
      release:
        description: What runs there, such as its image. For the record and the evidence.
        type: str
        default: ''
      marks:
        description: Headers sent with every request that are no secret, such as the mark that lets a canary through a held route.
        type: dict
        default: {}
      headers:
        description: Headers sent with every request that may hold a secret. Their values are hidden wherever they would be told.
        type: dict
        default: {}
  canary:
    description: Where the new release answers.
    type: dict
    required: true
    suboptions: *side
  mode:
    description:
      - V(compare) measures both sides and judges errors and speed.
      - V(smoke) does the transactions on the canary alone and judges errors only.
      - V(record) does them on the canary alone and compares with what this tenant's earlier releases took, as O(record) has it. For when
        the old release cannot run beside the new one, because the schema has changed. It needs three recorded runs of other days, has a
        wider margin, and cannot tell a slower release from a slower machine. Use V(compare) wherever that is possible.
    type: str
    choices: [compare, smoke, record]
    default: compare
  rounds:
    description: Rounds of V(smoke) that must go through without an error.
    type: int
    default: 3
  transactions:
    description: The transactions to do, by name.
    type: list
    elements: str
    default: [login, invoice, timesheet]
  transaction_files:
    description: Files on the controller, or folders of them, with transactions of the estate's own. One of a shipped name replaces that.
    type: list
    elements: path
    default: []
  definitions:
    description: What the transactions are. The action of this name reads them out of their files; there is no need to give it.
    type: list
    elements: dict
  modules:
    description:
      - Odoo modules that the release has updated. The database must have each in the version of the canary's files, else the update did not
        end (C(UPDATE_UNFINISHED)), and nothing is done.
    type: list
    elements: str
    default: []
  api:
    description:
      - How models are called. V(auto) is JSON-2 where Odoo has it (19 and later), else XML-RPC.
      - V(xmlrpc) on a release that does not offer it any more is C(API_GONE).
    type: str
    choices: [auto, json2, xmlrpc]
    default: auto
  tolerance:
    description: A step may take this many times as long as before. Must be greater than 1.
    type: float
    default: 1.2
  alpha:
    description: The probability of a wrong verdict that is accepted.
    type: float
    default: 0.01
  warmup:
    description:
      - Rounds at the start whose figures are thrown away.
      - Up to ten more are, as long as the last one took twice as long as the fastest of its side, because each worker process of Odoo
        loads the registry at its first request. V(0) throws none away.
    type: int
    default: 2
  min_rounds:
    description: Rounds without any error that a C(pass) needs.
    type: int
    default: 8
  max_rounds:
    description: Rounds after which the verdict stays C(unknown).
    type: int
    default: 240
  budget_s:
    description: Seconds after which the verdict stays C(unknown), readiness not counted.
    type: float
    default: 300
  pause_s:
    description: Seconds to wait after each transaction of a round, which bounds the load on production.
    type: float
    default: 0
  concurrency:
    description:
      - How many users work at the same time, each on both sides. There are never more requests in flight.
      - With V(1) nobody waits for anybody, so that what a step takes is measured. More show what only many users feel, such as too few
        workers or connections; that belongs on a copy, or outside of business hours.
    type: int
    default: 1
  ready_timeout_s:
    description: Seconds to wait for the login page of either side.
    type: float
    default: 60
  request_timeout_s:
    description: Seconds to wait for an answer to one request. No answer is an error of that step.
    type: float
    default: 30
  postgres:
    description:
      - Where the tenant's database is. With it, the database is asked afterwards whether the canary's user wrote any row of another
        company, or one without a company that somebody else made (C(OUTSIDE)). It only reads, and may be a standby that is current.
      - What code does as another user, such as Odoo's superuser, and what was deleted, is not seen.
    type: dict
    suboptions:
      host:
        description: Host of the cluster.
        type: str
        required: true
      port:
        description: Port of the cluster.
        type: int
        default: 5432
      sslmode:
        description: How TLS is used, as in libpq.
        type: str
        choices: [disable, prefer, require, verify-ca, verify-full]
        default: prefer
      user:
        description: A user who may read all tables of the database, such as the tenant's own role.
        type: str
        required: true
      password:
        description: Password of that user.
        type: str
      role:
        description: The role that the tenant's Odoo connects with. By default O(postgres.user).
        type: str
      timeout_s:
        description: Seconds that looking through the tables may take. What was not looked through then makes the result C(unknown).
        type: float
        default: 60
      cron_processes:
        description:
          - How many processes may run the tenant's scheduled actions. More of them are C(CRON_TWICE), an old release that still runs them,
            for example. Without it they are not counted.
          - Odoo's process is known by its connection to the database V(postgres), so the role must be this tenant's alone.
        type: int
  ca_path:
    description: File of certificate authorities to trust instead of the system's.
    type: path
  chart:
    description:
      - File on the host of the task in which all steps are drawn, both distributions and the path of the tests. An HTML page that
        needs nothing from outside. It is written whole when the canary ends, whatever its verdict, and not at all in check mode.
        Its folder must be there.
      - The page of the change's report has the same pictures; this is for canaries outside of a change, and for looking at once.
    type: path
  record:
    description:
      - Where the tenant's record lies, a folder of the host of the task or C(s3://bucket/prefix), which O(record_s3) tells how to reach. It
        holds a file for each tenant, with at most twelve runs. Required with O(mode=record).
      - A run that compared is added when it ends, not in check mode. Of the new release when the verdict is C(pass), else of the
        old one, if that was measured. The record is not signed. Who may write there decides what the next release is compared with.
    type: str
  record_s3:
    description: How to reach the bucket that O(record) names.
    type: dict
    default: {}
    suboptions:
      endpoint_url:
        description: Address of the object store. The default is that of AWS.
        type: str
      access_key:
        description: Identity that may read and write the objects.
        type: str
      secret_key:
        description: Secret of the access key.
        type: str
      region:
        description: Region that requests are signed for.
        type: str
        default: us-east-1
      ca_bundle:
        description: File of the certificate authority that the object store's certificate comes from.
        type: path
extends_documentation_fragment:
  - odoo_ops.change_control.gate
requirements:
  - requests
  - jmespath
  - psycopg >= 3.2, with O(postgres)
notes:
  - In check mode nothing is asked of Odoo and nothing written. The verdict is C(unknown), and the task does not fail, unless V(record)
    has too little to compare with, which a run would stop at, too.
attributes:
  check_mode:
    support: full
    description: Writes nothing; the verdict is then C(unknown).
  diff_mode:
    support: none
    description: Nothing is changed for good.
  idempotent:
    support: full
    description: Everything written is taken back.
"""

EXAMPLES = r"""
- name: Prove the new release on one tenant
  odoo_ops.change_control.odoo_canary:
    tenant: acme
    change: CHG-2026-0142
    database: acme
    login: change-canary
    password: "{{ tenant_canary_password }}"
    api_key: "{{ tenant_canary_api_key }}"
    baseline:
      url: http://10.0.0.7
      host: acme.example.com
      marks: {X-Odoo-Ops-Side: baseline}
    canary:
      url: http://10.0.0.7
      host: acme.example.com
      marks: {X-Odoo-Ops-Side: canary}

- name: See whether a restored copy does business at all
  odoo_ops.change_control.odoo_canary:
    tenant: acme
    change: CHG-2026-0142
    database: acme_rehearsal
    login: change-canary
    password: "{{ tenant_canary_password }}"
    api_key: "{{ tenant_canary_api_key }}"
    mode: smoke
    canary: {url: "http://127.0.0.1:8069"}

- name: Compare with what the tenant's earlier releases took
  odoo_ops.change_control.odoo_canary:
    tenant: acme
    change: CHG-2026-0142
    database: acme
    login: change-canary
    password: "{{ tenant_canary_password }}"
    api_key: "{{ tenant_canary_api_key }}"
    mode: record
    record: /var/lib/change-control/canary
    tolerance: 1.5
    canary: {url: "http://10.0.0.7", host: acme.example.com, release: "registry/odoo@sha256:0f1e"}
"""

RETURN = r"""
verdict:
  description: C(pass), C(fail) or C(unknown). Unknown never passes.
  returned: always
  type: str
  sample: fail
msg:
  description: One sentence, what was seen, what was wanted and what to do.
  returned: always
  type: str
  sample: >-
    tenant acme: latency:invoice.post is 1.41 times as slow over 34 pairs, tolerated 1.2, wanted <= 1.2.
    Profile this step on the new release; it must not be rolled out further.
evidence:
  description:
    - What was measured, schema 1. Its checks are C(latency:STEP), C(errors:STEP) and C(clean), with O(postgres) also C(outside) and
      C(cron_runners).
    - Their codes are SLOWER, SPREAD, ERRORS, TOO_FEW, BASELINE_SICK, MISSING, CONSTANT, DUPLICATE, NO_RECORD, RECORD_SCATTERS,
      NOT_READY, CHECK_MODE, LEFTOVERS, OUTSIDE, OUTSIDE_UNSEEN, CRON_TWICE, CRON_UNSEEN, NOT_APPLICABLE, UPDATE_UNFINISHED, RIGHTS,
      API_GONE, SESSION_LOST, CONTRACT, and those that a transaction declares.
    - Its C(baseline) is the same as RV(baseline).
  returned: always
  type: dict
  sample:
    schema: 1
    subject: tenant acme
    measured_at: "2026-12-05T19:00:00Z"
    checks:
      - id: latency:invoice.post
        ok: false
        observed: 1.41 times as slow over 34 pairs, tolerated 1.2
        expected: <= 1.2
        hint: Profile this step on the new release; it must not be rolled out further.
        code: SLOWER
figures:
  description:
    - For each step the number of pairs, medians in seconds, their ratio, e-values of the tests, decision, and the counts of errors.
    - C(ratio_low) and C(ratio_high) bound the factor between the sides, each with an error of 1 % over all looks at once.
    - C(p95_low) and C(p95_high) bound the ratio of the 95th percentiles for one look only; they are null when there are too few samples.
    - C(power) is how likely this many pairs were to find a step that is 1.17 times as slow as tolerated.
    - C(quantiles) has the durations in seconds at 0, 5, … 100 % of each side, and C(path) both tests and the ratio with its bounds after at
      most 60 of the looks, as columns. A bound is null where it was not taken. With O(mode=smoke) there is no path.
  returned: always
  type: dict
  sample:
    invoice.post:
      n: 34
      baseline_median_s: 0.081
      canary_median_s: 0.114
      ratio: 1.41
      e_fail: 612.4
      e_pass: 1.0
      decision: fail
      code: SLOWER
      reason: 1.41 times as slow over 34 pairs, tolerated 1.2
      more: 0
      ratio_low: 1.21
      ratio_high: 1.63
      p95_ratio: 1.38
      p95_low: null
      p95_high: null
      power: 0.58
      spread_ratio: 1.1
      spread_e_fail: 0.2
      spread_e_pass: 100.0
      errors:
        rounds: 34
        canary_errors: 0
        baseline_errors: 0
        e_fail: 1.0
        decision: pass
        code: ""
        reason: ""
        more: 0
        rate_below: 0.127
      quantiles:
        baseline: [0.066, 0.069, 0.071, 0.073, 0.074, 0.075, 0.076, 0.078, 0.079, 0.08,
          0.081, 0.082, 0.083, 0.085, 0.086, 0.088, 0.09, 0.092, 0.095, 0.1, 0.11]
        canary: [0.09, 0.095, 0.099, 0.1, 0.102, 0.104, 0.106, 0.108, 0.11, 0.112,
          0.114, 0.115, 0.117, 0.119, 0.121, 0.124, 0.127, 0.131, 0.136, 0.145, 0.16]
      path:
        n: [11, 22, 34]
        e_fail: [3.1, 40.2, 612.4]
        e_pass: [0.2, 0.01, 0.001]
        ratio: [1.38, 1.4, 1.41]
        ratio_low: [null, 1.1, 1.21]
        ratio_high: [null, 1.8, 1.63]
        tolerance: 1.2
        allowance: 1.0
        target_fail: 625.0
        target_pass: 100.0
baseline:
  description:
    - What the canary was compared with. C(kind) is C(fresh) for an old release that ran beside it, C(record) for earlier runs of the
      tenant, C(none) when nothing was compared.
    - C(release) and C(measured_at) say of what and when (of a record the newest run), and C(samples) how many there were of the step
      with the fewest. Of a record C(runs) says how many runs they come from.
  returned: always
  type: dict
  sample: {kind: fresh, release: "registry/odoo@sha256:9a8b", measured_at: "2026-12-05T19:00:00Z", samples: 34}
sentence:
  description: The result for people who do not read statistics.
  returned: always
  type: str
  sample: "invoice.post takes 1.41 times as long as before (114 ms against 81 ms over 34 pairs): slower than the tolerated 1.2."
rounds:
  description: Rounds measured, warm-ups not counted.
  returned: always
  type: int
  sample: 34
elapsed_s:
  description: Seconds of warm-ups and rounds.
  returned: always
  type: float
  sample: 21.4
stopped:
  description: >-
    Why it ended. C(decided), C(max_rounds), C(budget), C(baseline_sick), C(record) (its samples are
    used up), C(error), C(check_mode).
  returned: always
  type: str
  sample: decided
swept:
  description: Rows of an earlier, killed run that were taken back at the start.
  returned: always
  type: int
  sample: 0
warmed:
  description: Rounds thrown away at the start.
  returned: always
  type: int
  sample: 2
not_applicable:
  description: Transactions that were not done because the tenant lacks Odoo modules, and which.
  returned: always
  type: dict
  sample: {"order": ["sale"]}
ready_s:
  description: Seconds waited for each side to be ready.
  returned: always
  type: dict
  sample: {"baseline": 0.03, "canary": 1.2}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._canary import (
    draw,
    measured,
    not_run,
    plan_of,
    sides_of,
    unwritable,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._canary_baseline import NONE, RECORD_SPEC, compared, comparison
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import secrets_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import transactions_of, unknown_transactions
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transactions import limits_wrong, metrics
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, refuse_leaks, run_module, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.canary import Teller, carry_out, silent
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import OdooError

SIDE: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "host": {"type": "str", "default": ""},
    "release": {"type": "str", "default": ""},
    "marks": {"type": "dict", "default": {}},
    "headers": {"type": "dict", "default": {}, "no_log": True},
}
POSTGRES: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "sslmode": {"type": "str", "default": "prefer", "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"]},
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "role": {"type": "str"},
    "timeout_s": {"type": "float", "default": 60},
    "cron_processes": {"type": "int"},
}
SPEC: dict[str, Any] = {
    "tenant": {"type": "str", "required": True},
    "change": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    "login": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "api_key": {"type": "str", "required": True, "no_log": True},
    "company": {"type": "str", "default": "Change canary"},
    "baseline": {"type": "dict", "options": SIDE},
    "canary": {"type": "dict", "required": True, "options": SIDE},
    "mode": {"type": "str", "choices": ["compare", "smoke", "record"], "default": "compare"},
    "rounds": {"type": "int", "default": 3},
    "transactions": {"type": "list", "elements": "str", "default": ["login", "invoice", "timesheet"]},
    "transaction_files": {"type": "list", "elements": "path", "default": []},
    "definitions": {"type": "list", "elements": "dict"},
    "modules": {"type": "list", "elements": "str", "default": []},
    "api": {"type": "str", "choices": ["auto", "json2", "xmlrpc"], "default": "auto"},
    "tolerance": {"type": "float", "default": 1.2},
    "alpha": {"type": "float", "default": 0.01},
    "warmup": {"type": "int", "default": 2},
    "min_rounds": {"type": "int", "default": 8},
    "max_rounds": {"type": "int", "default": 240},
    "budget_s": {"type": "float", "default": 300},
    "pause_s": {"type": "float", "default": 0},
    "concurrency": {"type": "int", "default": 1},
    "ready_timeout_s": {"type": "float", "default": 60},
    "request_timeout_s": {"type": "float", "default": 30},
    "postgres": {"type": "dict", "options": POSTGRES},
    "ca_path": {"type": "path"},
    "chart": {"type": "path"},
    **RECORD_SPEC,
    **GATE_SPEC,
}
RULES: dict[str, Any] = {"required_if": [("mode", "compare", ("baseline",)), ("mode", "record", ("record",))]}
NOTHING: dict[str, Any] = {"figures": {}, "rounds": 0, "elapsed_s": 0.0, "swept": 0, "warmed": 0, "ready_s": {}, "not_applicable": {}}


def perform(given: dict[str, Any], check: bool, tell: Teller = silent) -> dict[str, Any]:
    at, subject = utc_now(), f"tenant {given['tenant']}"
    if why := limits_wrong(given) or unwritable(given):
        raise ChangeError(f"{subject}: {why}")
    common: dict[str, Any] = {"at": at, "enforce": given["enforce"]}
    known = transactions_of(given["definitions"] or ())
    if wrong := unknown_transactions(given["transactions"], known):
        raise ChangeError(f"{subject}: {wrong[0]}")
    beside = comparison(given, metrics(known[name] for name in dict.fromkeys(given["transactions"])), at)
    if beside.wrong:  # there is nothing to compare with, so nothing is done to the tenant
        said = f"The canary cannot be compared with the record: {beside.wrong[0].observed}."
        found = gate_result(subject, beside.wrong, stopped="error", sentence=said, warnings=list(beside.warnings), **NOTHING, **common)
        return compared(found, beside.about({}))
    if check:  # a canary without transactions has seen nothing
        checks = [unknown("transactions", "check mode: none was done", hint="Run without check mode to know.", code="CHECK_MODE")]
        said = "Check mode: no transaction was done, so nothing is known."
        return compared(gate_result(subject, checks, at=at, enforce=False, stopped="check_mode", sentence=said, **NOTHING), NONE)
    try:
        plan = plan_of(given, known, beside.baseline)
        run = carry_out(sides_of(given), plan, tell)
    except OdooError as exc:
        said = f"The canary could not run: {exc}"
        return compared(gate_result(subject, [not_run(exc)], stopped="error", sentence=said, **NOTHING, **common), beside.about({}))
    seen = measured(run, plan)
    warnings = [*beside.warnings, *draw(given, seen, secrets_of(SPEC, given)), *beside.keep(run.records, run.judgement.verdict)]
    found = gate_result(subject, [*run.judgement.checks, *run.extra], warnings=warnings, **seen, **common)
    return compared(found, beside.about(run.judgement.figures))


def main() -> None:
    refuse_leaks(SPEC)
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True, **RULES), perform)


if __name__ == "__main__":
    main()
