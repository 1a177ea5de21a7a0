"""A small estate in a folder, for runs whose every output is searched: what is put in lies apart from what comes out."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import signing

from tests.support import awx as awx_documents

CHANGE = "CHG-2026-0142"
IMAGE, TARGET = (f"registry.example.org/odoo@sha256:{digit * 64}" for digit in "ab")
OUTPUTS = ("home", "tmp", "ansible", "remote", "ledger", "reports", "exports", "scratch")
# as pgBackRest tells of a request that was refused: the reason in one line, then the request
TOOL = """#!/bin/sh
conf=$(sed -n 's/^repo1-cipher-pass=//p' "${1#--config=}" 2>/dev/null)
cat >&2 <<TEXT
ERROR: [039]: HTTP request failed with 403 (Forbidden):
       *** Path/Query ***:
       GET /records?list-type=2
       *** Request Headers ***:
       authorization: $AWS_SECRET_ACCESS_KEY $PGBACKREST_REPO1_S3_KEY_SECRET
       x-amz-security-token: $AWS_SESSION_TOKEN
       cipher-pass: $conf $PGBACKREST_REPO1_CIPHER_PASS
TEXT
exit 39
"""


class Place:
    """``outputs`` are the folders in which nothing secret may ever stand, ``inputs`` the one in which secrets lie."""

    def __init__(self, root: Path) -> None:
        self.root, self.inputs = root, root / "inputs"
        self.inputs.mkdir(parents=True)
        for name in OUTPUTS:
            (root / name).mkdir(mode=0o700)
        self.outputs = [root / name for name in OUTPUTS]
        self.out = root / "out"  # what Ansible says, as callbacks write it
        self.out.mkdir()
        self.ledger, self.exports, self.scratch = root / "ledger", root / "exports", root / "scratch"
        self.key, self.trusted = self.inputs / "key.pem", self.inputs / "key.pem.pub"
        signing.create_key(self.key)
        self.approvals, self.signers = self.inputs / "approvals", self.inputs / "signers"
        self.approvals.mkdir()
        self.signers.write_text("")
        self.tool = self.inputs / "pgbackrest"
        self.tool.write_text(TOOL)
        self.tool.chmod(0o755)
        self.config = self.inputs / "ansible.cfg"
        self.config.write_text("")
        self.good: dict[str, str] = {}
        self._numbers = itertools.count()

    # -- the estate ----------------------------------------------------------------------------------------------------------
    def change(self, **other: Any) -> dict[str, Any]:
        return {
            "id": CHANGE,
            "title": "Screens",
            "class": "normal",
            "domain": "application",
            "streams": ["code"],
            "environment": "production",
            "requester": "ops-1",
            "owner": "ops-1",
            "tenants": "acme",
            "impact": "A form",
            "release": {"image": TARGET, "modules": ["acme_screens"]},
            "rollback": {"strategy": "previous_image", "point_of_no_return": "released"},
            "verification": {"transactions": ["login"]},
            "window": {"start": "2099-12-05T20:00:00Z", "duration": "PT2H"},
            **other,
        }

    @property
    def current(self) -> dict[str, str]:
        return {"acme": IMAGE}

    def tenant_at(self, behaviour: str) -> str:
        """The tenant whose cluster behaves so."""
        return f"at_{behaviour}"

    def inventory(self, seed: Callable[[str], str], ports: Mapping[str, int], web: Mapping[str, str]) -> Path:
        """One tenant for changes, one for each behaviour of a cluster; all of their passwords are seeds."""
        hosts = {}
        for name, port in {"acme": 1, **{self.tenant_at(behaviour): port for behaviour, port in ports.items()}}.items():
            secret = {f"tenant_{word}": seed(f"inventory variable tenant_{word} of {name}") for word in SECRET_VARIABLES}
            s3 = {"endpoint_url": web["closed"], "access_key": "AKIAINVENTORY", "secret_key": seed(f"inventory secret_key of {name}")}
            hosts[name] = {
                "tenant_namespace": f"odoo-{name}",
                "tenant_database_name": name,
                "tenant_database_host": "127.0.0.1",
                "tenant_database_port": port,
                "tenant_database_admin_user": "postgres",
                "tenant_database_owner": f"odoo_{name}",
                "tenant_backup_stanza": "shared",
                "tenant_cohort": 1,
                "tenant_kubeconfig": str(self.kubeconfig(web["401"], seed(f"token in the kubeconfig of {name}"))),
                "tenant_filestore_s3": s3,
                "tenant_checkpoint_s3": s3,
                **secret,
            }
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_pipelining": True}
        path = self.inputs / "hosts.yml"
        path.write_text(yaml.safe_dump({"all": {"vars": common, "children": {"multi_tenant": {"hosts": hosts}}}}))
        return path

    # -- outside systems that are well -----------------------------------------------------------------------------------------
    def good_awx(self) -> dict[str, Any]:
        return {"url": self.good["awx"], **awx_documents.setup(token=self.good["token"])}

    def good_awx_apply(self) -> dict[str, Any]:
        return {"url": self.good["awx_apply"], "token": self.good["token"]}

    def good_kubeconfig(self) -> str:
        return self.good["kubeconfig"]

    # -- files that hold secrets -----------------------------------------------------------------------------------------------
    def secret_file(self, name: str, text: str | bytes) -> Path:
        path = self.inputs / f"{next(self._numbers)}-{name}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return path

    def kubeconfig(self, server: str, token: str) -> Path:
        return self.secret_file("kubeconfig", kubeconfig(server, {"token": token}))

    def kubeconfigs(self, seed: Callable[[str], str], web: Mapping[str, str]) -> Iterator[str]:
        """Kubeconfigs of every kind of identity, and broken ones."""
        says = ["-c", 'echo "$TOKEN"; echo "$TOKEN" >&2; exit 1']
        command = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "/bin/sh", "args": says, "interactiveMode": "Never"}
        users: list[dict[str, Any]] = [
            {"token": seed("token")},
            {"username": "robot", "password": seed("password")},
            {"client-certificate-data": seed("no base64"), "client-key-data": seed("no base64 either")},
            {"client-certificate-data": "c2VlZA==", "client-key-data": "c2VlZA==", "token": seed("token beside a broken key")},
            {"exec": {**command, "env": [{"name": "TOKEN", "value": seed("environment of an exec plugin")}]}},
            {"exec": {**command, "args": ["-c", "echo '{'$TOKEN"], "env": [{"name": "TOKEN", "value": seed("an exec plugin's answer")}]}},
            {"auth-provider": {"name": "oidc", "config": {"id-token": seed("id token"), "refresh-token": seed("refresh token")}}},
            {"tokenFile": str(self.secret_file("token", seed("token file")))},
            {"token": {"a": seed("token of another type")}},
            {"token": f"{seed('token of two lines')}\nX: 1"},
        ]
        for server in (web["401"], web["500"].replace("http://", "https://"), web["closed"]):
            yield from (kubeconfig(server, user) for user in users)
        robot = f"http://robot:{seed('password in the address')}@127.0.0.1"
        yield from (kubeconfig(f"{robot}:{web[name].rpartition(':')[2]}", {"token": "x"}) for name in ("401", "closed"))
        yield f"users: [{{user: {{token: {seed('broken YAML')}"
        yield f"{seed('words')}"
        yield json.dumps({"users": seed("users of another type"), "contexts": [], "clusters": []})

    def file_of(self, kind: str, seed: str) -> Path:
        if kind == "folder":
            folder = self.inputs / f"{next(self._numbers)}-folder"
            folder.mkdir()
            for suffix in (".pub", ".json", ".json.sig", ".yml"):
                (folder / f"file{suffix}").write_text(f"password: {seed}\n")
            return folder
        text: dict[str, str | bytes] = {
            "words": f"{seed}\n",
            "mapping": f"password: {seed}\n{seed}: 1\n",
            "broken": f"a: [b\nsecret: {{ {seed}\n\t- x",
            "pem": f"-----BEGIN PRIVATE KEY-----\n{seed}\n-----END PRIVATE KEY-----\n",
            "binary": b"\xff\xfe\0" + seed.encode(),
            "json": json.dumps({"token": seed, "list": [seed]}),
        }
        return self.secret_file(kind, text[kind])


SECRET_VARIABLES = ("database_password", "database_admin_password", "canary_password", "canary_api_key", "odoo_admin_password")


def kubeconfig(server: str, user: Mapping[str, Any]) -> str:
    cluster = {"server": server, **({"insecure-skip-tls-verify": True} if server.startswith("https") else {})}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "one",
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
            "clusters": [{"name": "one", "cluster": cluster}],
            "users": [{"name": "one", "user": dict(user)}],
        }
    )


def key_body(path: Path) -> str:
    """The secret line of a PEM file."""
    return next(line for line in path.read_text().splitlines() if not line.startswith("-"))
