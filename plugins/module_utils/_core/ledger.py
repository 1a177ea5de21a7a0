# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger's documents: how an event becomes an envelope, and an envelope an event again. A whole chain is proved in chain.py.

An envelope is DSSE (https://github.com/secure-systems-lab/dsse) around an in-toto Statement v1. Each predicate holds the
SHA-256 of the envelope before it. The *head*, a signed record outside the chain, is the commit point of an append: it is
replaced under a condition before the entry's own file is written, and carries the whole newest envelope. Therefore

* two writers cannot fork the chain, whatever the events are called: only one of them can replace the same head;
* a writer killed between head and file loses nothing: the entry is in the head, the next append writes its file;
* a removed tail always differs from the head.

An envelope has one byte form only. Without that, a head could be altered (blanks, the spare bits of base64) and still be the same
signed record.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://odoo-ops.example.org/ledger-event/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
HEAD_TYPE = "application/vnd.odoo-ops.ledger-head+json"
SCHEMA = 1

CHANGE_ID = re.compile(r"[A-Z]+-[0-9]{4}-[0-9]+")
EVENT_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
SHA256 = re.compile(r"[0-9a-f]{64}")
ENTRY_FILE = re.compile(r"([0-9]{6,12})-([a-z][a-z0-9_]{0,62})\.json")
ENVELOPE = re.compile(
    rb'\{"payload":"([A-Za-z0-9+/]*={0,2})","payloadType":"([ !#-\[\]-~]*)",'
    rb'"signatures":\[\{"keyid":"([ !#-\[\]-~]*)","sig":"([A-Za-z0-9+/]*={0,2})"\}\]\}'
)
"""What canonical() makes of an envelope with one signature."""

# made once: json.dumps and json.loads make one or look for encodings each time, and a record has 100,000 documents
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
DECODER = json.JSONDecoder()

Sign = Callable[[bytes], bytes]
Verify = Callable[[str, bytes, bytes], str]
"""(key id, message, signature) -> empty when good, else UNKNOWN_KEY or BAD_SIGNATURE."""


@dataclass(frozen=True)
class Event:
    """One entry of a chain that was verified. ``digest`` is the SHA-256 of its envelope, ``subject`` what it is about, ``keyid``
    the key that signed it."""

    seq: int
    event: str
    tenant: str | None
    actor: str
    at: str
    evidence: dict[str, Any]
    digest: str
    previous: str | None
    subject: str = ""
    keyid: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON values, as tasks return them."""
        return asdict(self)


@dataclass(frozen=True)
class Draft:
    """An event before it has a place in the chain. ``subject`` is the plan's digest, or that of the change id. ``nonce`` tells
    two equal events of one second apart, so that neither writer takes the other's for its own."""

    change: str
    event: str
    tenant: str | None
    actor: str
    at: str
    evidence: Mapping[str, Any]
    subject: str
    nonce: str = ""


@dataclass(frozen=True)
class Entry:
    """One stored file of a chain: its name without the folder, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Head:
    """The head record: the newest entry, whole."""

    change: str
    seq: int
    digest: str
    name: str
    envelope: bytes
    keyid: str = ""


class InvalidError(ValueError):
    """Bytes that are not what they should be: a reason code and a text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


# --- documents -------------------------------------------------------------------------------------------------------


def canonical(document: Any) -> bytes:
    """The one byte form of a JSON document: sorted keys, no blanks, ASCII. NaN is refused (ValueError), for it is no JSON."""
    return ENCODER.encode(document).encode("ascii")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def plain_digest(digest: str) -> str:
    """The 64 hex digits of ``sha256:HEX`` or ``HEX``; ValueError when it is neither."""
    found = digest.removeprefix("sha256:").lower()
    if not SHA256.fullmatch(found):
        raise ValueError(f"{digest!r} is not a SHA-256 digest, wanted sha256: and 64 hexadecimal digits")
    return found


def draft(
    change: str,
    event: str,
    *,
    actor: str,
    at: dt.datetime,
    tenant: str | None = None,
    evidence: Mapping[str, Any] | None = None,
    plan_digest: str | None = None,
    nonce: str = "",
) -> Draft:
    """A draft whose parts are all well formed; ValueError with what is wanted when one is not."""
    if not CHANGE_ID.fullmatch(change):
        raise ValueError(f"change is {change!r}, wanted an id such as CHG-2026-0142")
    if not EVENT_NAME.fullmatch(event):
        raise ValueError(f"event is {event!r}, wanted a small snake_case word of at most 63 letters")
    if not actor:
        raise ValueError("actor is empty, wanted who does this")
    try:
        canonical(evidence or {})
    except (TypeError, ValueError) as exc:
        raise ValueError(f"evidence of {event} is not a JSON document: {exc}. Turn dates and other objects into text first") from exc
    subject = plain_digest(plan_digest) if plan_digest else sha256(change.encode())
    return Draft(change, event, tenant, actor, rfc3339(at), evidence or {}, subject, nonce)


def entry_name(seq: int, event: str) -> str:
    return f"{seq:06d}-{event}.json"


def seq_of(name: str) -> int:
    """The number in an entry's name; 0 when it is no entry's name."""
    match = ENTRY_FILE.fullmatch(name)
    return int(match.group(1)) if match else 0


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload_type: str, payload: bytes, *, keyid: str, sign: Sign) -> bytes:
    """A DSSE envelope with one signature."""
    signature = base64.b64encode(sign(pae(payload_type, payload))).decode()
    body = {"payloadType": payload_type, "payload": base64.b64encode(payload).decode(), "signatures": [{"keyid": keyid, "sig": signature}]}
    return canonical(body)


