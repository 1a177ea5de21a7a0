# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A recovery bundle, checked and unpacked, as a rebuild uses it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import recovery_bundle as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import recovery_bundle_files as files


@dataclass(frozen=True)
class Kit:
    """``release`` is the bundle's document of that name, ``modules`` the folder of custom modules."""

    release: dict[str, Any]
    modules: Path


def open_kit(place: Path, tenant: str, into: Path) -> tuple[list[Check], Kit | None]:
    """The checks of a bundle, and what it holds when all of it is right. ``place`` is the bundle, or the folder of a tenant's bundles."""
    bundle = place if core.STAMP.fullmatch(place.name) else next(reversed(files.bundles(place)), None)
    if bundle is None:
        hint = "Write one with the module recovery_bundle."
        return [Check("bundle", False, f"none in {place}", "a bundle", hint, "NO_BUNDLE")], None
    checks = core.judge_bundle(files.read_document(bundle), files.seen(bundle), tenant=tenant)
    if not all(check.ok for check in checks):
        return checks, None
    into.mkdir(mode=0o700)
    kit = files.unpack(bundle, into)
    return checks, Kit(json.loads(kit["release"].read_bytes()), kit["modules"])
