# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the estate comes from, as the options of a task ask it. They are documented in the doc fragment of the same name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import source
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import gate_result
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.git_source import Place, read_tree

SUBJECT = "the estate's source"
SOURCE_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "require": {"type": "list", "elements": "str", "choices": list(source.DEMANDS), "default": list(source.DEMANDS)},
    "remote_branch": {"type": "str", "default": "origin/main"},
    "ask_remote": {"type": "bool", "default": True},
    "allowed_signers": {"type": "path"},
    "revoked": {"type": "path"},
    "gpg_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "unbound": {"type": "list", "elements": "str", "default": []},
    "holds": {"type": "list", "elements": "path", "default": []},
}


@dataclass(frozen=True)
class Measured:
    """A gate's result, and the source as a plan keeps it."""

    gate: dict[str, Any]
    source: dict[str, Any]


def measure(options: Mapping[str, Any], *, now: dt.datetime, enforce: bool = False) -> Measured:
    """ChangeError when the options ask for what cannot be asked; what is wrong with the source is in the gate's result."""
    named = {key: options[key] for key in ("require", "unbound", "holds", "gpg_keys")}
    rules = source.Rules(branch=options["remote_branch"], **named)
    source.judge_rules(rules, signers=bool(options["allowed_signers"]))
    files = {key: Path(options[key]) if options[key] else None for key in ("allowed_signers", "revoked")}
    tree = read_tree(Place(Path(options["path"]), ask_remote=options["ask_remote"], **files), rules)
    checks = source.judge_source(tree, rules)
    found = source.for_plan(tree, rules, checks)
    return Measured(gate_result(SUBJECT, checks, at=now, enforce=enforce, source=found), found)
