# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads, proves and extends the chains of a ledger. What these are: _core/ledger, _core/chain.

```
<ledger>/<change id>/<seq>-<event>.json   the entries
<ledger>/heads/<change id>.json           the head: signed, outside the chain, the commit point of an append
<ledger>/leases/<tenant>.json             who may change a tenant now (lease_store.py)
```
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import chain as proofs
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ledger as chains
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Entry, Event, Head
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import KeyWindow
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.lease_store import LeaseHeld, LeaseStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import ObjectStore, Stored
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signed_store import ATTEMPTS, LedgerError, wait_for_turn
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import Signer, Trust

READERS = 8

__all__ = ["LeaseHeld", "Ledger", "LedgerError", "Record"]


REFUSALS = 5
"""So often may a write be refused over a head that nobody has changed."""
_TAGS = "The store's tags (ETag) do not tell what is stored, or something between changes them: mend that, or use a folder."


@dataclass(frozen=True)
class Record:
    """The stored bytes of one change, of one moment, and what they prove."""

    head: bytes | None
    entries: tuple[Entry, ...]
    chain: proofs.Chain


class Ledger(LeaseStore):
    """One ledger: its chains, and through LeaseStore its leases."""

    def __init__(self, store: ObjectStore, *, trust: Trust | None, signer: Signer | None = None) -> None:
        super().__init__(store, trust=trust, signer=signer)
        self._filed: set[str] = set()
        self._mine: tuple[bytes, Head] | None = None

    # --- reading ---

    def changes(self) -> list[str]:
        """The ids of all changes that something is recorded for."""
        # also those whose head is gone: they are there to be found damaged
        names = [key.removeprefix("heads/").removesuffix(".json").partition("/")[0] for key in self.store.list("")]
        return sorted({name for name in names if chains.CHANGE_ID.fullmatch(name)})

    def events(self, change: str) -> list[Event]:
        """All events of a change, proved; LedgerError with the findings when the chain is not intact. None recorded: empty."""
        chain = self.record(change).chain
        if not chain.intact:
            first = chain.findings[0]
            raise LedgerError(
                f"ledger {self.store.name}: the record of {change} is not intact: {first.text} ({first.code}, "
                f"{len(chain.findings)} findings). {proofs.TAMPERED}",
                findings=[{"code": f.code, "seq": f.seq, "text": f.text} for f in chain.findings],
            )
        return list(chain.events)

    def newest(self, change: str) -> str | None:
        """The digest of the newest event, from the signed head alone; None when nothing is recorded."""
        head = self._head(change)[0]
        return head.digest if head else None

    def verify(self, change: str) -> list[Check]:
        """The chain's checks, for a gate."""
        return proofs.chain_checks(change, self.record(change).chain)

    def record(self, change: str) -> Record:
        """What is stored for a change, and what it proves. Head first, then the entries: what others append meanwhile lies beyond
        that head, and is left out."""
        if not chains.CHANGE_ID.fullmatch(change):
            raise LedgerError(f"change is {change!r}, wanted an id such as CHG-2026-0142.")
        trust = self.trusted()
        stored = self.store.get(f"heads/{change}.json")
        entries = self._entries(change)
        head = None if stored is None else stored.data
        chain = proofs.verify_chain(change, entries, head, trust.verify, trust.windows)
        if any(f.code in ("BEYOND_HEAD", "HEAD_MISSING") for f in chain.findings):
            entries = self._not_later_than(change, stored, entries)
            chain = proofs.verify_chain(change, entries, head, trust.verify, trust.windows)
        return Record(head, tuple(entries), chain)

    # --- writing ---

    def append(
        self,
        change: str,
        event: str,
        *,
        actor: str,
        at: dt.datetime,
        tenant: str | None = None,
        evidence: Mapping[str, Any] | None = None,
        plan_digest: str | None = None,
        once: bool = True,
    ) -> tuple[Event, bool]:
        """Records an event. With ``once`` an event of this name and tenant that is there already is returned, with False."""
        try:
            what = chains.draft(
                change,
                event,
                actor=actor,
                at=at,
                tenant=tenant,
                evidence=evidence,
                plan_digest=plan_digest,
                nonce=secrets.token_hex(8),
            )
        except ValueError as exc:
            raise LedgerError(f"ledger {self.store.name}: {exc}.") from exc
        signer, before, same = self.signing_key(at), None, 0
        for attempt in range(ATTEMPTS):
            head, stored = self._head(change)
            same = same + 1 if stored is not None and before == stored.data else 0
            if same == REFUSALS:
                raise LedgerError(f"ledger {self.store.name}: {event} of {change} is refused although nobody was first. {_TAGS}")
            before = stored.data if stored else None
            if head is not None:
                self._signs_after(head, signer)
                self._file(change, head)
            if once:
                found = self._recorded(change, event, tenant, head)
                if found is not None:
                    return found, False
            entry = chains.build_entry(what, head, keyid=signer.keyid, sign=signer.sign)
            if self._commit(change, entry, head, stored, signer):
                return chains.open_entry(entry.data, change, _own), True
            wait_for_turn(attempt)
        raise LedgerError(
            f"ledger {self.store.name}: {event} of {change} could not be appended: {ATTEMPTS} times somebody else was first. Try again"
        )

    def recorded(self, change: str, event: str, tenant: str | None = None) -> Event | None:
        """What ``append`` with ``once`` would find, without writing."""
        head, _stored = self._head(change)
        return self._recorded(change, event, tenant, head)

    def _commit(self, change: str, entry: Entry, head: Head | None, stored: Stored | None, signer: Signer) -> bool:
        """Replaces the head, which decides who is first, then writes the entry's file. False when somebody else was first."""
        seq = head.seq + 1 if head else 1
        data = chains.build_head(change, entry, seq, keyid=signer.keyid, sign=signer.sign)
        key = f"heads/{change}.json"
        written = self.store.put_new(key, data) if stored is None else self.store.put_if(key, data, stored.etag)
        if not written and not self._is_ours(key, data, f"{change}/{entry.name}", entry.data):
            return False
        if stored is None:
            self._prove_conditions(key)
        self._mine = data, Head(change, seq, chains.sha256(entry.data), entry.name, entry.data)
        self._file(change, self._mine[1])
        return True

    def _is_ours(self, key: str, head: bytes, entry_key: str, entry: bytes) -> bool:
        """After a refusal: whether the answer to a write that was done got lost on the way, and the same write was then refused. Our
        head is there, or somebody has followed it since and has filed our entry (no other has its nonce) before."""
        now = self.store.get(key)
        if now is None or now.data == head:
            return now is not None
        filed = self.store.get(entry_key)
        return filed is not None and filed.data == entry

    def _prove_conditions(self, key: str) -> None:
        stored = self.store.get(key)
        if stored is not None:
            self.store.prove_conditions(key, stored)

    def _file(self, change: str, head: Head) -> None:
        """Makes sure that the head's entry has its file: this writer's, or that of one who was killed in between."""
        key = f"{change}/{head.name}"
        if key in self._filed:
            return
        if not self.store.put_new(key, head.envelope, keep=True):
            there = self.store.get(key)
            if there is None or there.data != head.envelope:
                raise LedgerError(f"ledger {self.store.name}: {key} is not the entry that the head names. {proofs.TAMPERED}")
        self._filed.add(key)

    # --- parts ---

    def _not_later_than(self, change: str, stored: Stored | None, entries: list[Entry]) -> list[Entry]:
        """The entries less those that were appended after ``stored`` was read, as the head of now shows."""
        now = self.store.get(f"heads/{change}.json")
        try:
            first = self._opened(change, stored).seq if stored else 0
            later = range(first + 1, self._opened(change, now).seq + 1) if now else range(0)
        except LedgerError:
            return entries
        return [entry for entry in entries if chains.seq_of(entry.name) not in later]

    def _entries(self, change: str) -> list[Entry]:
        keys = self.store.list(f"{change}/")
        found = self._each(self.store.get, keys)
        return [Entry(key.removeprefix(f"{change}/"), stored.data) for key, stored in zip(keys, found, strict=True) if stored is not None]

    def _head(self, change: str) -> tuple[Head | None, Stored | None]:
        """The head, proved. An append needs no more: the head is signed and names the whole chain through the newest entry."""
        stored = self.store.get(f"heads/{change}.json")
        if stored is None:
            if not self.store.list(f"{change}/"):
                return None, None
            # entries are written after their head: if there really is none, it is still not there
            stored = self.store.get(f"heads/{change}.json")
        if stored is None:
            raise self._broken(change, "the head is not there, but entries are", "HEAD_MISSING")
        return self._opened(change, stored), stored

    def _opened(self, change: str, stored: Stored) -> Head:
        if self._mine and self._mine[0] == stored.data and self._mine[1].change == change:
            return self._mine[1]
        trust = self.trusted()
        try:
            head = chains.open_head(stored.data, change, trust.verify)
            if head.keyid in trust.windows:
                _believe(trust.windows[head.keyid], head.keyid, chains.time_of(head))
        except chains.InvalidError as exc:
            raise self._broken(change, f"the head {exc.text}", f"HEAD_{exc.code}") from exc
        return head

    def _recorded(self, change: str, event: str, tenant: str | None, head: Head | None) -> Event | None:
        """The latest event of this name and tenant. Names of files only tell where to look; what counts is signed."""
        if head is None:
            return None
        names = [key.rsplit("/", 1)[1] for key in self.store.list(f"{change}/") if key.endswith(f"-{event}.json")]
        # the newest first, a few at a time: what is asked for is mostly new
        newest = sorted({head.name, *names}, key=chains.seq_of, reverse=True)
        todo = [name for name in newest if name.endswith(f"-{event}.json")]
        step = READERS if self.store.remote else 1
        for at in range(0, len(todo), step):
            for name, data in self._fetch(change, todo[at : at + step], head):
                if chains.may_be_of(data, tenant):
                    found = self._open(change, name, data)
                    if found.tenant == tenant:
                        return found
        return None

    def _fetch(self, change: str, names: list[str], head: Head) -> list[tuple[str, bytes]]:
        def one(name: str) -> bytes:
            stored = None if name == head.name else self.store.get(f"{change}/{name}")
            return head.envelope if name == head.name else stored.data if stored else b""

        return list(zip(names, self._each(one, names), strict=True))

    def _each(self, call: Callable[[str], Any], names: list[str]) -> list[Any]:
        """Requests to a bucket side by side, as many as there are readers."""
        if not self.store.remote or len(names) < 2:
            return [call(name) for name in names]
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(call, names))

    def _open(self, change: str, name: str, data: bytes) -> Event:
        try:
            found = chains.open_entry(data, change, self.trusted().verify)
            if found.keyid in self.trusted().windows:
                _believe(self.trusted().windows[found.keyid], found.keyid, parse_instant(found.at))
        except chains.InvalidError as exc:
            raise self._broken(change, f"{name} {exc.text}", exc.code) from exc
        if chains.entry_name(found.seq, found.event) != name:
            raise self._broken(change, f"{name} holds event {found.seq} ({found.event})", "MOVED")
        return found

    def _broken(self, change: str, text: str, code: str) -> LedgerError:
        message = f"ledger {self.store.name}: the record of {change} is not intact: {text} ({code}). {proofs.TAMPERED}"
        return LedgerError(message, findings=[{"code": code, "seq": 0, "text": text}])

    def _signs_after(self, head: Head, signer: Signer) -> None:
        """An entry's key has to count at the time of the entry before it as well (_core/chain says why)."""
        if signer.keyid in self.trusted().windows:
            self.refuse_untimely(signer, chains.time_of(head), "at the time of the newest entry")


def _believe(window: KeyWindow, keyid: str, at: dt.datetime) -> None:
    """InvalidError when the key did not count at this time."""
    if code := window.refusal(at):
        raise chains.InvalidError(code, f"counts as signed at {rfc3339(at)}, by a key ({keyid[:16]}) that is {window}")


def _own(_keyid: str, _message: bytes, _signature: bytes) -> str:
    """What this process has signed itself a moment ago needs no proof."""
    return ""
