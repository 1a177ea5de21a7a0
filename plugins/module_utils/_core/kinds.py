# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a value is, in words for people: Ansible's own types have names that nobody who writes YAML knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "true or false"),
    (str, "a text"),
    ((int, float), "a number"),
    (Mapping, "a mapping"),
    ((list, tuple), "a list"),
    (type(None), "nothing"),
)


def kind_of(value: Any) -> str:
    """Such as ``a mapping``; never the value itself, which may be secret."""
    return next((word for kind, word in KINDS if isinstance(value, kind)), f"of type {type(value).__name__}")
