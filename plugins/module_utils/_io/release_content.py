# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compares two folders that hold what a release is made of: checkouts, or the unpacked content of images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import Changed, Content
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import canonical, sha256

SKIPPED = {".git", "__pycache__"}
MANIFEST = "__manifest__.py"


class ContentError(ChangeError):
    """A folder of a release's content cannot be read."""


def read_content(before: str, after: str) -> Content:
    """What differs between the folders. Symbolic links are compared by where they point to, and never followed."""
    roots = Path(before), Path(after)
    trees = [_tree(root, name) for root, name in zip(roots, ("before", "after"), strict=True)]
    paths = sorted(p for p in trees[0].keys() | trees[1].keys() if trees[0].get(p) != trees[1].get(p))
    manifests: dict[str, list[str]] = {}
    for root, tree in zip(roots, trees, strict=True):
        for path in _manifests_of(paths, tree):
            manifests.setdefault(path.rpartition("/")[0], []).append(_text(root / path) or "")
    changed = [_changed(path, roots, trees) for path in paths]
    digests = [f"sha256:{sha256(canonical(tree))}" for tree in trees]
    return Content(digests[0], digests[1], changed, manifests)


def _tree(root: Path, name: str) -> dict[str, str]:
    """Each file of the folder with its digest."""
    if not root.is_dir():
        raise ContentError(
            f"change.release.content.{name} is {str(root)!r}, which is no folder. Name the folder that holds the release's files."
        )
    found: dict[str, str] = {}
    try:
        for folder, folders, files in os.walk(root, onerror=_raise):
            links = [one for one in folders if (Path(folder) / one).is_symlink()]
            folders[:] = sorted(one for one in folders if one not in SKIPPED and one not in links)
            for one in (*files, *links):
                path = Path(folder) / one
                if not one.endswith(".pyc") and one not in SKIPPED:
                    found[path.relative_to(root).as_posix()] = _digest(path)
    except OSError as exc:
        raise ContentError(f"change.release.content.{name}: {exc}. Make every file of the folder readable.") from exc
    if not found:
        raise ContentError(
            f"change.release.content.{name} is {str(root)!r}, which is empty. Name the folder that holds the release's files."
        )
    return found


def _raise(exc: OSError) -> None:
    raise exc


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if not path.is_file():
        raise OSError(f"{path} is neither a file nor a folder")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifests_of(paths: Iterable[str], tree: Mapping[str, str]) -> list[str]:
    """The manifests of the modules that the paths lie in."""
    folders = {"/".join(parts[:n]) for path in paths for parts in [path.split("/")[:-1]] for n in range(len(parts) + 1)}
    return sorted(name for folder in folders if (name := f"{folder}/{MANIFEST}".lstrip("/")) in tree)


def _changed(path: str, roots: Sequence[Path], trees: Sequence[Mapping[str, str]]) -> Changed:
    texts = [_text(root / path) if path in tree else "" for root, tree in zip(roots, trees, strict=True)]
    if None in texts:
        return Changed(path, readable=False)
    before, after = (text or "" for text in texts)
    if not path.lower().endswith((".yml", ".yaml")):
        return Changed(path, after)
    objects = _objects(before), _objects(after)
    return Changed(path, after, objects=None if None in objects else (objects[0] or [], objects[1] or []))


def _text(path: Path) -> str | None:
    """The file's text; None for what is no text, and for a link, which may lead anywhere."""
    if path.is_symlink():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _objects(text: str) -> list[Any] | None:
    """The mappings of a YAML file that look like Kubernetes objects; None when it is no valid YAML."""
    import yaml

    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError):
        return None
    found = [
        item for one in documents for item in (one.get("items", [one]) if isinstance(one, dict) and one.get("kind") == "List" else [one])
    ]
    return [one for one in found if isinstance(one, dict) and "apiVersion" in one and "kind" in one]
