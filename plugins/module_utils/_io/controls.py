# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the standards whose controls a record can show: meta/controls.json of the collection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONTROLS = Path(__file__).resolve().parents[3] / "meta" / "controls.json"


def read_frameworks() -> list[dict[str, Any]]:
    """Each standard with its controls, in the order of the file."""
    return list(json.loads(CONTROLS.read_text(encoding="utf-8"))["frameworks"])
