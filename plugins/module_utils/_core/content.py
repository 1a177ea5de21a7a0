# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a release is made of, before and after, as data: the files that differ, their modules' manifests, their Kubernetes objects."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref, problems, ref_of


@dataclass(frozen=True)
class Changed:
    """A file that differs. ``path`` is relative with ``/``; ``text`` is what stands there afterwards, empty when it is gone.

    ``readable`` is false when it is no text, so that nobody could look into it. ``objects`` are the Kubernetes objects of a YAML file
    before and after; None when the file is no valid YAML.
    """

    path: str
    text: str = ""
    readable: bool = True
    objects: tuple[Sequence[Any], Sequence[Any]] | None = ((), ())


@dataclass(frozen=True)
class Content:
    """The difference of two trees. ``manifests`` holds the text of every manifest, before and after, of a module that differs."""

    before: str
    after: str
    changed: Sequence[Changed]
    manifests: Mapping[str, Sequence[str]]


def module_of(path: str, manifests: Mapping[str, Any]) -> str | None:
    """The module that a file belongs to: the nearest folder above it that has a manifest."""
    folders = path.split("/")[:-1]
    return next((folder for n in range(len(folders), -1, -1) if (folder := "/".join(folders[:n])) in manifests), None)


def manifest_words(text: str) -> tuple[list[str], str] | None:
    """What a manifest depends on, and its category; None when it cannot be read as Odoo reads it."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("depends", []), (list, tuple)):
        return None
    return [str(name) for name in found.get("depends", [])], str(found.get("category", ""))


def changed_objects(content: Content) -> list[Mapping[str, Any]]:
    """The Kubernetes objects that differ between the trees, wherever they moved; of two forms the one afterwards."""
    before = _by_ref([obj for file in content.changed if file.objects for obj in file.objects[0]])
    after = _by_ref([obj for file in content.changed if file.objects for obj in file.objects[1]])
    return [after.get(ref, before.get(ref, {})) for ref in sorted(before.keys() | after.keys()) if before.get(ref) != after.get(ref)]


def _by_ref(documents: Sequence[Any]) -> dict[Ref, Mapping[str, Any]]:
    return {ref_of(obj): obj for obj in documents if not problems([obj])}
