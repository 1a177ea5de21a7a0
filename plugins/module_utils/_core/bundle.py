# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change's whole record as one document, that can be proved without the ledger it came from. It has no time of its own: the same
record, exported with the same keys by the same release, has the same bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import report as reports
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.chain import Chain, chain_checks
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import evidence, message, verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.controls import map_controls
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import (
    CHANGE_ID,
    Entry,
    InvalidError,
    Sign,
    Verify,
    canonical,
    seal,
    sha256,
    unseal,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import KeyWindow, parse_window

BUNDLE_TYPE = "application/vnd.odoo-ops.ledger-bundle+json"
SCHEMA = 1
MISSING_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


@dataclass(frozen=True)
class BundleKey:
    """A key that signed something in the record: its public half as PEM, and when it counts."""

    keyid: str
    pem: str
    window: KeyWindow


@dataclass(frozen=True)
class Bundle:
    """An exported record whose signature is good. ``signed_by``: the key that vouches for all of it."""

    change: str
    head: bytes | None
    entries: tuple[Entry, ...]
    keys: tuple[BundleKey, ...]
    signed_by: str
    newest: dt.datetime


def build_bundle(
    change: str,
    *,
    head: bytes | None,
    entries: Sequence[Entry],
    chain: Chain,
    keys: Sequence[BundleKey],
    frameworks: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The document. Stored bytes are text of one byte a letter, so that damaged ones are kept as they are."""
    checks = chain_checks(change, chain)
    proved = {"verdict": verdict(checks), "msg": message(f"the record of {change}", checks)}
    return {
        "schema": SCHEMA,
        "change": change,
        "head": None if head is None else head.decode("latin-1"),
        "entries": [{"name": e.name, "sha256": sha256(e.data), "envelope": e.data.decode("latin-1")} for e in entries],
        "keys": [_key(key, chain) for key in keys],
        "verification": {**proved, "evidence": evidence(f"the record of {change}", checks, at=newest_time(chain))},
        "report": _report(chain, proved),
        "controls": map_controls(frameworks, chain.events, intact=chain.intact),
    }


def seal_bundle(document: Mapping[str, Any], *, keyid: str, sign: Sign) -> bytes:
    return seal(BUNDLE_TYPE, canonical(document), keyid=keyid, sign=sign)


def open_bundle(data: bytes, verify: Verify) -> Bundle:
    """The record of a bundle's bytes when its signature is good; InvalidError otherwise."""
    body, signed_by = unseal(data, BUNDLE_TYPE, verify)
    try:
        if body["schema"] != SCHEMA or not CHANGE_ID.fullmatch(body["change"]):
            raise InvalidError("UNREADABLE", f"has schema {body['schema']!r}, wanted {SCHEMA}. Use a newer release of the collection")
        head = None if body["head"] is None else body["head"].encode("latin-1")
        entries = tuple(Entry(e["name"], e["envelope"].encode("latin-1")) for e in body["entries"])
        keys = tuple(BundleKey(key["keyid"], key["public_key"], parse_window(key)) for key in body["keys"])
        newest = parse_instant(body["verification"]["evidence"]["measured_at"])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        if isinstance(exc, InvalidError):
            raise
        raise InvalidError("UNREADABLE", f"lacks parts of an exported record: {exc}") from exc
    return Bundle(body["change"], head, entries, keys, signed_by, newest)


def voucher_refusal(window: KeyWindow | None, *, newest: dt.datetime, now: dt.datetime) -> str:
    """Why the key that signed a bundle does not count; empty when it does. A bundle does not say when it was signed. So the key must
    count now, or have counted when the newest entry was recorded; one that was revoked, whenever, vouches for nothing."""
    if window is None:
        return ""
    if window.revoked is not None:
        return "REVOKED_KEY"
    return window.refusal(now) and window.refusal(newest)


def newest_time(chain: Chain) -> dt.datetime:
    """When the newest entry was recorded; the epoch when there is none, or when it does not say."""
    try:
        return parse_instant(chain.events[-1].at)
    except (IndexError, ValueError):
        return MISSING_TIME


def _key(key: BundleKey, chain: Chain) -> dict[str, Any]:
    signed = [event.seq for event in chain.events if event.keyid == key.keyid]
    heads = chain.head is not None and chain.head.keyid == key.keyid
    return {"keyid": key.keyid, "public_key": key.pem, **key.window.as_dict(), "entries": signed, "head": heads}


def _report(chain: Chain, proved: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a change; events that were recorded by hand need not be those of a change."""
    try:
        return reports.report(chain.events, verified=proved)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        return {"schema": reports.REPORT_SCHEMA, "result": "unknown", "lines": [f"the events do not make a report: {exc!r}"]}
