"""The same with a whole site: its own passwords, keys and tokens are the seeds, its playbooks are what is run."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab.site import MARK, Site
from tests.support.ansible import environment
from tests.support.estate import Estate
from tests.support.leak_options import SPEAKS_OF_SECRET
from tests.support.leak_place import key_body
from tests.support.leak_search import Search
from tests.support.leak_watch import Watch

SHORTEST = 10  # shorter ones are words that stand anywhere
IDENTITY = re.compile(r"access_key(_id)?$", re.IGNORECASE)
GRANT = "BG-2026-9018"
WRONG = ("Wr0ng",)
"""How the secrets begin that servers of the site refuse."""


@dataclass
class Played:
    """One playbook: how it ended, and whether that was wanted."""

    name: str
    code: int
    well: bool


@dataclass
class SiteTally:
    secrets: dict[str, str] = field(default_factory=dict)
    played: list[Played] = field(default_factory=list)
    leaks: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    arguments: int = 0


# -- what is looked for ------------------------------------------------------------------------------------------------------
def secret_values(document: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text below a name that speaks of a secret, with that name."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            inner = f"{name}.{key}" if name else str(key)
            yield from secret_values(value, inner)
    elif isinstance(document, list):
        for value in document:
            yield from secret_values(value, name)
    elif isinstance(document, str) and len(document) >= SHORTEST and speaks_of_secret(name):
        yield document, name


def speaks_of_secret(name: str) -> bool:
    words = name.lower().split(".")
    return any(SPEAKS_OF_SECRET.search(word) for word in words) and not IDENTITY.search(words[-1])


def secrets_of_site(estate: Estate) -> dict[str, str]:
    """What the inventory, the kubeconfigs and the keys of the site hold: secret -> where it was found."""
    found: dict[str, str] = {}
    for path in sorted(estate.inventory.rglob("*.yml")):
        found |= {secret: f"{path.stem}: {name}" for secret, name in secret_values(yaml.safe_load(path.read_text()))}
    for kubeconfig in {str(estate.site.facts("kubernetes")[name]) for name in ("kubeconfig", "admin_kubeconfig")}:
        document = yaml.safe_load(Path(kubeconfig).read_text())
        found |= {secret: f"{Path(kubeconfig).name}: {name}" for secret, name in secret_values(document.get("users"), "token")}
    found[key_body(estate.root / "keys" / "ledger.pem")] = "ledger.pem"
    for name, path in estate.signing_keys.items():
        found[path.read_text().splitlines()[4]] = f"SSH key of {name}"  # the lines before it hold what is public
    paths = [secret for secret in found if secret.startswith("/")]
    return {secret: where for secret, where in found.items() if secret not in paths}


# -- what is run -------------------------------------------------------------------------------------------------------------
class Run:
    """Playbooks in a home of their own, watched. What is written besides is looked at by the audit hook."""

    def __init__(self, estate: Estate, root: Path, settings: Mapping[str, str], watch: Watch, tally: SiteTally) -> None:
        self.estate, self.root, self.settings, self.watch, self.tally = estate, root, settings, watch, tally

    def play(self, name: str, command: Sequence[str], *, well: bool = True) -> None:
        """``well``: it has to succeed; otherwise it has to fail."""
        out = self.root / "out" / f"{len(self.tally.played)}-{name}.log"
        env = environment({**self.settings, **self.watch.environment(), MARK: str(self.estate.site.root), "ODOO_RUN": name})
        with out.open("wb") as file:
            options = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": subprocess.STDOUT}
            code = subprocess.run([*command, "-vvv"], env=env, start_new_session=True, check=False, **options).returncode  # type: ignore[call-overload]
        self.tally.played.append(Played(name, code, (code == 0) is well))

    def with_variables(self, name: str, variables: Mapping[str, Any]) -> list[str]:
        """Variables by a file: on the command line they would be seen by everybody."""
        path = self.root / "inputs" / f"{name}.json"
        path.write_text(json.dumps(dict(variables)))
        path.chmod(0o600)
        return ["-e", f"@{path}"]

    def change(self, release: str) -> None:
        """A normal change in check mode, up to its approval, and to its end."""
        ids = (f"LEAK-2026-{number}" for number in range(1, 1000))
        change = self.estate.change(next(name for name in ids if not (self.estate.ledger / name).exists()), release)
        command = self.estate.change_command(change)
        self.play("change_normal_check", [*command, "--check", "--diff"])
        self.play("change_normal_plan", command, well=False)
        self.estate.sign(change["id"])
        self.play("change_normal", [*command, "--diff"])

    def break_glass(self) -> None:
        """The password is made by the run, and lies in one file alone: for its owner only, and for as long as the grant."""
        file = self.root / "inputs" / "grant.pgpass"
        who = {"break_glass_requester": "ops-1", "break_glass_reason": "proof", "break_glass_incident": "INC-18", "break_glass_id": GRANT}
        given = {**who, "break_glass_tenants": "acme", "break_glass_password_file": str(file), "break_glass_no_approver": "night"}
        for state in ("opened", "closed"):
            variables = self.with_variables(f"glass-{state}", {**given, "break_glass_state": state})
            self.play(f"break_glass_{state}", self.estate.command("break_glass", *variables))
            if state == "opened":
                self._look_at_passfile(file)
        if file.exists():
            self.tally.wrong.append(f"{file} is still there after the grant was closed")

    def _look_at_passfile(self, file: Path) -> None:
        if not file.exists():
            self.tally.wrong.append(f"{file} was not written")
            return
        if stat.S_IMODE(file.stat().st_mode) != 0o600:
            self.tally.wrong.append(f"{file} has mode {stat.S_IMODE(file.stat().st_mode):o}, wanted 600")
        self.tally.secrets[file.read_text().splitlines()[0].rpartition(":")[2]] = "password of the grant"

    def failures(self) -> None:
        """Real servers that refuse: a wrong password for PostgreSQL, wrong keys for the object store, a wrong token for Kubernetes."""
        store = {"endpoint_url": self.estate.site.facts("s3")["endpoint"], "region": "us-east-1"}
        store |= {"ca_bundle": self.estate.site.facts("s3")["ca"], "access_key": "AKIAWRONG", "secret_key": "Wr0ng+secret/of the store"}
        kubeconfig = self.root / "inputs" / "wrong-kubeconfig"
        document = yaml.safe_load(Path(self.estate.site.facts("kubernetes")["kubeconfig"]).read_text())
        document["users"][0]["user"] = {"token": "Wr0ng-token-0f-nobody"}
        kubeconfig.write_text(yaml.safe_dump(document))
        wrong = {
            "postgres": {"tenant_database_admin_password": 'Wr0ng %password"of the cluster'},
            "store": {"tenant_filestore_s3": store},
            "kubernetes": {"tenant_kubeconfig": str(kubeconfig)},
        }
        for name, variables in wrong.items():
            args = self.with_variables(name, variables)
            self.play(f"tenant_provision_wrong_{name}", self.estate.command("tenant_provision", *args, "--limit", "acme"), well=False)


def carry_out(name: str, root: Path, settings: Mapping[str, str]) -> SiteTally:
    estate, tally = Estate(Site.named(name)), SiteTally()
    tally.secrets = secrets_of_site(estate)
    before = {entry for entry in os.listdir("/proc") if entry.isdigit()}  # noqa: PTH208 - numbers, not paths
    ended = [root / "out", estate.ledger, estate.root / "reports", *sorted(estate.site.root.rglob("*.log"))]
    search = Search([*tally.secrets, *WRONG])
    folders = [root / folder for folder in ("home", "tmp", "ansible", "remote")]
    with Watch(search, folders, root / "inputs" / "hook.log", at_end=ended, ignore=before) as watch:
        run = Run(estate, root, settings, watch, tally)
        for playbook in ("restore_drill", "backup_verify", "tenant_provision"):
            run.play(playbook, estate.command(playbook, *([] if playbook != "tenant_provision" else ["--diff"])))
        run.failures()
        run.break_glass()
        run.change("2")
        watch.search = Search([*tally.secrets, *WRONG])
        watch.forget()
    tally.arguments = watch.arguments
    for finding in sorted(watch.findings):
        which = sorted({tally.secrets.get(secret, "a wrong one") for secret in watch.search.which(finding.encode())})
        tally.leaks.setdefault(f"{', '.join(which) or 'a secret'} -> {re.sub('[0-9]+', 'N', finding.partition(': ')[0])}", finding)
    return tally