def unseal(data: bytes, payload_type: str, verify: Verify) -> tuple[Any, str]:
    """The JSON payload of an envelope whose signature is good, and the key that signed it; InvalidError otherwise."""
    found = ENVELOPE.fullmatch(data)
    if not found:
        raise InvalidError("UNREADABLE", "is not an envelope with one signature")
    payload, kind, keyid, sig = _decoded(found[1]), found[2].decode(), found[3].decode(), _decoded(found[4])
    if kind != payload_type:
        raise InvalidError("UNREADABLE", f"is of type {kind!r}, wanted {payload_type}")
    reason = verify(keyid, pae(payload_type, payload), sig)
    if reason:
        raise InvalidError(reason, f"has a signature that does not count ({reason}, key {keyid[:16]})")
    try:
        return _parsed(payload.decode()), keyid
    except (ValueError, RecursionError) as exc:
        raise InvalidError("UNREADABLE", "has a payload that is not JSON") from exc


def _parsed(text: str) -> Any:
    """One JSON document and nothing around it."""
    document, end = DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError(f"something follows the document at {end}")
    return document


def _decoded(text: bytes) -> bytes:
    """Base64 whose last digit has no stray bits; InvalidError otherwise."""
    try:
        data = binascii.a2b_base64(text)
    except binascii.Error as exc:
        raise InvalidError("UNREADABLE", "is not an envelope with one signature") from exc
    if binascii.b2a_base64(data, newline=False) != text:
        raise InvalidError("UNREADABLE", "is written in another form than that of its signer")
    return data


# --- entries and the head ---------------------------------------------------------------------------------------------


def build_entry(what: Draft, head: Head | None, *, keyid: str, sign: Sign) -> Entry:
    """The entry that follows the head."""
    seq = head.seq + 1 if head else 1
    predicate = {
        "schema": SCHEMA,
        "change": what.change,
        "event": what.event,
        "tenant": what.tenant,
        "actor": what.actor,
        "at": what.at,
        "evidence": what.evidence,
        "nonce": what.nonce,
        "previous": head.digest if head else None,
        "seq": seq,
    }
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": what.change, "digest": {"sha256": what.subject}}],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }
    return Entry(entry_name(seq, what.event), seal(PAYLOAD_TYPE, canonical(statement), keyid=keyid, sign=sign))


def open_entry(data: bytes, change: str, verify: Verify) -> Event:
    """The event of an envelope that is signed and about this change; InvalidError otherwise."""
    statement, keyid = unseal(data, PAYLOAD_TYPE, verify)
    try:
        if statement["_type"] != STATEMENT or statement["predicateType"] != PREDICATE:
            raise InvalidError("UNREADABLE", "is not an event of a ledger")
        body = statement["predicate"]
        (subject,) = statement["subject"]
        if body["schema"] != SCHEMA:
            raise InvalidError("UNREADABLE", f"has schema {body['schema']!r}, wanted {SCHEMA}. Use a newer release of the collection")
        if body["change"] != change or subject["name"] != change:
            raise InvalidError("OTHER_CHANGE", f"belongs to {body['change']}, wanted {change}")
        rest = {key: body[key] for key in ("seq", "event", "tenant", "actor", "at", "evidence", "previous")}
        return Event(**rest, digest=sha256(data), subject=subject["digest"]["sha256"], keyid=keyid)
    except (KeyError, TypeError, ValueError) as exc:
        if isinstance(exc, InvalidError):
            raise
        raise InvalidError("UNREADABLE", "lacks parts of an event") from exc


def may_be_of(data: bytes, tenant: str | None) -> bool:
    """Whether an entry names this tenant, unproved: tells which entries are worth proving. What cannot be read may be of anybody."""
    try:
        return bool(_predicate(data)["tenant"] == tenant)
    except (ValueError, KeyError, TypeError, RecursionError):
        return True


def time_of(head: Head) -> dt.datetime:
    """When the newest entry was recorded; the head's own signature has covered it. InvalidError when it says no time."""
    try:
        return parse_instant(_predicate(head.envelope)["at"])
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise InvalidError("UNREADABLE", "holds an entry without a time") from exc


def _predicate(data: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(data)["payload"]))["predicate"]


def build_head(change: str, entry: Entry, seq: int, *, keyid: str, sign: Sign) -> bytes:
    body = {
        "schema": SCHEMA,
        "change": change,
        "seq": seq,
        "digest": sha256(entry.data),
        "name": entry.name,
        "envelope": entry.data.decode("ascii"),
    }
    return seal(HEAD_TYPE, canonical(body), keyid=keyid, sign=sign)


def open_head(data: bytes, change: str, verify: Verify) -> Head:
    """The head record of this change; InvalidError otherwise."""
    body, keyid = unseal(data, HEAD_TYPE, verify)
    try:
        head = Head(body["change"], int(body["seq"]), body["digest"], body["name"], body["envelope"].encode("ascii"), keyid)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise InvalidError("UNREADABLE", "lacks parts of a head") from exc
    if head.change != change:
        raise InvalidError("OTHER_CHANGE", f"belongs to {head.change}, wanted {change}")
    if sha256(head.envelope) != head.digest:
        raise InvalidError("UNREADABLE", "holds an entry that its own digest does not match")
    return head


# --- questions --------------------------------------------------------------------------------------------------------


def find(events: Sequence[Event], event: str, tenant: str | None = None) -> Event | None:
    """The latest event of this name and tenant (``None``: the change as a whole), or None."""
    return next((e for e in reversed(events) if e.event == event and e.tenant == tenant), None)
