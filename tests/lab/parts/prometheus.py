"""Prometheus: scrapes Traefik's metrics and a blackbox exporter that asks every tenant for its login page."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.lab import cache
from tests.lab.private import free_ports, remembered
from tests.lab.site import LabError, Site, wait_for

NEEDS: tuple[str, ...] = ("traefik",)

INTERVAL_S = 5


def up(site: Site) -> None:
    folder = site.folder("prometheus")
    ports = remembered(folder / "state.json", lambda: free_ports("prometheus", "exporter"))
    if site.pid("exporter") is None:
        argv = [sys.executable, "-m", "tests.lab.exporter", "--root", site.root, "--port", ports["exporter"]]
        site.spawn("exporter", argv, cwd=Path(__file__).resolve().parents[3])
    wait_for(lambda: _get(f"http://127.0.0.1:{ports['exporter']}/none", status=404), what="the exporter of the lab", timeout_s=20)
    _serve(site, folder, ports)
    url = f"http://127.0.0.1:{ports['prometheus']}"
    wait_for(lambda: _get(f"{url}/-/ready"), what=f"Prometheus at {url} (see {site.root}/log/prometheus.log)", timeout_s=60)
    site.publish("prometheus", {"url": url, "exporter": f"http://127.0.0.1:{ports['exporter']}/metrics"})


def health(site: Site) -> str:
    url = site.facts("prometheus")["url"]
    try:
        targets = json.loads(_get(f"{url}/api/v1/targets?state=active"))["data"]["activeTargets"]
    except OSError as exc:
        raise LabError(f"Prometheus at {url} does not answer: {exc}; run ./dev lab up") from exc
    sick = {t["labels"]["job"]: t["lastError"] for t in targets if t["health"] == "down"}
    if sick:
        raise LabError(f"Prometheus at {url} cannot scrape {sick}")
    return f"{url} scrapes {', '.join(sorted(t['labels']['job'] for t in targets))}"


def query(site: Site, expression: str) -> list[dict[str, Any]]:
    """The instant vector of an expression."""
    url = site.facts("prometheus")["url"]
    return list(json.loads(_get(f"{url}/api/v1/query?query={quote(expression)}"))["data"]["result"])


def _get(url: str, *, status: int = 200) -> str:
    request = urllib.request.Request(url)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            seen, body = answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        seen, body = exc.code, exc.read().decode()
    if seen != status:
        raise OSError(f"{url}: {seen} {body[:200]}")
    return str(body)


def _serve(site: Site, folder: Path, ports: dict[str, int]) -> None:
    config = folder / "prometheus.yml"
    wanted = json.dumps(_config(site, ports), indent=1)  # JSON is YAML
    changed = not config.exists() or config.read_text() != wanted
    if changed:
        temporary = config.with_suffix(".tmp")
        temporary.write_text(wanted)
        temporary.rename(config)
    pid = site.pid("prometheus")
    if pid is None:
        options = [
            f"--config.file={config}",
            f"--storage.tsdb.path={site.folder('prometheus', 'data')}",
            "--storage.tsdb.retention.time=6h",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        ]
        site.spawn("prometheus", [_binary(), *options], env={"GOMEMLIMIT": "128MiB"}, cwd=folder)
    elif changed:
        os.kill(pid, signal.SIGHUP)


def _config(site: Site, ports: dict[str, int]) -> dict[str, Any]:
    jobs = {"tenants": f"http://127.0.0.1:{ports['exporter']}/metrics"}
    if site.has("traefik"):
        jobs["traefik"] = site.facts("traefik")["metrics"]

    def job(name: str, url: str) -> dict[str, Any]:
        address = urlsplit(url)
        return {"job_name": name, "metrics_path": address.path, "static_configs": [{"targets": [address.netloc]}]}

    return {
        "global": {"scrape_interval": f"{INTERVAL_S}s", "scrape_timeout": f"{INTERVAL_S}s"},
        "scrape_configs": [job(name, url) for name, url in sorted(jobs.items())],
    }


def _binary() -> Path:
    """Debian's Prometheus: the installed one, else the package's files in the cache, without installing its service."""
    if installed := shutil.which("prometheus"):
        return Path(installed)
    if not shutil.which("apt-get"):
        raise LabError("neither prometheus nor apt-get is here: install Prometheus (2.40 or newer) on PATH")

    def fetch(folder: Path) -> None:
        import subprocess

        for command in (["apt-get", "download", "-q", "prometheus"], ["sh", "-c", "dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LabError(f"{' '.join(command)}: rc {done.returncode}: {done.stderr.strip()[-500:]}; apt-get update may help")

    return cache.cached("prometheus", "debian-1", fetch, what="Prometheus from Debian (60 MB)") / "usr" / "bin" / "prometheus"
