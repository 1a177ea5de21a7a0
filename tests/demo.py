"""./dev demo: a real change through a real site, and one that the canary catches.

Two people take part, both played by this program with keys that the lab made: ops-1 requests, approver-1 approves.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.lab import __main__ as lab
from tests.lab.progress import step
from tests.lab.site import LabError, Site
from tests.support.estate import Estate
from tests.support.starting import GOOD as GOOD_RELEASES


class Untold(Exception):
    """The demo did not go the way it is told."""


@dataclass(frozen=True)
class Story:
    """How a change must end for the demo to be true."""

    release: str
    result: str
    canary: str
    others: str
    failing_step: str = ""
    reason: str = ""

    def differences(self, report: Mapping[str, Any], canaries: set[str]) -> list[str]:
        """What the report says otherwise, one sentence each."""
        seen = {"result": (report["result"], self.result), "ledger": (report["ledger"]["verdict"], "pass")}
        for name, tenant in report["tenants"].items():
            seen[name] = (tenant["result"], self.canary if name in canaries else self.others)
            failure = tenant["failure"] or {}
            if self.failing_step and name in canaries:
                seen[f"failing step of {name}"] = (failure.get("step"), self.failing_step)
                if self.reason not in failure.get("reason", ""):
                    seen[f"reason of {name}"] = (failure.get("reason"), f"… {self.reason} …")
        if missing := canaries - set(report["tenants"]):
            seen["canary tenants"] = (None, ", ".join(sorted(missing)))
        return [f"{what} is {is_!r}, wanted {wanted!r}" for what, (is_, wanted) in seen.items() if is_ != wanted]


GOOD = Story(GOOD_RELEASES[0], "succeeded", canary="released", others="released")
SLOW = Story("3", "failed", canary="rolled back", others="untouched", failing_step="proved", reason="invoice.post")


def title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def next_id(estate: Estate) -> Iterator[str]:
    """Change ids that the ledger does not know yet."""
    year, number = time.strftime("%Y"), 0
    while True:
        number += 1
        if not (estate.ledger / f"CHG-{year}-{number:04d}").exists():
            yield f"CHG-{year}-{number:04d}"


def watch(estate: Estate, command: Sequence[str], change_id: str, log: str) -> int:
    """Runs a playbook and prints every event as it is recorded."""
    process = estate.start(command, log)
    began, seen = time.monotonic(), len(estate.events(change_id))
    while True:
        ended = process.poll() is not None
        events = estate.events(change_id)
        for event in events[seen:]:
            who = f"{event['tenant']}: " if event["tenant"] else ""
            print(f"  {time.monotonic() - began:6.1f} s  {who}{event['event']}{_detail(event)}", flush=True)
        seen = len(events)
        if ended:
            return int(process.returncode)
        time.sleep(0.3)


def _detail(event: dict[str, Any]) -> str:
    evidence = event["evidence"]
    for key in ("sentence", "reason", "result", "verdict"):
        if evidence.get(key):
            return f" ({evidence[key]})"
    return ""


def show_tenants(estate: Estate) -> None:
    url = estate.site.facts("traefik")["url"]
    for name, tenant in estate.tenants.items():
        answer = requests.get(f"{url}/web/login", headers={"Host": tenant["host"]}, timeout=30)
        login = answer.status_code == 200 and "csrf_token" in answer.text
        print(f"  {name}: http://{tenant['host']} through Traefik: {answer.status_code}, Odoo login page: {login}")
        if not login:
            raise Untold(f"tenant {name} does not show its login page; look at its pod's log in {estate.site.root / 'pods'}")


def take(estate: Estate, change_id: str, story: Story, *, ends_on: str) -> Path:
    """A change from its file to its end, the way people do it: run, sign, run again. Raises Untold unless it ends as told."""
    change = estate.change(change_id, story.release)
    command = estate.change_command(change)
    print(f"$ ansible-playbook {' '.join(command[1:])}")
    code, steps = watch(estate, command, change_id, f"{change_id}-plan"), estate.steps(change_id)
    if code == 0 or steps != ["planned", "gated"]:
        log = logged(estate, f"{change_id}-plan")
        raise Untold(f"{change_id} without approval ended with {code} after {steps}, wanted a stop after its gates; {log}")
    print(f"  ended with {code}: a plan without approval stops here, as it must")
    estate.sign(change_id)
    print(f"  approver-1 signs {estate.planned(change_id)['digest']} with ssh-keygen -Y sign; the same command again")
    code = watch(estate, command, change_id, change_id)
    report = estate.root / "reports" / f"{change_id}.json"
    if not report.exists():
        raise Untold(f"{change_id} ended with {code} and without a report; {logged(estate, change_id)}")
    document = json.loads(report.read_text())
    print("\n".join(["", *document["lines"], f"exit code {code}; report {report}"]))
    wrong = [*contradictions(estate, story, document, code), *not_on(estate, ends_on)]
    if wrong:
        raise Untold(f"{change_id} did not end as told: {'; '.join(wrong)}; {logged(estate, change_id)}")
    return report


def contradictions(estate: Estate, story: Story, report: Mapping[str, Any], code: int) -> list[str]:
    """What the exit code and the report say otherwise than the story."""
    canaries = {name for name, tenant in estate.tenants.items() if tenant["cohort"] == 1}
    wrong = story.differences(report, canaries)
    if (code == 0) != (story.result == "succeeded"):
        wrong.append(f"exit code is {code}, wanted {'0' if story.result == 'succeeded' else 'another than 0'}")
    return wrong


def not_on(estate: Estate, release: str) -> list[str]:
    """Which tenants run something else than the release, one sentence each."""
    image, runs = estate.releases[release]["image"], {name: set(estate.images(name).values()) for name in estate.tenants}
    return [f"{name} runs {', '.join(sorted(images))}, wanted {image}" for name, images in runs.items() if images != {image}]


def logged(estate: Estate, name: str) -> str:
    return f"its output is in {estate.logs / f'{name}.log'}"


def usable(site: Site) -> bool:
    """Whether the site of an earlier run is whole: every part is well, and its tenants all run one good release."""
    return lab.up(site, []) == 0 and any(not not_on(Estate(site), release) for release in ("1", *GOOD_RELEASES))


def site_up(site: Site) -> Estate:
    """A site whose tenants all run one good release: a new one, or that of an earlier run."""
    title("The site: every part real, on this machine")
    if site.has("estate") and not usable(site):
        with step("end the site of an earlier run, which is not whole"):
            site.destroy()
    if not site.has("estate") and lab.up(site, []):
        raise Untold("a part of the lab is not well; ./dev lab status names it")
    estate = Estate(site)
    show_tenants(estate)
    return estate


def play(site: Site) -> None:
    began, estate = time.monotonic(), site_up(site)
    title("A restore drill of both clusters and a reading of their repositories, because no change passes without fresh ones")
    if all(any(estate.ledger.glob(f"{series}-*")) for series in ("DRILL", "BACKUP")):
        print("  those of the earlier run are in the ledger and fresh")
    else:
        with step("restore_drill and backup_verify"):
            estate.prove_backups()

    ids = next_id(estate)
    # on the site of an earlier run release 2 is there already: then the same under its next version number
    release = next(name for name in GOOD_RELEASES if not_on(estate, name))
    title(f"A good release, {release}: planned, gated, approved by someone else, rolled out by cohort")
    good = take(estate, next(ids), replace(GOOD, release=release), ends_on=release)

    title("A release that posts invoices 40 % slower: the canary stops it, and the tenant is brought back")
    bad = take(estate, next(ids), SLOW, ends_on=release)
    show_tenants(estate)

    title("The record")
    print(f"  ledger: {estate.ledger}\n  reports: {good}, {bad}")
    print(f"  as told: release {release} everywhere; release 3 stopped by the canary, other cohorts untouched; the ledger of both verified")
    print(f"  the lab is up: ./dev lab status shows it, ./dev lab down ends it\n  {time.monotonic() - began:.0f} s in all")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--name", default=lab.default_name(), help="the lab's name")
    parser.add_argument("--down", action="store_true", help="end the lab afterwards")
    args = parser.parse_args()
    site = Site.named(args.name)
    try:
        play(site)
        if args.down:
            site.destroy()
    except (LabError, Untold) as exc:
        print(f"demo: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
