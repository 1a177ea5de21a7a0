"""F18: no secret comes out anywhere. Counted and printed: ./dev python -m tests.faults.secret_leaks

Every module and action plugin is run by ansible-playbook -vvv, many tasks a process: with a secret of its own in every option that
carries one, an address with a password in every other option, secrets in files and in the environment; with and without --check and
--diff; on success as far as it goes without a site, and against servers that answer 400 to 503, repeat the credentials that they
got, drop, stay silent, or show a certificate that nobody trusts. Then every form of every secret is looked for in all output, in
all files below the run's folders (while it lives, and after), in every file that it wrote elsewhere, and in all processes' arguments.
``--part 10`` takes every tenth case. ``--lab NAME`` runs the playbooks of a site that is up, and looks for its own passwords.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.support import awx as awx_documents
from tests.support import leak_servers, leak_site
from tests.support.awx_server import AwxServer
from tests.support.leak_cases import GROUPS, Case, Cases, Seeds
from tests.support.leak_options import has_action, is_action, names, options
from tests.support.leak_place import CHANGE, Place, key_body
from tests.support.leak_search import Search
from tests.support.leak_watch import Watch

MARK = f"Qz7{secrets.token_hex(7)}x"
"""All seeds of this process begin so; another run beside it has another mark. Letters and digits only: no quoting changes it."""
CHUNK = 120
ENVIRONMENT = (
    "PGPASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "PGBACKREST_REPO1_S3_KEY_SECRET",
    "PGBACKREST_REPO1_CIPHER_PASS",
    "ODOO_PASSWORD",
    "ODOO_API_KEY",
    "CONTROLLER_OAUTH_TOKEN",
    "CONTROLLER_PASSWORD",
    "TOWER_OAUTH_TOKEN",
    "TOWER_PASSWORD",
    "AAP_TOKEN",
    "K8S_AUTH_API_KEY",
    "K8S_AUTH_PASSWORD",
    "ANSIBLE_BECOME_PASSWORD",
    "ANSIBLE_GALAXY_SERVER_HUB_TOKEN",
    "VAULT_TOKEN",
)


@dataclass
class Tally:
    """What was done and what was found."""

    cases: list[Case] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    not_run: list[str] = field(default_factory=list)
    leaks: dict[str, str] = field(default_factory=dict)
    sweeps: int = 0
    arguments: int = 0
    searched_bytes: int = 0


def configuration(place: Place) -> dict[str, str]:
    """Ansible's own folders, all below the place; and everything it can be made to tell."""
    root = place.root
    return {
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "ANSIBLE_HOME": str(root / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(root / "ansible" / "tmp"),
        "ANSIBLE_REMOTE_TMP": str(root / "remote"),
        "ANSIBLE_CONFIG": str(place.config),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_INJECT_INVOCATION": "1",
        "ANSIBLE_DISPLAY_TRACEBACK": "always",
        "ANSIBLE_LOG_PATH": str(place.out / "ansible.log"),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.tree,ansible.builtin.junit",
        "ANSIBLE_CALLBACK_TREE_DIR": str(place.out / "tree"),
        "JUNIT_OUTPUT_DIR": str(place.out / "junit"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }


def environment(place: Place, watch: Watch, seeds: Seeds) -> dict[str, str]:
    secret = {name: seeds.new(f"environment variable {name}") for name in ENVIRONMENT}
    leak_servers.OF_IDENTITY["AKIAENVIRONMENT"] = secret["AWS_SECRET_ACCESS_KEY"]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "ANSIBLE_COLLECTIONS_PATH") if name in os.environ}
    within_awx = {"JOB_ID": str(awx_documents.JOB), "AWX_HOST": "https://awx.example.org"}
    more = {"AWS_ACCESS_KEY_ID": "AKIAENVIRONMENT", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
    return {**kept, **configuration(place), **secret, **within_awx, **more, **watch.environment()}


def by_proxy(seeds: Seeds) -> dict[str, str]:
    proxy = f"http://robot:{seeds.new('password of the proxy')}@127.0.0.1:{leak_servers.closed_port()}"
    return {name: proxy for name in ("http_proxy", "https_proxy", "HTTPS_PROXY")}


# -- running ---------------------------------------------------------------------------------------------------------------
def playbook(place: Place, number: int, cases: Sequence[Case]) -> list[str]:
    """One play with a task a case. The arguments come from a file of variables, as they do from an inventory."""
    given = {f"case_{n}": case.args for n, case in enumerate(cases)}
    tasks = [
        {
            "name": f"case {n}",
            case.task: {key: f"{{{{ case_{n}[{key!r}] }}}}" for key in case.args},
            "check_mode": case.check,
            "diff": case.diff,
            # what has an action and a module is done by the module when it has an environment of its own: every other case
            **({"environment": {"ELSEWHERE": "1"}} if n % 2 and has_action(case.plugin) and not is_action(case.plugin) else {}),
        }
        for n, case in enumerate(cases)
    ]
    play = {"hosts": "acme", "gather_facts": False, "ignore_errors": True, "tasks": tasks}
    book, variables = place.inputs / f"play-{number}.yml", place.inputs / f"vars-{number}.yml"
    book.write_text(json.dumps([play]))
    variables.write_text(json.dumps(given))
    command = str(Path(sys.executable).parent / "ansible-playbook")
    return [command, "-i", str(place.inputs / "hosts.yml"), "-e", f"@{variables}", "-vvv", str(book)]


def run(place: Place, number: int, cases: Sequence[Case], env: dict[str, str]) -> str:
    with (place.out / f"run-{number}.log").open("w+b") as out:
        command = playbook(place, number, cases)
        subprocess.run(
            command, env=env, cwd=place.root / "tmp", stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, check=False
        )
        out.seek(0)
        return out.read().decode(errors="replace")


def judge(text: str, cases: Sequence[Case], tally: Tally) -> None:
    """Every task must have ended, one way or the other: one that did not run would prove nothing."""
    seen = dict(re.findall(r"^TASK \[case (\d+)\].*?^(ok|changed|fatal|failed|skipping)(?=: \[)", text, re.MULTILINE | re.DOTALL))
    tally.ended.update(seen.values())
    tally.not_run += [case.name for n, case in enumerate(cases) if seen.get(str(n), "skipping") == "skipping"]
    tally.searched_bytes += len(text)


def chunks(cases: Iterable[Case]) -> list[list[Case]]:
    """Tasks of one process. Those that mostly wait are spread over several that run side by side."""
    every = list(cases)
    quick = [case for case in every if not case.slow and not case.proxied]
    slow, proxied = ([c for c in every if c.slow and c.proxied is via] for via in (False, True))
    lists = [quick[at : at + CHUNK] for at in range(0, len(quick), CHUNK)]
    return lists + [part for many in (slow, proxied) for part in (many[at::4] for at in range(4)) if part]


# -- the whole -------------------------------------------------------------------------------------------------------------
def carry_out(root: Path, part: int, groups: Sequence[str] = GROUPS, tell: Any = lambda _line: None, plugins: Sequence[str] = ()) -> Tally:
    place, seeds, tally = Place(root), Seeds(MARK), Tally()
    leak_servers.TOLD.clear()
    with ExitStack() as stack:
        web, ports = stack.enter_context(leak_servers.careless(place.inputs))
        token = seeds.new("token for an AWX or a Kubernetes that is well")
        awx = stack.enter_context(awx_documents.Awx(awx_documents.documents(CHANGE, "sha256:" + "a" * 64), token))
        apply = stack.enter_context(AwxServer([], token))
        kubeconfig = str(place.kubeconfig(web["kube"], token))
        place.good = {"awx": awx.url, "awx_apply": apply.url, "kubeconfig": kubeconfig, "token": token}
        place.inventory(seeds.new, ports, web)
        every = [c for c in Cases(place, seeds, web, ports).all(groups) if not plugins or c.plugin in plugins]
        tally.cases = [case for number, case in enumerate(every) if number % part == 0]
        search = Search([MARK, key_body(place.key)])
        watch = stack.enter_context(Watch(search, place.outputs, place.inputs / "hook.log", at_end=[place.out]))
        lists = chunks(tally.cases)
        tell(f"{len(tally.cases)} cases in {len(lists)} runs of ansible-playbook")
        _run_all(place, lists, watch, seeds, tally, tell)
    tally.sweeps, tally.arguments = watch.sweeps, watch.arguments
    for finding in sorted(watch.findings):
        tally.leaks.setdefault(_about(finding, seeds), finding)
    return tally


def _run_all(place: Place, lists: list[list[Case]], watch: Watch, seeds: Seeds, tally: Tally, tell: Any) -> None:
    """The quick ones one after the other, meanwhile the others side by side."""
    lock, env = threading.Lock(), environment(place, watch, seeds)
    ways = {True: by_proxy(seeds), False: {"NO_PROXY": "*", "no_proxy": "*"}}

    def one(number: int) -> None:
        text = run(place, number, lists[number], {**env, **ways[lists[number][0].proxied]})
        with lock:
            judge(text, lists[number], tally)
            tell(f"run {number + 1} of {len(lists)}: {len(lists[number])} cases")

    waiting = [threading.Thread(target=one, args=(n,)) for n, cases in enumerate(lists) if cases[0].slow]
    for thread in waiting:
        thread.start()
    for number, cases in enumerate(lists):
        if not cases[0].slow:
            one(number)
    for thread in waiting:
        thread.join()


def _about(finding: str, seeds: Seeds) -> str:
    """Where the seed was put, and in what kind of place it came out."""
    number = re.search(MARK + r"(\d{6})", finding)
    kind = re.sub(r"\d+", "N", finding.partition(":")[0])
    return f"{seeds.labels.get(number[1], '?') if number else 'in another form'} -> {kind}"


def reached() -> int:
    """How many secrets the servers were told."""
    return len({number for text in leak_servers.TOLD for number in re.findall(MARK + r"(\d{6})", text)})


def report(tally: Tally) -> None:
    every = [option for plugin in names() for option in options(plugin)]
    secret = [option for option in every if option.no_log or option.looks_secret]
    tried, outcomes = ({getattr(case, word) for case in tally.cases} for word in ("plugin", "outcome"))
    roles = {name for name in tried if name.startswith("role ")}
    ended = ", ".join(f"{number} {how}" for how, number in sorted(tally.ended.items()))
    print(f"  {len(tried - roles)} plugins with {len(every)} options, {len(secret)} of them secret; {len(roles)} entry points of roles")
    print(f"  {len(ENVIRONMENT)} environment variables, all of them in every run")
    print(f"  {len(outcomes)} outcomes; tasks that ended: {ended}")
    print(f"  {reached()} secrets were told to a server that repeats them")
    print(f"  searched: {tally.searched_bytes / 1e6:.1f} MB of output; {tally.arguments} arguments, all folders {tally.sweeps} times")
    for name in tally.not_run:
        print(f"  DID NOT RUN {name}")
    for about, finding in tally.leaks.items():
        print(f"  LEAK {about}\n       {finding[:600]}")


def unguarded() -> list[str]:
    """Options whose name speaks of a secret and that are shown all the same."""
    return [str(option) for plugin in names() for option in options(plugin) if option.looks_secret and not option.no_log]


def with_site(name: str, root: Path) -> int:
    place = Place(root)
    tally = leak_site.carry_out(name, root, configuration(place))
    for played in tally.played:
        print(f"  {'as wanted' if played.well else 'NOT AS WANTED'}: {played.name} ended with {played.code}")
    for wrong in tally.wrong:
        print(f"  WRONG {wrong}")
    for about, finding in tally.leaks.items():
        print(f"  LEAK {about}\n       {finding[:600]}")
    found = f"{len(tally.secrets)} secrets of the site {name}, {len(tally.played)} playbooks, {tally.arguments} arguments"
    print(f"F18: {found}: {len(tally.leaks)} leaks")
    return 1 if tally.leaks or tally.wrong or not all(played.well for played in tally.played) else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=int, default=1, help="take every n-th case only")
    parser.add_argument("--only", action="append", choices=GROUPS, help="take one group of cases")
    parser.add_argument("--plugin", action="append", choices=names(), default=[], help="take the cases of one plugin")
    parser.add_argument("--lab", metavar="NAME", help="a site that is up: its playbooks and its secrets instead")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    given = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="leaks-"))
    try:
        if given.lab:
            return with_site(given.lab, folder / "run")
        told = functools.partial(print, "", file=sys.stderr, flush=True)
        tally = carry_out(folder / "run", given.part, given.only or GROUPS, told, given.plugin)
    finally:
        if not given.keep:
            shutil.rmtree(folder)
    report(tally)
    shown = unguarded()
    for name in shown:
        print(f"  SHOWN {name}: its name speaks of a secret, and it is not no_log")
    print(f"F18: {len(tally.cases)} combinations, {len(tally.leaks)} leaks")
    return 1 if tally.leaks or tally.not_run or shown else 0


if __name__ == "__main__":
    sys.exit(main())
