"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler of one lab: their files, arguments and start."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.lab.kubernetes.binaries import Binaries
from tests.lab.kubernetes.pki import Authority, new_key
from tests.lab.private import free_ports, password, remembered, write_private
from tests.lab.site import Site

#: Users with a token, and their groups. What they may do is RBAC's business (manifests.py).
USERS = {"lab-admin": "system:masters", "lab-kubelet": "system:masters", "odoo-ops": "", "traefik": ""}
COMPONENTS = ("kube-controller-manager", "kube-scheduler")
PORTS = ("etcd", "etcd-peer", "apiserver", "kube-controller-manager", "kube-scheduler", "proxy")
QUICK = ["--kube-api-qps=500", "--kube-api-burst=1000"]  # the default, 20 requests a second, makes a lab of many tenants wait


@dataclass(frozen=True)
class Cluster:
    """Where everything of this lab's cluster lies; made once, so that a restart finds the same ports, keys and data."""

    site: Site
    folder: Path
    ports: dict[str, int]
    tokens: dict[str, str]

    @classmethod
    def of(cls, site: Site) -> Cluster:
        folder = site.folder("kubernetes", mode=0o700)
        ports = remembered(folder / "ports.json", lambda: dict(free_ports(*PORTS)))
        tokens = remembered(folder / "tokens.json", lambda: {user: password() for user in USERS})
        return cls(site, folder, ports, tokens)

    @property
    def server(self) -> str:
        """The API server itself."""
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    @property
    def proxy(self) -> str:
        """What clients of the lab talk to."""
        return f"http://127.0.0.1:{self.ports['proxy']}"

    @property
    def ca(self) -> Path:
        return self.folder / "pki" / "ca.crt"

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"{user}.kubeconfig"

    # -- files ---------------------------------------------------------------------------------------------------------
    def write_files(self) -> None:
        """Certificates, the token file and kubeconfigs. What exists stays: running processes hold it."""
        pki = self.site.folder("kubernetes", "pki", mode=0o700)
        authority = Authority.at(pki)
        authority.issue("apiserver", common_name="kube-apiserver", hosts=["localhost", "kubernetes.default.svc", "127.0.0.1", "10.96.0.1"])
        if not (pki / "service-accounts.key").exists():
            new_key(pki / "service-accounts.key")
        rows = [f'{token},{user},{user},"{USERS[user]}"' for user, token in self.tokens.items()]
        write_private(self.folder / "tokens.csv", "\n".join(rows) + "\n")
        for component in COMPONENTS:
            crt, key = authority.issue(component, common_name=f"system:{component}")
            self.write_kubeconfig(component, self.server, {"client-certificate": str(crt), "client-key": str(key)})
        for user, token in self.tokens.items():
            self.write_kubeconfig(user, self.server if user == "lab-kubelet" else self.proxy, {"token": token})

    def write_kubeconfig(self, name: str, server: str, credentials: dict[str, str]) -> None:
        cluster = {"server": server, **({"certificate-authority": str(self.ca)} if server.startswith("https") else {})}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": name, "user": credentials}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}],
            "current-context": "lab",
        }
        write_private(self.kubeconfig(name), json.dumps(document, indent=1))  # JSON is YAML

    # -- processes -----------------------------------------------------------------------------------------------------
    def start(self, name: str, binaries: Binaries) -> None:
        """Starts one component when it does not run."""
        if self.site.pid(name) is not None:
            return
        if name == "etcd":
            arguments = self.etcd()
        else:
            arguments = self.apiserver(binaries.minor) if name == "kube-apiserver" else self.component(name, binaries.minor)
        self.site.spawn(name, [binaries[name], *arguments], cwd=self.folder)

    def etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd", "etcd-peer"))
        return [
            "--name=lab",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=lab={peer}",
            "--unsafe-no-fsync",  # a lab outlives its processes, not its machine
            "--logger=zap",
        ]

    def apiserver(self, minor: int) -> list[str]:
        pki = self.folder / "pki"
        return [
            f"--etcd-servers=http://127.0.0.1:{self.ports['etcd']}",
            f"--secure-port={self.ports['apiserver']}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # endpoints may not lie in 127.0.0.0/8
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            f"--client-ca-file={self.ca}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki / 'service-accounts.key'}",
            f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
            "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--cert-dir={pki / 'generated'}",
            *gates(minor),
        ]

    def component(self, name: str, minor: int) -> list[str]:
        config = self.kubeconfig(name)
        arguments = [
            *(f"--{role}kubeconfig={config}" for role in ("", "authentication-", "authorization-")),
            "--bind-address=127.0.0.1",
            f"--secure-port={self.ports[name]}",
            "--leader-elect=false",
            f"--cert-dir={self.folder / 'pki' / 'generated'}",
            *QUICK,
        ]
        if minor < 24:
            arguments.append("--port=0")  # else it also listens without TLS, on every address
        if name == "kube-scheduler":
            return arguments
        pki = self.folder / "pki"
        return [
            *arguments,
            "--use-service-account-credentials=true",
            f"--flex-volume-plugin-dir={self.folder / 'flexvolume'}",  # else it makes one in /usr
            f"--service-account-private-key-file={pki / 'service-accounts.key'}",
            f"--root-ca-file={self.ca}",
            f"--cluster-signing-cert-file={self.ca}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            *gates(minor),
        ]


def gates(minor: int) -> list[str]:
    """What current Kubernetes does by itself and an old one only when told."""
    return ["--feature-gates=TTLAfterFinished=true"] if minor < 21 else []
