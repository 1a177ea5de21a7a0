"""Every option of every module and action plugin, from its documentation; and which of them carry secrets, from its specification.

A new plugin and a new option are found here by themselves. One whose name speaks of a secret must be ``no_log``, or stand in
``NOT_SECRET`` with the reason.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = "ansible_collections.odoo_ops.change_control.plugins"
SPEAKS_OF_SECRET = re.compile(r"pass(word|wd|phrase)?(_|$)|secret|token|(^|_)key|private|credential|headers|cookie|auth(_|$)")
# By the last word of the path, or the whole path of one plugin's option.
NOT_SECRET = {
    "ledger_key": "the path of a file",
    "password_file": "the path of a file",
    "renew_secrets": "yes or no",
    "secret_references": "names, and where what they name is kept",
    "access_key": "an identity, which S3 sends in the clear with each request",
    "token_file": "the path of a file",
    "gpg_keys": "the paths of files with public keys",
    "change_guard.token": "a fencing token: a number that grows",
    "change_record.token": "a fencing token: a number that grows",
}


@dataclass(frozen=True)
class Option:
    """``path`` leads to it through suboptions; ``no_log`` when it, or what it is part of, is kept from output."""

    plugin: str
    path: tuple[str, ...]
    kind: str
    elements: str
    no_log: bool
    closed: bool
    """Only certain words are allowed, or only a number or yes and no."""

    def __str__(self) -> str:
        return f"{self.plugin}.{'.'.join(self.path)}"

    @property
    def exempt(self) -> bool:
        return bool({self.path[-1], str(self)} & NOT_SECRET.keys())

    @property
    def looks_secret(self) -> bool:
        return bool(SPEAKS_OF_SECRET.search(self.path[-1])) and not self.exempt


@functools.cache
def names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")


@functools.cache
def has_action(plugin: str) -> bool:
    return (ROOT / "plugins" / "action" / f"{plugin}.py").exists()


@functools.cache
def is_action(plugin: str) -> bool:
    """Whether it is nothing else: its module then only documents it."""
    return "\ndef main(" not in (ROOT / "plugins" / "modules" / f"{plugin}.py").read_text()


@functools.cache
def specification(plugin: str) -> dict[str, Any]:
    if is_action(plugin):
        return dict(importlib.import_module(f"{PLUGINS}.action.{plugin}").ActionModule.SPEC)
    return dict(importlib.import_module(f"{PLUGINS}.modules.{plugin}").SPEC)


@functools.cache
def documented(plugin: str) -> dict[str, Any]:
    """The documented options, with those of the fragments that it extends."""
    found = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{plugin}").DOCUMENTATION)
    options: dict[str, Any] = {}
    fragments = found.get("extends_documentation_fragment") or []
    for fragment in [fragments] if isinstance(fragments, str) else fragments:
        collection, _dot, name = fragment.rpartition(".")
        if collection == "odoo_ops.change_control":
            text = importlib.import_module(f"{PLUGINS}.doc_fragments.{name}").ModuleDocFragment.DOCUMENTATION
            options |= yaml.safe_load(text).get("options") or {}
    return options | (found.get("options") or {})


@functools.cache
def options(plugin: str) -> list[Option]:
    return list(_walk(plugin, (), documented(plugin), specification(plugin), no_log=False))


def entry_points() -> dict[str, dict[str, Any]]:
    """The inputs of every entry point of every role, which Ansible itself checks before the role begins."""
    found = {}
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        for name, entry in yaml.safe_load(path.read_text())["argument_specs"].items():
            found[f"{path.parents[1].name}/{name}"] = dict(entry.get("options") or {})
    return found


def _walk(
    plugin: str, path: tuple[str, ...], documented_options: Mapping[str, Any], spec: Mapping[str, Any], *, no_log: bool
) -> Iterator[Option]:
    for name, entry in documented_options.items():
        known = spec[name]  # a documented option that the plugin does not know is an error of its own
        hidden = no_log or bool(known.get("no_log"))
        kind = str(entry.get("type", "str"))
        closed = "choices" in entry or kind in ("bool", "int", "float")
        yield Option(plugin, (*path, name), kind, str(entry.get("elements", "")), hidden, closed)
        if entry.get("suboptions"):
            yield from _walk(plugin, (*path, name), entry["suboptions"], known["options"], no_log=hidden)
