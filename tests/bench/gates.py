"""P2, the gates and the guard of a change over the example estate of 46 tenants: CPU of each task as Ansible runs it, children included.

python -m tests.bench.gates

The ledger holds what a whole run has at its end (46 tenants, 8 steps each), the plan is approved by as many people as the shipped policy
asks for (one, and one of each dedicated tenant) with real SSH keys, and 20 calendars of 5 rules apply. A task costs the difference
between playbooks with and without some equal tasks, divided by their number. There is no peer that does the same, so the floor stands
beside it: a task that does nothing, and what the signatures alone cost.
"""

from __future__ import annotations

import datetime as dt
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection

ROOT = Path(__file__).resolve().parents[2]
TASKS, RUNS = 10, 3
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
FIGURES = {
    f"invoice.{step}": {"old_ms": 120.5, "new_ms": 121.25, "ratio": 1.006, "pairs": 24} for step in ("open", "edit", "post", "print")
}


def spent_s() -> float:
    """CPU of this process and of all children that have ended, user and system."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def cost_ms(work: Callable[[], object], runs: int = RUNS) -> float:
    """The least of some runs: whatever else runs on the machine only ever adds."""
    found = []
    for _number in range(runs):
        began = spent_s()
        work()
        found.append((spent_s() - began) * 1e3)
    return min(found)


def estate() -> list[Any]:
    """The tenants of the example inventory; each region has a cluster, each dedicated tenant its own."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    from tests.support.recorded import tenant

    found = []
    for host in InventoryManager(loader=DataLoader(), sources=[str(ROOT / "inventories/example/hosts.ini")]).get_hosts("tenants"):
        groups = {group.name for group in host.get_groups()}
        dedicated = "dedicated" in groups
        stanza = host.name if dedicated else next(name for name in groups if name.startswith("region_"))
        found.append(tenant(host.name, int(host.vars["tenant_cohort"]), "dedicated" if dedicated else "multi_tenant", stanza))
    return found


def calendars(now: dt.datetime, count: int = 20) -> list[dict[str, Any]]:
    """So many calendars of 5 rules that do not block the next hours."""
    day, other = now + dt.timedelta(days=9), (now.day + 9) % 27 + 1
    weekly = [DAYS[(now.weekday() + ahead) % 7] for ahead in (2, 3, 4)]
    return [
        {
            "name": f"calendar {number}",
            "timezone": ("Europe/Brussels", "America/New_York", "Asia/Tokyo")[number % 3],
            "holidays": {"country": "BE", "dates": [f"{now.year}-12-24"]},
            "rules": [
                {"name": "office hours", "effect": "deny", "weekly": {"days": weekly, "from": "08:00", "until": "18:00"}},
                {
                    "name": "payroll",
                    "effect": "deny",
                    "rrule": f"FREQ=MONTHLY;BYMONTHDAY={other}",
                    "start": "2020-01-01T06:00",
                    "duration": "PT8H",
                },
                {
                    "name": "filing",
                    "effect": "deny",
                    "span": {"from": {"day": other, "at": "08:00"}, "until": {"day": other, "at": "24:00"}},
                },
                {"name": "audit", "effect": "deny", "once": {"from": f"{day:%Y-%m-%d}T00:00", "until": f"{day:%Y-%m-%d}T12:00"}},
                {"name": "all the rest", "effect": "allow", "weekly": {"days": DAYS, "from": "00:00", "until": "24:00"}},
            ],
        }
        for number in range(count)
    ]


def recorded(folder: Path) -> Any:
    """A change that has one tenant to open, and all others released."""
    from tests.support.recorded import RecordedChange

    now = dt.datetime.now(dt.timezone.utc)
    at = now - dt.timedelta(minutes=50)
    made = RecordedChange(folder, estate(), at=at, window={"start": at.isoformat(), "duration": "PT4H"})
    *others, last = [name for names in made.plan["cohorts"] for name in names]
    proof = {"verdict": "pass", "sentence": "no step is slower", "figures": FIGURES}
    for name in others:
        for step in made.plan["steps"]:
            made.record(step, name, at=now - dt.timedelta(minutes=20), evidence=proof)
    for step in made.plan["steps"][:-2]:
        made.record(step, last, at=now - dt.timedelta(minutes=10), evidence=proof)
    return made


def tasks(made: Any, days: list[str]) -> dict[str, tuple[list[dict[str, Any]], dict[str, Any]]]:
    """The four tasks of which gates and guard consist, each with what has to run before it."""
    last = made.plan["cohorts"][-1][-1]
    guard = made.guard(last, step="opened", calendars=days)
    book = {key: guard[key] for key in ("ledger", "ledger_key", "ledger_trusted")}
    window = {"at": made.change["window"]["start"], "duration": made.change["window"]["duration"]}
    scope = {"environment": "production", "domain": "application", "class": "normal"}
    blackout = {**window, "tenants": list(made.plan["tenants"]), "scope": scope, "calendars": days}
    measured = {
        "blackout_check, 46 tenants": {"odoo_ops.change_control.blackout_check": blackout, "register": "blackout"},
        "change_debts": {"odoo_ops.change_control.change_debts": {**book, "class": "normal"}, "register": "debts"},
    }
    read = {**{key: book[key] for key in ("ledger", "ledger_trusted")}, "change": made.change, "state": "recorded"}
    judged = "{{ ([blackout, debts] + [backup] * 8) | odoo_ops.change_control.judged_gates(planned.plan) }}"
    before = [{"odoo_ops.change_control.change_plan": read, "register": "planned"}, *measured.values()]
    return {
        **{what: ([], task) for what, task in measured.items()},
        "judged_gates, of 8 clusters too": (before, {"ansible.builtin.set_fact": {"gates": judged}, "vars": {"backup": backup()}}),
        "change_guard": ([], {"odoo_ops.change_control.change_guard": guard}),
    }


