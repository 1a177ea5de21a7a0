# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the policy, the service catalogue and the signals: those that ship with the collection, or an estate's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.access import judge_access
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.catalogue import judge_catalogue
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import explain
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.policy import judge_policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signals import judge_signals
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.change_schema import META, violations
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.strict_yaml import load_strictly


class PolicyError(ChangeError):
    """The file cannot be read, or says something that no policy or catalogue may say."""


def read_policy(path: str | None = None) -> dict[str, Any]:
    """A valid policy; the shipped one without a path."""
    return _read(path, "policy", judge_policy)


def read_catalogue(path: str | None = None) -> dict[str, Any]:
    """A valid service catalogue; the shipped one without a path."""
    return _read(path, "catalogue", judge_catalogue)


def read_access(path: str) -> dict[str, Any]:
    """A valid list of the rights that people and accounts should have; none ships."""
    return _read(path, "access", judge_access)


def read_signals(path: str | None = None) -> dict[str, Any]:
    """A valid catalogue of signals."""
    return _read(path, "signals", judge_signals)


def _read(path: str | None, what: str, judge: Callable[[Mapping[str, Any]], list[str]]) -> dict[str, Any]:
    file = Path(path).expanduser() if path else META / f"{what}.yml"
    try:
        document = load_strictly(file.read_text(encoding="utf-8"))
    except OSError as exc:
        raise PolicyError(f"{what} {file}: cannot be read ({exc}). Write the path of a file that this user may read.") from exc
    except ValueError as exc:
        raise PolicyError(f"{what} {file}: is not valid YAML ({exc}). Correct it; yamllint shows the place.") from exc
    schema = META / "schemas" / f"{what}.schema.json"
    errors = [line for violation in violations(document, schema) for line in explain(violation, root=what)] or judge(document)
    if errors:
        listed = errors[0] if len(errors) == 1 else f"{len(errors)} errors:\n" + "\n".join(f"- {error}" for error in errors)
        raise PolicyError(f"{what} {file}: {listed}", errors=errors)
    return dict(document)
