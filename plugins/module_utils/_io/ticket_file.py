# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A ticket that is a file, for estates without a ticket system and for those whose system picks files up: <folder>/<change>.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ticket import Step, sentence
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.json_api import ToldError


class FileTicket:
    """The file of one change. One that is damaged or gone is written anew from the ledger."""

    def __init__(self, folder: Path, *, change: str, title: str) -> None:
        self._path = folder / f"{change}.json"
        self._document: dict[str, Any] = {}
        self._fresh = {"schema": 1, "change": change, "title": title, "history": []}

    def shown(self) -> str | None:
        try:
            self._document = json.loads(self._path.read_text(encoding="utf-8"))
            entry = self._document["history"][-1]["entry"]
            whole = self._document["change"] == self._fresh["change"] and self._document["entry"] == entry
        except FileNotFoundError:
            whole, entry = False, None
        except OSError as exc:
            raise ToldError(f"{self._path} cannot be read: {exc.strerror}") from exc
        except (ValueError, KeyError, IndexError, TypeError):
            whole, entry = False, None
        if not whole:
            self._document = dict(self._fresh)
            return None
        return str(entry)

    def tell(self, step: Step) -> None:
        past = [*self._document["history"], step.as_dict()]
        says = sentence(str(self._fresh["change"]), step)
        self._document = {**self._document, "state": step.state, "entry": step.entry, "says": says, "history": past}
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            part.replace(self._path)  # whole or not at all
        except OSError as exc:
            raise ToldError(f"{self._path} cannot be written: {exc.strerror}") from exc
