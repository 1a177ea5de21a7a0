# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves a whole chain: entries and head in, events and findings out. What an entry and a head are: ledger.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import (
    ENTRY_FILE,
    Entry,
    Event,
    Head,
    InvalidError,
    Verify,
    entry_name,
    open_entry,
    open_head,
    sha256,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import KeyWindow


@dataclass(frozen=True)
class Finding:
    """Something wrong in a chain. ``seq`` is 0 when it concerns the head or no single entry."""

    code: str
    seq: int
    text: str


@dataclass(frozen=True)
class Chain:
    """What a verification found. ``pending``: the newest entry is in the head only, its file is still to be written."""

    events: tuple[Event, ...]
    findings: tuple[Finding, ...]
    pending: bool = False
    head: Head | None = None

    @property
    def intact(self) -> bool:
        return not self.findings


def verify_chain(
    change: str, entries: Iterable[Entry], head: bytes | None, verify: Verify, windows: Mapping[str, KeyWindow] | None = None
) -> Chain:
    """Every altered, removed, moved, inserted or cut off entry, with the sequence number where it is. ``windows``: when the keys
    that ``verify`` knows count, by key id; a key that is not in it counts at any time."""
    by_seq, findings = _sort(entries)
    record = None
    if head is not None:
        try:
            record = open_head(head, change, verify)
        except InvalidError as exc:
            findings.append(Finding(f"HEAD_{exc.code}", 0, f"the head {exc.text}"))
    elif by_seq:
        findings.append(Finding("HEAD_MISSING", 0, f"there are {len(by_seq)} entries and no head"))
    pending = record is not None and record.seq not in by_seq
    if record is not None and pending:
        by_seq[record.seq] = Entry(record.name, record.envelope)
    events = {}
    for seq in sorted(by_seq):
        opened = _open(change, seq, by_seq[seq], verify)
        if isinstance(opened, Finding):
            findings.append(opened)
        else:
            events[seq] = opened
    findings += _gaps(by_seq, record, pending) + _links(by_seq, events) + _ends(by_seq, record)
    if windows:
        findings += _keys(events, record, windows)
    ordered = tuple(events.values())
    return Chain(ordered, tuple(sorted(set(findings), key=lambda f: (f.seq, f.code))), pending, record)


def _sort(entries: Iterable[Entry]) -> tuple[dict[int, Entry], list[Finding]]:
    """Entries by the number in their name. Of two with one number the first by name stays, and both are told."""
    by_seq: dict[int, Entry] = {}
    findings = []
    for entry in sorted(entries, key=lambda e: e.name):
        match = ENTRY_FILE.fullmatch(entry.name)
        seq = int(match.group(1)) if match else 0
        if not match or seq == 0 or entry.name != entry_name(seq, match.group(2)):
            findings.append(Finding("INSERTED", 0, f"{entry.name} is no entry's name"))
        elif seq in by_seq:
            findings.append(Finding("FORK", seq, f"{by_seq[seq].name} and {entry.name} have one number"))
        else:
            by_seq[seq] = entry
    return by_seq, findings


def _open(change: str, seq: int, entry: Entry, verify: Verify) -> Event | Finding:
    try:
        event = open_entry(entry.data, change, verify)
    except InvalidError as exc:
        return Finding(exc.code, seq, f"{entry.name} {exc.text}")
    if entry.name != entry_name(event.seq, event.event):
        return Finding("MOVED", seq, f"{entry.name} holds event {event.seq} ({event.event})")
    return event


def _gaps(by_seq: Mapping[int, Entry], head: Head | None, pending: bool) -> list[Finding]:
    """Each entry that the signed head says must be there. Without a head, the first of each gap: the names that a folder happens
    to hold prove nothing, and one of them may hold a number of twelve digits."""
    if head is None:
        starts = sorted({seq - 1 for seq in by_seq} - by_seq.keys() - {0})
        return [Finding("REMOVED", seq, f"entry {seq} is not there, but a later one is") for seq in starts]
    last = max((seq for seq in by_seq if seq < head.seq + (not pending)), default=0)
    absent = [seq for seq in range(1, head.seq) if seq not in by_seq]
    return [Finding("TAIL_REMOVED" if seq > last else "REMOVED", seq, f"entry {seq} is not there") for seq in absent]


