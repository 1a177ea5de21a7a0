# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options ``state`` and ``sample`` of a gate that remembers what it has proved; their texts are the doc fragment ``memory``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._core.proved import Proved
from ._io.proved_file import load, save

MEMORY_SPEC: dict[str, dict[str, Any]] = {"state": {"type": "path"}, "sample": {"type": "float", "default": 2}}


def remembered(given: Mapping[str, Any], subject: str) -> tuple[Proved, list[str]]:
    """What was proved before, and, as a warning, why that begins anew; ChangeError when there is no place for it."""
    if not given["state"]:
        return Proved(subject), []
    proved, anew = load(Path(given["state"]), subject)
    return proved, [anew] if anew else []


def keep(given: Mapping[str, Any], proved: Proved | None, *, at: dt.datetime) -> list[str]:
    """Writes the memory, and returns, as a warning, why it could not. Without it the verdict is as good, and the next run reads more."""
    if proved is None or not given["state"]:
        return []
    try:
        save(Path(given["state"]), proved, at=at)
    except OSError as exc:
        return [f"what was proved cannot be remembered in {given['state']}: {exc.strerror}"]
    return []
