# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a key's signatures count, and the list that says so. Rotation is two keys whose times overlap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant

ALWAYS = dt.datetime.min.replace(tzinfo=dt.timezone.utc)
"""``revoked`` since then: nothing that the key ever signed counts."""

LISTED_KEYS = frozenset({"file", "name", "not_before", "not_after", "revoked"})


@dataclass(frozen=True)
class KeyWindow:
    """From ``not_before`` through ``not_after``, and before ``revoked``. None: no such limit."""

    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    revoked: dt.datetime | None = None

    def refusal(self, at: dt.datetime) -> str:
        """Why a signature of this time does not count; empty when it does."""
        if self.revoked is not None and at >= self.revoked:
            return "REVOKED_KEY"
        if self.not_before is not None and at < self.not_before:
            return "EARLY_KEY"
        return "EXPIRED_KEY" if self.not_after is not None and at > self.not_after else ""

    def refusal_within(self, begin: dt.datetime, end: dt.datetime) -> str:
        """Why a signature of an unknown moment between two times does not count; empty when there is a moment at which it does."""
        return self.refusal(min(end, max(begin, self.not_before or begin)))

    def as_dict(self) -> dict[str, Any]:
        """JSON values that parse_window reads."""
        revoked = True if self.revoked == ALWAYS else _text(self.revoked)
        return {"not_before": _text(self.not_before), "not_after": _text(self.not_after), "revoked": revoked}

    def __str__(self) -> str:
        parts = [f"{word} {_text(at)}" for word, at in (("from", self.not_before), ("through", self.not_after)) if at]
        parts += ["revoked" if self.revoked == ALWAYS else f"revoked from {_text(self.revoked)}"] if self.revoked else []
        return f"valid {', '.join(parts)}" if parts else "valid at any time"


@dataclass(frozen=True)
class ListedKey:
    """One key of a trust list: where its PEM file is, and when it counts."""

    file: str
    name: str
    window: KeyWindow


def parse_window(given: Mapping[str, Any]) -> KeyWindow:
    """The window of a mapping's ``not_before``, ``not_after`` and ``revoked``; ValueError with what is wanted."""
    begin, end = _instant(given, "not_before"), _instant(given, "not_after")
    if begin and end and end < begin:
        raise ValueError(f"not_after {_text(end)} lies before not_before {_text(begin)}, so the key would never count")
    revoked = given.get("revoked")
    if isinstance(revoked, bool):
        return KeyWindow(begin, end, ALWAYS if revoked else None)
    return KeyWindow(begin, end, _instant(given, "revoked"))


def parse_trust_list(document: Any) -> list[ListedKey]:
    """The keys of a trust list's document; ValueError with what is wanted."""
    if not isinstance(document, Mapping) or set(document) != {"keys"} or not isinstance(document["keys"], list) or not document["keys"]:
        raise ValueError("is not PEM and no trust list either: wanted one key 'keys' with a list of file, not_before, not_after, revoked")
    return [_listed(number, item) for number, item in enumerate(document["keys"], 1)]


def _listed(number: int, item: Any) -> ListedKey:
    if not isinstance(item, Mapping) or not isinstance(item.get("file"), str) or not item["file"]:
        raise ValueError(f"key {number} has no 'file', wanted the path of a public key in PEM")
    if strange := sorted(str(key) for key in set(item) - LISTED_KEYS):
        raise ValueError(f"key {number} ({item['file']}) has {', '.join(strange)}, wanted only {', '.join(sorted(LISTED_KEYS))}")
    try:
        return ListedKey(item["file"], str(item.get("name") or ""), parse_window(item))
    except ValueError as exc:
        raise ValueError(f"key {number} ({item['file']}): {exc}") from exc


def _instant(given: Mapping[str, Any], key: str) -> dt.datetime | None:
    """YAML makes a datetime of a time without quotes, and a naive one when it has no offset."""
    value = given.get(key)
    if value is None:
        return None
    try:
        return parse_instant(value.isoformat() if isinstance(value, dt.datetime) else value)
    except ValueError as exc:
        raise ValueError(f"{key}: {exc}") from exc


def _text(at: dt.datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
