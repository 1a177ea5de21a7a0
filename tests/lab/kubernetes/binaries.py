"""The control plane's binaries: from the folder in LAB_CONTROL_PLANE, or built once from Debian's source package."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab.cache import cache_root, cached, digest
from tests.lab.distribution import mirror
from tests.lab.files import remove
from tests.lab.site import LabError

RECIPE = Path(__file__).with_name("build-control-plane.sh")
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
TOOLS = {"apt-get": "apt", "dpkg-source": "dpkg-dev", "patch": "patch", "xz": "xz-utils"}


@dataclass(frozen=True)
class Binaries:
    """A folder with a control plane, and the minor version of its Kubernetes (1.x)."""

    folder: Path
    minor: int

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


def binaries() -> Binaries:
    given = os.environ.get("LAB_CONTROL_PLANE")
    folder = (
        Path(given)
        if given
        else cached("control-plane", digest(RECIPE, platform.machine()), build, what="Kubernetes from source (about 3 minutes)")
    )
    if missing := [name for name in NAMES if not os.access(folder / name, os.X_OK)]:
        raise LabError(f"LAB_CONTROL_PLANE={folder} lacks {', '.join(missing)}: put executables of these names there, or unset it")
    return Binaries(folder.resolve(), minor_version(folder / "kube-apiserver"))


def minor_version(apiserver: Path) -> int:
    said = subprocess.run([apiserver, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    match = re.search(r"v1\.(\d+)\.", said)
    if not match:
        raise LabError(f"{apiserver} --version said {said!r}, wanted 'Kubernetes v1.x.y': give a kube-apiserver that runs on this machine")
    return int(match[1])


def build(folder: Path) -> None:
    """Builds into ``folder``. The work folder (2 GiB for a while) lies in it, so that the cache's sweep finds it after a kill."""
    if missing := sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)}):
        raise LabError(f"building Kubernetes needs the packages {' '.join(missing)}: apt-get install {' '.join(missing)}")
    environment = {**os.environ, "MIRROR": mirror(), "PYTHON": sys.executable}
    work, log = folder / "work", cache_root() / "control-plane.log"
    work.mkdir()
    with log.open("w") as out:
        done = subprocess.run(
            ["bash", RECIPE, folder, work], env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
        )
    if left := remove(work):
        raise LabError(f"the work folder of the build of Kubernetes cannot be removed: {left}")
    if done.returncode:
        raise LabError(
            f"building Kubernetes: rc {done.returncode}; the whole log is {log}\n" + "\n".join(log.read_text().splitlines()[-20:])
        )