def backup() -> dict[str, Any]:
    """What the gates of one cluster return."""
    checks = [{"id": f"check_{number}", "ok": True, "observed": 1, "expected": "<= 2", "hint": "", "code": ""} for number in range(12)]
    return {"verdict": "pass", "evidence": {"schema": 1, "subject": "cluster", "measured_at": "2026-12-05T19:00:00Z", "checks": checks}}


def task_ms(folder: Path, before: list[dict[str, Any]], task: dict[str, Any]) -> float:
    """What each of some equal tasks adds. One more is run in both, so that what a run loads once is not counted."""
    return (playbook_ms(folder, [*before, *[task] * (TASKS + 1)]) - playbook_ms(folder, [*before, task])) / TASKS


def playbook_ms(folder: Path, tasks: list[dict[str, Any]]) -> float:
    from tests.support.ansible import environment

    path = folder / "play.yml"
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    path.write_text(yaml.safe_dump([play], sort_keys=False))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(path)]

    def run() -> None:
        done = subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"a task of the bench failed, so its figure means nothing:\n{done.stdout}{done.stderr}")

    return cost_ms(run)


def parts(made: Any, days: list[str]) -> dict[str, Callable[[], object]]:
    """What the guard does, in process."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import calendar_decide, plan, progress
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.calendar_files import read_calendars
    from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import recorded_approval_checks
    from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import open_ledger

    from tests.support.recorded import CHANGE

    options = made.guard("-")
    now, events = dt.datetime.now(dt.timezone.utc), made.ledger.events(CHANGE)
    question = calendar_decide.Question(at=now, duration_s=3600, tenants=tuple(made.plan["tenants"]))

    def approvals() -> None:
        found = recorded_approval_checks(
            events,
            change=made.change,
            digest=made.digest,
            policy=made.plan["policy"],
            executor="ops-2",
            allowed_signers=options["allowed_signers"],
            members=options["approver_groups"],
            now=now,
        )
        assert all(check.ok for check in found), found

    return {
        f"{len(events)} events read and proved": lambda: open_ledger(options).events(CHANGE),
        f"{len(made.groups)} approvals verified": approvals,
        f"{len(days)} calendars read and asked for 46 tenants": lambda: calendar_decide.decide(read_calendars(days), question),
        "where all tenants stand": lambda: progress.states(events, made.plan),
        "digest of the plan": lambda: plan.plan_digest(made.plan),
    }


def floors(made: Any, folder: Path) -> dict[str, Callable[[], object]]:
    """What the signatures alone cost: Ed25519 of the ledger's entries, and a bare ssh-keygen for each approval."""
    from tests.support.recorded import CHANGE

    keyid, message = made.signer.keyid, b"x" * 1024
    signature = made.signer.sign(message)
    trust, count = made.ledger.trusted(), len(made.ledger.events(CHANGE)) + 1
    person = next(name for names in made.groups.values() for name in names)
    text = folder / "text"
    text.write_bytes(message)
    sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "bench", "-f", str(folder / person), str(text)]
    subprocess.run(sign, check=True, capture_output=True)
    allowed = str(folder / "allowed_signers")
    verify = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", person, "-n", "bench", "-s", str(text.with_name("text.sig"))]

    def keygens() -> None:
        for _number in made.groups:
            subprocess.run(verify, input=message, check=True, capture_output=True)

    return {
        f"{count} bare Ed25519 verifications": lambda: [trust.verify(keyid, message, signature) for _number in range(count)],
        f"{len(made.groups)} bare ssh-keygen -Y verify": keygens,
    }


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = recorded(folder)
        days = []
        for number, calendar in enumerate(calendars(dt.datetime.now(dt.timezone.utc))):
            days.append(str(folder / f"calendar-{number}.yml"))
            Path(days[-1]).write_text(yaml.safe_dump([calendar]))
        given = tasks(made, days)
        found = {what: task_ms(folder, before, task) for what, (before, task) in given.items()}
        debug = {"ansible.builtin.debug": {"msg": "nothing"}}
        nothing, loaded = task_ms(folder, [], debug), playbook_ms(folder, [given["change_guard"][1]]) - playbook_ms(folder, [debug])
        print(f"P2 gates and guard of a change of {len(made.plan['tenants'])} tenants, CPU of each task (wanted: <= 300 ms together)")
        for what, ms in {**found, "together": sum(found.values()), "a task that does nothing": nothing}.items():
            print(f"   {what:<50} {ms:7.1f} ms")
        print(f"   {'once in a run, for the code of the guard':<50} {loaded - found['change_guard'] + nothing:7.1f} ms")
        print("P2 what the guard consists of, in process:")
        for what, work in {**parts(made, days), **floors(made, folder)}.items():
            work()
            print(f"   {what:<50} {cost_ms(work, 5):7.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
