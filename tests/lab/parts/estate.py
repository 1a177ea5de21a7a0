"""The estate of the lab: an inventory, the keys of its people, and tenants that the collection's own role provisions."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.conftest import COLLECTIONS
from tests.lab.customers import seed
from tests.lab.progress import step
from tests.lab.site import LabError, Site

NEEDS = ("s3", "postgres", "redis", "kubernetes", "traefik", "releases", "prometheus")
# name -> tier, cluster, cohort
TENANTS = {
    "acme": ("multi_tenant", "shared", 1),
    "bravo": ("multi_tenant", "shared", 2),
    "cedar": ("multi_tenant", "shared", 2),
    "delta": ("dedicated", "dedicated", 3),
}
PEOPLE = ("ops-1", "approver-1", "approver-2")
CALENDAR = """\
- name: lab
  timezone: Europe/Brussels
  rules:
    - {name: every day, effect: allow, weekly: {days: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", until: "24:00"}}
    - {name: audit of 2024, effect: deny, once: {from: "2024-12-07T00:00", until: "2024-12-12T00:00"}}
"""


def up(site: Site) -> None:
    if site.has("estate"):
        health(site)
        return
    root = site.folder("estate", mode=0o700)
    facts = {
        "root": str(root),
        "inventory": str(root / "inventory"),
        "ledger": str(root / "ledger"),
        "ssh_keys": people(root / "keys"),
        "tenants": {name: tenant_facts(name) for name in TENANTS},
    }
    write_inventory(site, root)
    provision(site, root)
    with step("customers' data of all tenants"):
        side_by_side(lambda name: customers(site, root, name), TENANTS)
    (site.root / "tenants.json").write_text(json.dumps({"tenants": {name: {"host": host(name)} for name in TENANTS}}))
    with step("back up both clusters"):
        side_by_side(lambda cluster: back_up(site, cluster), site.facts("postgres")["clusters"].values())
    site.publish("estate", facts)


def customers(site: Site, root: Path, name: str) -> None:
    seed(site.facts("traefik")["url"], host(name), name, "admin", host_secrets(root, name)["tenant_admin_password"])


def back_up(site: Site, cluster: Mapping[str, Any]) -> None:
    site.run([cluster["pgbackrest"], f"--stanza={cluster['stanza']}", "--type=full", "backup"])


def side_by_side(work: Callable[[Any], None], items: Iterable[Any]) -> None:
    """All at once: tenants and clusters have servers of their own. Raises the first failure when all have ended."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(work, items))


def health(site: Site) -> str:
    facts, url = site.facts("estate"), site.facts("traefik")["url"]
    for name in facts["tenants"]:
        answer = requests.get(f"{url}/web/login", headers={"Host": host(name)}, timeout=30)
        if answer.status_code != 200:
            raise LabError(f"tenant {name} answers {answer.status_code}; look at its pod's log in {site.root / 'pods'}")
    return f"{len(facts['tenants'])} tenants answer; inventory {facts['inventory']}"


def host(name: str) -> str:
    return f"{name}.lab.example"


def tenant_facts(name: str) -> dict[str, Any]:
    tier, cluster, cohort = TENANTS[name]
    return {"host": host(name), "namespace": f"odoo-{name}", "database": name, "tier": tier, "cluster": cluster, "cohort": cohort}


# -- people -----------------------------------------------------------------------------------------------------------
def people(folder: Path) -> dict[str, str]:
    """An SSH key for each person, the file of those who may approve, and the ledger's key. Made once."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key

    folder.mkdir(mode=0o700, exist_ok=True)
    for person in PEOPLE:
        if not (folder / person).exists():
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", person, "-f", str(folder / person)],
                check=True,
                stdin=subprocess.DEVNULL,
            )
    # the requester may sign, too: that nobody approves their own change must not hang on who is in the file
    lines = [f'{person} namespaces="odoo-ops-change" {(folder / f"{person}.pub").read_text()}' for person in PEOPLE]
    (folder / "allowed_signers").write_text("".join(lines))
    if not (folder / "ledger.pem").exists():
        create_key(folder / "ledger.pem")
    return {person: str(folder / person) for person in PEOPLE}


# -- the inventory ----------------------------------------------------------------------------------------------------
def write_inventory(site: Site, root: Path) -> None:
    inventory = root / "inventory"
    for folder in ("group_vars", "host_vars"):
        (inventory / folder).mkdir(parents=True, exist_ok=True)
    (root / "memory").mkdir(exist_ok=True)
    (root / "calendar.yml").write_text(CALENDAR)
    (inventory / "hosts.ini").write_text(hosts_ini())
    (inventory / "group_vars" / "all.yml").write_text(yaml.safe_dump(common(site, root), sort_keys=False))
    for name in TENANTS:
        path = inventory / "host_vars" / f"{name}.yml"
        if not path.exists():
            private(path, tenant_variables(site, name))


def hosts_ini() -> str:
    lines = []
    for tier in ("multi_tenant", "dedicated"):
        lines += [f"[{tier}]", *(name for name, (of, *_rest) in TENANTS.items() if of == tier), ""]
    return "\n".join([*lines, "[tenants:children]", "multi_tenant", "dedicated", ""])


def common(site: Site, root: Path) -> dict[str, Any]:
    """Variables of all tenants and of all changes."""
    s3, redis = site.facts("s3"), site.facts("redis")
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "change_ledger": str(root / "ledger"),
        "change_ledger_key": str(root / "keys" / "ledger.pem"),
        "change_ledger_trusted": str(root / "keys" / "ledger.pem.pub"),
        "change_allowed_signers": str(root / "keys" / "allowed_signers"),
        # delta has an installation of its own, so somebody of theirs has a say
        "change_approver_groups": {"customer:delta": ["approver-1"]},
        "change_calendars": [str(root / "calendar.yml")],
        "change_report_dir": str(root / "reports"),
        "backup_gate_scratch": str(site.root / "drill"),
        "backup_gate_memory": str(root / "memory"),
        "tenant_url": site.facts("traefik")["url"],
        "tenant_kubeconfig": site.facts("kubernetes")["kubeconfig"],
        "tenant_release_image": site.facts("releases")["releases"]["1"]["image"],
        "tenant_database_template": site.facts("releases")["template"]["database"],
        "tenant_filestore_bucket": s3["buckets"]["filestore"],
        "tenant_checkpoint_destination": f"s3://{s3['buckets']['backups']}/checkpoints",
        "tenant_odoo_env": {
            "S3_FILESTORE_HOST": s3["host"],
            "S3_FILESTORE_BUCKET": s3["buckets"]["filestore"],
            "S3_FILESTORE_REGION": s3["region"],
            "S3_FILESTORE_SECURE": "true",
            "S3_FILESTORE_SUB_DIR": "true",
            "SSL_CERT_FILE": s3["ca"],
            "REDIS_HOST": redis["host"],
            "REDIS_PORT": str(redis["port"]),
            "REDIS_SSL": "false",
        },
        # a machine that runs a whole site beside its canary is noisy: more rounds and more time until it must know
        "odoo_release_canary_budget_s": 600,
        "odoo_release_canary_max_rounds": 400,
    }


def tenant_variables(site: Site, name: str) -> dict[str, Any]:
    """A tenant's own variables, its secrets among them."""
    _tier, cluster_name, cohort = TENANTS[name]
    cluster, s3 = site.facts("postgres")["clusters"][cluster_name], site.facts("s3")
    store = {"endpoint_url": s3["endpoint"], "region": s3["region"], "ca_bundle": s3["ca"]}
    return {
        "tenant_domain": host(name),
        "tenant_namespace": f"odoo-{name}",
        "tenant_cohort": cohort,
        "tenant_database_name": name,
        "tenant_database_owner": f"odoo_{name}",
        "tenant_database_password": secrets.token_urlsafe(18),
        "tenant_database_host": cluster["host"],
        "tenant_database_port": cluster["port"],
        "tenant_database_admin_user": cluster["admin_user"],
        "tenant_database_admin_password": cluster["admin_password"],
        "tenant_backup_stanza": cluster["stanza"],
        "tenant_backup_command": cluster["pgbackrest"],
        "tenant_checkpoint_s3": {**store, **s3["backup"]},
        "tenant_filestore_s3": {**store, **s3["filestore"]},
        "tenant_odoo_secret_env": {
            "S3_FILESTORE_ACCESS_KEY": s3["filestore"]["access_key"],
            "S3_FILESTORE_SECRET_KEY": s3["filestore"]["secret_key"],
            "REDIS_PASSWORD": site.facts("redis")["password"],
        },
        "tenant_canary_password": secrets.token_urlsafe(18),
        "tenant_canary_api_key": secrets.token_hex(20),
        "tenant_admin_password": secrets.token_urlsafe(18),
    }


def private(path: Path, variables: Mapping[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(dict(variables), file, sort_keys=False)


def host_secrets(root: Path, name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((root / "inventory" / "host_vars" / f"{name}.yml").read_text()))


# -- the product's own role -------------------------------------------------------------------------------------------
def provision(site: Site, root: Path) -> None:
    with step("tenant_provision: four tenants by the collection's own role"):
        command = [Path(sys.executable).parent / "ansible-playbook", "odoo_ops.change_control.tenant_provision", "-i", root / "inventory"]
        home = site.folder("home")
        env = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_HOME": str(home / "ansible")}
        out = site.run(command, env=env, timeout_s=900)
        (site.folder("log") / "tenant_provision.log").write_text(out)
