# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The error that people read. Every outside system has its own subclass in its ``_io`` file."""

from __future__ import annotations

from typing import Any


class ChangeError(Exception):
    """A reason to stop, told as: what, seen, wanted, what to do. ``facts`` go into the task's result."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts
