"""The real Odoo 19 without installing it: Debian's package unpacked and trimmed, its Python dependencies beside it.

The tree is what a container image's lower layers would be; every release image of the lab stands on it. It can be moved:
nothing in it holds a path of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

from tests.lab.cache import cached, digest
from tests.lab.distribution import KEYRING, mirror
from tests.lab.site import LabError

REQUIREMENTS = Path(__file__).with_name("requirements-odoo.txt")

# Odoo 19 is in sid alone. The fonts and scripts are what symbolic links of the kept addons point at; font-awesome comes from
# bookworm because the file names in sid's version 7 are not those the links expect.
PACKAGES = (
    "odoo-19/sid",
    "libjs-jquery/sid",
    "libjs-jquery-form/sid",
    "libjs-underscore/sid",
    "fonts-montserrat/sid",
    "fonts-roboto-unhinted/sid",
    "fonts-font-awesome/bookworm",
)
# A virtual environment's Python names the one it was made from.
WHICH = "import os, sys; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
# The package holds a second, partial copy of the addons, which Odoo would put on its addons path; the rest is size.
TRIMMED = (
    "./usr/lib/python3/dist-packages/addons",
    "./usr/lib/python3/dist-packages/setup",
    "./usr/lib/python3/dist-packages/doc",
    "./usr/lib/systemd",
    "*/i18n/*.po",
    "*/i18n/*.pot",
    "*/addons/l10n_*",
    "*/addons/test_*",
    "*/addons/*/static/tests",
    "*/addons/*website*",
    "*/addons/*_slides*",
    "*/addons/*event_track*",
    "*/addons/*point_of_sale*",
    "*/addons/pos_*",
    "*/addons/*_pos_*",
    "*/addons/iot_*",
    "*/addons/theme_default",
    "*/addons/marketing_card",
)


def base() -> Path:
    """The tree: ``usr/bin/odoo``, ``py/`` (dependencies), ``python`` (the interpreter), ``base.txt`` (what it is, on any machine)."""
    debs = cached("odoo-debs", digest(*PACKAGES), download, what="download Odoo 19 from Debian (130 MB)")
    versions = "\n".join(sorted(p.name for p in debs.glob("*.deb")))
    identity = f"{versions}\ntrimmed: {' '.join(TRIMMED)}\n\n{REQUIREMENTS.read_text()}"
    interpreter = find_python()
    return cached(
        "odoo-base",
        digest(identity, interpreter),
        lambda folder: build(folder, debs, identity, interpreter),
        what="unpack Odoo 19 and its Python dependencies",
    )


def download(folder: Path) -> None:
    """Fetches the packages through an apt state of its own: the machine's lists, cache and sources stay as they are."""
    if not KEYRING.exists() or not shutil.which("apt-get"):
        raise LabError(f"Odoo comes from Debian's archive: this needs apt-get and {KEYRING} (apt-get install debian-archive-keyring)")
    uri, state = mirror(), folder / "apt"
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True)
    sources = "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nSigned-By: {keyring}\n"
    (state / "debian.sources").write_text("\n".join(sources.format(uri=uri, suite=s, keyring=KEYRING) for s in ("sid", "bookworm")))
    options = {
        "Dir::Etc::sourcelist": state / "debian.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": state / "lists",
        "Dir::Cache::archives": state / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    apt = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]
    _run([*apt, "update"], cwd=folder)
    _run([*apt, "download", *PACKAGES], cwd=folder)
    shutil.rmtree(state)


def build(folder: Path, debs: Path, identity: str, interpreter: str) -> None:
    for deb in sorted(debs.glob("*.deb")):
        _unpack(deb, folder)
    if dangling := [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_symlink() and not p.exists()]:
        raise LabError(
            f"{len(dangling)} links of Odoo's tree point nowhere, such as {dangling[0]}: the packages in {debs} do not fit together"
        )
    # pip of this environment works for the other interpreter, which may come without one
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", interpreter, "install", "--quiet"]
    wheels_only = ["--no-deps", "--only-binary=:all:", "--no-compile", "--root-user-action=ignore"]
    _run([*pip, *wheels_only, "--target", str(folder / "py"), "-r", str(REQUIREMENTS)], cwd=folder)
    # Many processes share the tree and some must not write to it: compile what every one of them imports, once. The rest of
    # the addons is compiled when the template database is built.
    core = folder / "usr/lib/python3/dist-packages/odoo"
    _run([interpreter, "-m", "compileall", "-q", "-x", "/odoo/addons/|/tests/", str(core), str(folder / "py")], cwd=folder, check=False)
    (folder / "python").symlink_to(interpreter)
    (folder / "base.txt").write_text(identity)


def find_python() -> str:
    """A Python 3.11 that really runs: the system's, one on PATH, or the one that the lab's environment was made from.

    The system's first: one in a home directory cannot be run by other users. Never the environment itself, whose packages
    would hide that one of Odoo's is missing.
    """
    for candidate in ("/usr/bin/python3.11", shutil.which("python3.11") or "", sys.executable):
        if candidate and Path(candidate).exists():
            seen = subprocess.run([candidate, "-c", WHICH], capture_output=True, text=True, check=False)
            version, _space, program = seen.stdout.strip().partition(" ")
            if version == "3.11":
                return program
    raise LabError(
        "Odoo's dependencies are pinned for Python 3.11 and none was found: Debian 12 has it as python3; elsewhere put a python3.11 on PATH"
    )


def _unpack(deb: Path, folder: Path) -> None:
    # ./usr and not all: else the folder itself takes on the archive's date, and the sweep of old half-made entries takes it away
    tar = ["tar", "-x", "--no-same-owner", "-C", str(folder), *(f"--exclude={name}" for name in TRIMMED), "./usr"]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as opened:
        _run(tar, cwd=folder, stdin=opened.stdout)
    if opened.returncode:
        raise LabError(f"dpkg-deb could not read {deb} (rc {opened.returncode}): remove its folder and try again")


def _run(command: list[str], *, cwd: Path, stdin: IO[bytes] | None = None, check: bool = True) -> None:
    done = subprocess.run(command, cwd=cwd, stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode and check:
        raise LabError(f"{' '.join(command)}: rc {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
