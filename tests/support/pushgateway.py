"""Debian's Pushgateway: the installed one, else the package's files in the cache, without installing its service."""

from __future__ import annotations

import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import cache
from tests.lab.site import LabError, wait_for

PACKAGE = "prometheus-pushgateway"


def binary() -> Path:
    if installed := shutil.which(PACKAGE):
        return Path(installed)
    if not shutil.which("apt-get"):
        raise LabError(f"neither {PACKAGE} nor apt-get is here: install it on PATH")

    def fetch(folder: Path) -> None:
        for command in (["apt-get", "download", "-q", PACKAGE], ["sh", "-c", f"dpkg-deb -x {PACKAGE}_*.deb . && rm {PACKAGE}_*.deb"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LabError(f"{' '.join(command)}: rc {done.returncode}: {done.stderr.strip()[-500:]}; apt-get update may help")

    return cache.cached(PACKAGE, "debian-1", fetch, what="the Pushgateway from Debian (8 MB)") / "usr" / "bin" / PACKAGE


@contextmanager
def pushgateway(folder: Path) -> Iterator[str]:
    """A real one on loopback, with nothing in it; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    # Debian's keeps what it has in /var/lib unless it is told not to
    argv = [binary(), f"--web.listen-address={url.removeprefix('http://')}", "--persistence.file="]
    with (folder / "pushgateway.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(lambda: exposed(url), what=f"the Pushgateway, see {folder}/pushgateway.log", timeout_s=30, every_s=0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def exposed(url: str) -> str:
    """What Prometheus would scrape."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        return str(answer.read().decode())
