# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps the leases of a ledger: one signed record for each tenant, ``leases/<tenant>.json``. Who gets one: _core/lease."""

from __future__ import annotations

import datetime as dt
import secrets
from urllib.parse import quote

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import lease as leases
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ledger as chains
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.lease import Holder, Lease
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import Stored
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.processes import alive, os_user, this_process
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signed_store import (
    ATTEMPTS,
    LedgerError,
    SignedStore,
    wait_for_turn,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import Signer

LEASE_TYPE = "application/vnd.odoo-ops.lease+json"


class LeaseHeld(LedgerError):  # noqa: N818 - it is a state of the world, and its name is part of the contract
    """The tenant is somebody else's. ``lease``: whose, None when its record is gone; ``code``: why it cannot be taken."""

    def __init__(self, message: str, *, lease: Lease | None, code: str) -> None:
        super().__init__(message, lease=lease.as_dict() if lease else None, code=code)
        self.lease = lease
        self.code = code


class LeaseStore(SignedStore):
    """The leases of one ledger."""

    def acquire_lease(self, tenant: str, holder: Holder | str, *, ttl_s: float, now: dt.datetime, token: int | None = None) -> Lease:
        """The lease of a tenant, new or renewed; LeaseHeld when it is somebody else's. ``holder`` as text is this run's change id.
        With ``token``, the fencing token that this run was given before, only that one is renewed."""
        signer, holder = self.signing_key(now), _as_holder(holder)
        for attempt in range(ATTEMPTS):
            nonce = secrets.token_hex(8)
            current, stored = self._lease(tenant)
            decision = leases.decide(current, tenant=tenant, holder=holder, now=now, ttl_s=ttl_s, nonce=nonce, alive=alive, token=token)
            if decision.lease is None:
                raise _held(decision, current)
            if self._put_lease(decision.lease, stored, signer):
                return decision.lease
            wait_for_turn(attempt)
        raise LedgerError(f"ledger {self.store.name}: the lease of {tenant} could not be written, others were always first. Try again")

    def judge_lease(self, tenant: str, holder: Holder | str, *, ttl_s: float, now: dt.datetime) -> leases.Decision:
        """What acquire_lease would do, without writing; LeaseHeld as there."""
        current = self.lease(tenant)
        decision = leases.decide(current, tenant=tenant, holder=_as_holder(holder), now=now, ttl_s=ttl_s, nonce="", alive=alive)
        if decision.lease is None:
            raise _held(decision, current)
        return decision

    def release_lease(self, lease: Lease | str, change: str | None = None, *, now: dt.datetime | None = None) -> bool:
        """Frees the tenant of a lease, or a tenant (by name) that ``change`` holds. False when there is nothing of ours to free."""
        signer = self.signing_key(now)
        tenant = lease if isinstance(lease, str) else lease.tenant
        for attempt in range(ATTEMPTS):
            current, stored = self._lease(tenant)
            nonce = secrets.token_hex(8)
            if isinstance(lease, Lease):
                freed = leases.release(current, lease, nonce=nonce)
            else:
                freed = leases.release_of(current, _as_holder(change or ""), now=now, alive=alive, nonce=nonce)
            if freed is None:
                return False
            if self._put_lease(freed, stored, signer):
                return True
            wait_for_turn(attempt)
        raise LedgerError(f"ledger {self.store.name}: the lease of {tenant} could not be released. It ends by itself, or try again")

    def lease(self, tenant: str) -> Lease | None:
        """The lease as recorded, released ones too."""
        return self._lease(tenant)[0]

    def lease_written(self, tenant: str) -> dt.datetime | None:
        """When the record of the lease was written last, by the clock of the store; None when it is not there."""
        return self.store.written_at(_lease_key(tenant))

    def _lease(self, tenant: str) -> tuple[Lease | None, Stored | None]:
        stored = self.store.get(_lease_key(tenant))
        if stored is None:
            return None, None
        try:
            body, keyid = chains.unseal(stored.data, LEASE_TYPE, self.trusted().verify)
            lease = leases.parse(body, tenant)
            self._believe_lease(lease, keyid)
        except ValueError as exc:
            raise LedgerError(
                f"ledger {self.store.name}: the lease record of {tenant} {exc}. Find out who wrote {_lease_key(tenant)}; "
                "delete it when no change of this tenant is running"
            ) from exc
        return lease, stored

    def _believe_lease(self, lease: Lease, keyid: str) -> None:
        """A lease's key has to count at some time of the lease: a renewal may be signed by the key that came after."""
        window = self.trusted().windows.get(keyid)
        if window is None:
            return
        begin, end = (dt.datetime.fromtimestamp(at, dt.timezone.utc) for at in (lease.acquired, lease.until))
        if code := window.refusal_within(begin, end):
            raise chains.InvalidError(code, f"is signed by a key ({keyid[:16]}) that is {window} ({code})")

    def _put_lease(self, lease: Lease, stored: Stored | None, signer: Signer) -> bool:
        key = _lease_key(lease.tenant)
        data = chains.seal(LEASE_TYPE, chains.canonical(lease.as_dict()), keyid=signer.keyid, sign=signer.sign)
        if self.store.put_new(key, data) if stored is None else self.store.put_if(key, data, stored.etag):
            return True
        now = self.store.get(key)
        return now is not None and now.data == data


def _held(decision: leases.Decision, current: Lease | None) -> LeaseHeld:
    if decision.code == "OVERTAKEN" or current is None:
        told = f"{decision.why}. This run must not touch it any more: look at the tenant, then run the change again."
        return LeaseHeld(told, lease=current, code=decision.code)
    until = dt.datetime.fromtimestamp(current.until, dt.timezone.utc)
    what = {
        "RUN_ALIVE": "Wait for that run to end, or end it",
        "CHANGE_INTERRUPTED": f"Run {current.holder.change} again, or roll it back; others may have the tenant after that time",
    }.get(decision.code, f"Wait, or run {current.holder.change} again on the machine where it ran")
    return LeaseHeld(f"{decision.why}, until {rfc3339(until)}. {what}.", lease=current, code=decision.code)


def _as_holder(holder: Holder | str) -> Holder:
    return Holder(holder, os_user(), this_process()) if isinstance(holder, str) else holder


def _lease_key(tenant: str) -> str:
    return f"leases/{quote(tenant, safe='')}.json"