def _links(by_seq: Mapping[int, Entry], events: Mapping[int, Event]) -> list[Finding]:
    findings = []
    for seq, event in events.items():
        before = by_seq.get(seq - 1)
        if seq == 1 and event.previous is not None:
            findings.append(Finding("REMOVED", 0, "entry 1 names an entry before it"))
        if before is None:
            continue
        known = events.get(seq - 1)
        if event.previous != (known.digest if known else sha256(before.data)):
            text = f"{before.name} is not the entry that entry {seq} names as the one before it"
            findings.append(Finding("ALTERED", seq - 1, text))
    return findings


def _ends(by_seq: Mapping[int, Entry], head: Head | None) -> list[Finding]:
    """What lies beyond the head, and a newest entry that is not the head's."""
    if head is None:
        return []
    findings = [Finding("BEYOND_HEAD", seq, f"entry {seq} lies beyond the head ({head.seq})") for seq in by_seq if seq > head.seq]
    newest = by_seq.get(head.seq)
    if newest is not None and sha256(newest.data) != head.digest:
        findings.append(Finding("ALTERED", head.seq, f"{newest.name} is not the entry that the head names"))
    return findings


def _keys(events: Mapping[int, Event], head: Head | None, windows: Mapping[str, KeyWindow]) -> list[Finding]:
    """Signatures of keys whose time it was not. A key has to count at its entry's time and at that of the entry before it: who has
    a key that has ended can write an early time, but cannot come before what others recorded later."""
    findings = []
    for seq, event in events.items():
        before = events.get(seq - 1)
        if told := _untimely(event.keyid, [event] + ([before] if before else []), windows):
            findings.append(Finding(told[0], seq, f"{entry_name(seq, event.event)} {told[1]}"))
    newest = events.get(head.seq) if head else None
    if head and newest and (told := _untimely(head.keyid, [newest], windows)):
        findings.append(Finding(f"HEAD_{told[0]}", 0, f"the head {told[1]}"))
    return findings


def _untimely(keyid: str, events: Iterable[Event], windows: Mapping[str, KeyWindow]) -> tuple[str, str] | None:
    """A code and a text when the key did not count at the time of one of the events."""
    window = windows.get(keyid)
    if window is None:
        return None
    for event in events:
        try:
            code = window.refusal(parse_instant(event.at))
        except ValueError:
            code = "UNREADABLE"
        if code:
            return code, f"counts as signed at {event.at}, by a key ({keyid[:16]}) that is {window}"
    return None


# --- as checks --------------------------------------------------------------------------------------------------------


TAMPERED = "Restore it from a copy of the ledger and find out who changed it; nothing is recorded for this change until then."
PENDING = "Run the change again (the next append writes the file). If no run was killed, someone removed it."
UNTIMELY = "Find out who signed it then. If the trust list is wrong about that key's times, correct the list."


def chain_checks(change: str, chain: Chain) -> list[Check]:
    """The chain as checks of a gate."""
    if not chain.events and not chain.findings:
        why = f"no event of {change} is recorded"
        return [unknown("ledger_chain", why, hint="Check the change id and the ledger's location.", code="EMPTY")]
    wrong = [_wrong(f.seq, f.text, f.code, _hint(f.code)) for f in chain.findings]
    if chain.pending:
        seq = chain.events[-1].seq if chain.events else 0
        wrong.append(_wrong(seq, "the newest entry is in the head only, its file is not there", "TAIL_REMOVED", PENDING))
    if wrong:
        return wrong
    last = chain.events[-1]
    linked = f"{len(chain.events)} entries, each signed and linked"
    return [
        Check("ledger_chain", True, linked, "each entry signed and linked to the one before it"),
        Check("ledger_head", True, f"entry {last.seq}, {last.digest[:16]}", "the newest entry"),
    ]


def _hint(code: str) -> str:
    return UNTIMELY if code.removeprefix("HEAD_") in ("EARLY_KEY", "EXPIRED_KEY", "REVOKED_KEY") else TAMPERED


def _wrong(seq: int, text: str, code: str, hint: str) -> Check:
    return Check(f"ledger_entry_{seq:06d}" if seq else "ledger_head", False, text, "as it was signed", hint, code)
