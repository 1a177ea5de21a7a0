# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A chain as people read it: one row for each event, and one for each finding where it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.chain import Chain
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event, canonical, sha256

SHORT = 12
"""Digits of a digest or a key id on a line; rows have them whole."""


def rows(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Who did what, when, with what verdict; the digests of evidence and entry, and the key that signed it."""
    return [
        {
            "seq": event.seq,
            "at": event.at,
            "event": event.event,
            "tenant": event.tenant,
            "actor": event.actor,
            "verdict": _verdict(event.evidence),
            "evidence_sha256": sha256(canonical(event.evidence)),
            "sha256": event.digest,
            "keyid": event.keyid,
        }
        for event in events
    ]


def lines(change: str, chain: Chain) -> list[str]:
    """The timeline as text: a heading, a line for each event in even columns, and after them what is wrong with the chain."""
    table = [_cells(row) for row in rows(chain.events)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    told = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    state = "each signed and linked" if chain.intact and not chain.pending else "NOT INTACT"
    wrong = [f"  {finding.code} {finding.seq or 'head'}: {finding.text}" for finding in chain.findings]
    wrong += ["  TAIL_REMOVED: the newest entry is in the head only, its file is not there"] if chain.pending else []
    return [f"{change}: {len(told)} events, {state}", *told, *wrong]


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        str(row["seq"]),
        row["at"],
        row["event"],
        row["tenant"] or "-",
        row["actor"],
        row["verdict"] or "-",
        f"evidence {row['evidence_sha256'][:SHORT]}",
        f"key {row['keyid'][:SHORT]}",
    ]


def _verdict(evidence: Mapping[str, Any]) -> str | None:
    """What the evidence says of itself: a gate's verdict, or the result of a change that was closed."""
    told = evidence.get("verdict") or evidence.get("result")
    return told if isinstance(told, str) else None
