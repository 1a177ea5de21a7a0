# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may change a tenant now: decides from the lease record, the asking run and the time.

Expiry compares clocks of two machines, so it cannot be more than a good guess: a lease is taken for longer than its step can
take, and a run that lost it does nothing more and records nothing more. It is told by the fencing token, which grows with every
new holder and never goes back, not even over a release: a run names the token that it was given, and only the holder of the
highest one is let through. Without that, a run that was overtaken would find the tenant free again once the other one is done.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

SCHEMA = 1
ACQUIRE, RENEW, TAKE_OVER, REFUSE = "acquire", "renew", "take_over", "refuse"


@dataclass(frozen=True)
class Process:
    """One run, so that nobody takes another one for it. ``machine`` names a boot and its process numbers; ``started`` tells
    two processes apart that had one number after each other."""

    host: str
    machine: str
    pid: int
    started: str


@dataclass(frozen=True)
class Holder:
    """The change that holds a lease, the executor's name, and the run."""

    change: str
    executor: str
    process: Process


@dataclass(frozen=True)
class Lease:
    """The lease of a tenant as recorded. ``nonce`` is new with every write. ``until`` is in seconds since the epoch, UTC."""

    tenant: str
    holder: Holder
    token: int
    acquired: float
    until: float
    nonce: str
    released: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True)
class Decision:
    """What to do, and the record to write; ``why`` is for people, ``code`` for tests and evidence."""

    action: str
    code: str
    why: str
    lease: Lease | None = None


Alive = Callable[[Process], "bool | None"]  # quoted: an alias is evaluated, and hosts may have Python 3.9
"""Whether a process lives: None when it is of another machine and nobody can tell."""


def parse(document: Any, tenant: str) -> Lease:
    """The tenant's lease of a record; ValueError when it is none."""
    try:
        if document["schema"] != SCHEMA:
            raise ValueError(f"has schema {document['schema']!r}, wanted {SCHEMA}")
        if document["tenant"] != tenant:
            raise ValueError(f"is that of {document['tenant']}")
        held = document["holder"]
        holder = Holder(held["change"], held["executor"], Process(**held["process"]))
        rest = {key: document[key] for key in ("tenant", "token", "acquired", "until", "nonce", "released")}
        return Lease(holder=holder, **rest)
    except (KeyError, TypeError) as exc:
        raise ValueError(f"lacks parts of a lease: {exc}") from exc


def decide(
    current: Lease | None,
    *,
    tenant: str,
    holder: Holder,
    now: dt.datetime,
    ttl_s: float,
    nonce: str,
    alive: Alive,
    token: int | None = None,
) -> Decision:
    """Whether ``holder`` gets the tenant. With ``token``, which it was given before, it only may go on with that one."""
    if ttl_s <= 0:
        raise ValueError(f"ttl_s is {ttl_s}, wanted more than 0")
    at = now.timestamp()
    if token is not None and (why := lost(current, holder, token)):
        return Decision(REFUSE, "OVERTAKEN", why)
    fresh = Lease(tenant, holder, (current.token if current else 0) + 1, at, at + ttl_s, nonce)
    if current is None or current.released:
        return Decision(ACQUIRE, "FREE", f"{tenant} was free", fresh)
    if current.holder.process == holder.process and current.holder.change == holder.change:
        return Decision(RENEW, "OWN", f"{tenant} is held by this run", replace(current, holder=holder, until=at + ttl_s, nonce=nonce))
    return _contested(current, fresh, expired=at >= current.until, lives=alive(current.holder.process))


def lost(current: Lease | None, holder: Holder, token: int | None) -> str:
    """Why this run does not hold the tenant by the highest token; empty when it does. Without ``token``, any that it holds by counts."""
    if current is None:
        return "the record of the lease is gone"
    run = f"{current.holder.change} ({current.holder.executor})"
    if token is not None and current.token != token:
        return f"this run held {current.tenant} with fencing token {token}, and {run} was given {current.token} since"
    if (current.holder.process, current.holder.change) != (holder.process, holder.change):
        return f"{current.tenant} is held by a run of {run}"
    return f"{current.tenant} is held by nobody" if current.released else ""


def _contested(current: Lease, fresh: Lease, *, expired: bool, lives: bool | None) -> Decision:
    held, tenant = current.holder, current.tenant
    run = f"process {held.process.pid} on {held.process.host}"
    if lives:
        return Decision(REFUSE, "RUN_ALIVE", f"{tenant} is being changed by {held.change} ({held.executor}, {run}), which is running")
    if lives is False and held.change == fresh.holder.change:
        return Decision(TAKE_OVER, "RUN_DEAD", f"the run of {held.change} that held {tenant} ({run}) is dead", fresh)
    if expired:
        return Decision(TAKE_OVER, "EXPIRED", f"the lease of {held.change} on {tenant} has expired", fresh)
    if lives is False:
        return Decision(REFUSE, "CHANGE_INTERRUPTED", f"{tenant} is held by {held.change}, whose run ({run}) was interrupted")
    return Decision(REFUSE, "HELD", f"{tenant} is held by {held.change} ({held.executor}, {run})")


def release(current: Lease | None, mine: Lease, *, nonce: str) -> Lease | None:
    """The record that frees the tenant, or None when the lease is no longer mine. The token stays, so that it can grow."""
    if current is None or current.released or current.token != mine.token or current.holder.process != mine.holder.process:
        return None
    return replace(current, released=True, nonce=nonce)


def release_of(current: Lease | None, holder: Holder, *, now: dt.datetime | None, alive: Alive, nonce: str) -> Lease | None:
    """The record that frees what this change holds, whichever run took it, or None: nothing held, or by a run that may be alive."""
    if current is None or current.released or current.holder.change != holder.change:
        return None
    over = current.holder.process == holder.process or alive(current.holder.process) is False
    over = over or (now is not None and now.timestamp() >= current.until and not alive(current.holder.process))
    return replace(current, released=True, nonce=nonce) if over else None
