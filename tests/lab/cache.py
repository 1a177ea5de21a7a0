"""Downloads and builds, made once and kept outside the checkout.

An entry is a folder named after what it holds and a digest of everything it was made from. It is made in a temporary
folder beside its place and moved there in one rename, so an interruption leaves no half entry; a lock file makes a
second run wait instead of building the same thing twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.lab.files import remove
from tests.lab.progress import step


def cache_root() -> Path:
    """The cache folder: ``${XDG_CACHE_HOME:-~/.cache}/odoo-change-control``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(base) / "odoo-change-control"
    root.mkdir(parents=True, exist_ok=True)
    return root


def digest(*parts: str | bytes | Path) -> str:
    """A short digest of texts and of the contents of files and folders (names included)."""
    h = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for file in sorted(p for p in ([part] if part.is_file() else part.rglob("*")) if p.is_file()):
                if "__pycache__" in file.parts:
                    continue
                h.update(str(file.relative_to(part)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
        else:
            h.update(part if isinstance(part, bytes) else part.encode())
        h.update(b"\n")
    return h.hexdigest()[:16]


def cached(name: str, key: str, build: Callable[[Path], None], *, what: str) -> Path:
    """The cache entry ``name-key``, built by ``build(folder)`` when it is not there yet.

    Nothing under the folder may hold the folder's own temporary path: the entry is moved after it is built. What must
    know its final place (a venv, say) can take it from :func:`entry_path`.
    """
    final = entry_path(name, key)
    if final.is_dir():
        return final
    with (final.parent / f".{final.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if final.is_dir():
            return final
        with step(what):
            temporary = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
            temporary.chmod(0o755)
            try:
                build(temporary)
                temporary.rename(final)
            finally:
                remove(temporary)
    return final


def entry_path(name: str, key: str) -> Path:
    return cache_root() / f"{name}-{key}"


def sweep() -> None:
    """Removes temporary folders of runs that were killed while they built: those whose lock nobody holds."""
    for lock_file in cache_root().glob(".*.lock"):
        with lock_file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            for left in cache_root().glob(f"{lock_file.name.removesuffix('.lock')}.????????"):
                remove(left)
