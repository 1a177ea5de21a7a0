"""Release images: folders named by the digest of what is in them, as a registry names images.

Release N is ``releases/common`` with the overlays of N on top, so each release's folder holds only what makes it different.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

SOURCES = Path(__file__).with_name("releases")
REGISTRY = "registry.lab/odoo"
# 1 is good; 2 is good and migrates; 2.1 is 2 again under the next version; posting is slower in 3 and fails in 4; 5 ends at its
# start; the migration of 6 leaves one row each time it runs; 7 starts and never answers; what 8 does at posting depends on the parameter
# acme_billing.strict. "texts" is 1 with another text for people, and nothing to update.
OVERLAYS = {
    "1": (),
    "2": ("2",),
    "2.1": ("2",),
    "3": ("2", "3"),
    "4": ("2", "4"),
    "5": ("2", "5"),
    "6": ("2", "6"),
    "7": ("2", "7"),
    "8": ("2", "8"),
    "texts": ("texts",),
}
ADDON = "acme_billing"


def version(release: str) -> str:
    """The version of the addon in a release: 6 has the highest, so that its migration runs whatever a tenant ran before."""
    number, _dot, patch = {"texts": "1", "6": "9"}.get(release, release).partition(".")
    return f"19.0.{number}.{patch or 0}.0"


def assemble(release: str, folder: Path, base: Path) -> None:
    """Lays a release out in ``folder``, on top of the Odoo tree ``base``."""
    for layer in ("common", *OVERLAYS[release]):
        shutil.copytree(SOURCES / layer, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = folder / "addons" / ADDON / "__manifest__.py"
    manifest.write_text(manifest.read_text().replace("@VERSION@", version(release)))
    shutil.copyfile(base / "base.txt", folder / "base.txt")
    (folder / "base").symlink_to(base)
    (folder / "bin" / "odoo").chmod(0o755)


def digest_of(folder: Path) -> str:
    """``sha256:HEX`` over every file's name, whether it can be run, and its content.

    The link to the Odoo tree is left out, since it holds a path of this machine; ``base.txt`` stands for it.
    """
    h = hashlib.sha256()
    for file in sorted(
        (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()), key=lambda p: p.relative_to(folder).as_posix()
    ):
        name = file.relative_to(folder).as_posix()
        if name.startswith("base/") or "__pycache__" in file.parts:
            continue
        h.update(f"{name}\0{int(bool(file.stat().st_mode & 0o100))}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return f"sha256:{h.hexdigest()}"


def place(release: str, store: Path, base: Path) -> dict[str, str]:
    """Puts a release into the store, once, and tells its digest, reference and folder."""
    store.joinpath("sha256").mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=store))
    try:
        temporary.chmod(0o755)
        assemble(release, temporary, base)
        digest = digest_of(temporary)
        final = store / digest.replace(":", "/")
        if not final.is_dir():
            temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {"digest": digest, "image": f"{REGISTRY}@{digest}", "path": str(final), "version": version(release)}
