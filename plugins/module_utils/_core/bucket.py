# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a bucket has to promise of the backups or attachments in it: what is deleted stays for as long as it may be needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .checks import Check, none_of, unknown

REFUSED, ALLOWED = "refused", "allowed"
"""How a request ended that must not be let through. Every other word says why that could not be told."""


class Expiry(NamedTuple):
    """A lifecycle rule that removes current objects. ``days``: how old they become, None when it names a date."""

    rule: str
    days: int | None = None


@dataclass(frozen=True)
class Settings:
    """How a bucket keeps what is deleted. ``noncurrent_days``: the shortest life of an old version, None without a rule; ``lock``: the
    default mode of object lock, None without one, and ``lock_days`` its time; ``encrypted``: by default, None when it was not asked."""

    versioned: bool
    noncurrent_days: int | None = None
    expires: tuple[Expiry, ...] = ()
    lock: str | None = None
    lock_days: int | None = None
    encrypted: bool | None = None


@dataclass(frozen=True)
class Promise:
    """What is wanted. ``ages``: current objects may be removed after the retention, as backups are, and attachments never."""

    retention_days: int | None = None
    ages: bool = False
    lock: str | None = None
    lock_days: int | None = None
    encrypted: bool = False


class Codes(NamedTuple):
    """The reasons, by what lies in the bucket."""

    versioned: str
    expires: str
    retention: str
    locked: str
    encrypted: str = ""


OF_FILESTORE = Codes("FILESTORE_NOT_VERSIONED", "FILESTORE_EXPIRES", "FILESTORE_RETENTION", "FILESTORE_NOT_LOCKED")
OF_BACKUPS = Codes("BUCKET_NOT_VERSIONED", "BUCKET_EXPIRES", "BUCKET_RETENTION", "BUCKET_NOT_LOCKED", "BUCKET_NOT_ENCRYPTED")


def judge_settings(settings: Settings, promise: Promise, codes: Codes) -> list[Check]:
    """One check for each thing that is wanted."""
    checks = [
        Check("bucket_versioned", settings.versioned, settings.versioned, True, "Switch versioning on.", codes.versioned),
        _expires(settings, promise, codes.expires),
    ]
    if promise.retention_days is not None:
        days = settings.noncurrent_days
        kept = days is None or days >= promise.retention_days
        seen = "for ever" if days is None else f"{days} days"
        hint = "Let the lifecycle rule keep old versions for longer."
        checks.append(Check("bucket_keeps_versions", kept, seen, f">= {promise.retention_days} days", hint, codes.retention))
    if promise.lock is not None or promise.lock_days is not None:
        checks.append(_locked(settings, promise, codes.locked))
    if promise.encrypted:
        hint = "Set the bucket's default encryption, or pgBackRest's repo-cipher-type in a new repository."
        told = "encrypted" if settings.encrypted else "not encrypted"
        checks.append(Check("bucket_encrypted", bool(settings.encrypted), told, "encrypted", hint, codes.encrypted))
    return checks


def _expires(settings: Settings, promise: Promise, code: str) -> Check:
    """Which rules remove what is still wanted."""
    after = promise.retention_days if promise.ages else None
    early = [one.rule for one in settings.expires if after is None or one.days is None or one.days < after]
    hint = "Remove these lifecycle rules: attachments never expire."
    if promise.ages:
        hint = "Let these lifecycle rules wait for longer than the retention, or remove them."
    wanted = "all" if after is None else f"all of {after} days"
    return none_of("bucket_expires_nothing", early, code, hint, wanted=wanted)


def _locked(settings: Settings, promise: Promise, code: str) -> Check:
    mode, days = settings.lock, settings.lock_days
    right = promise.lock is None or mode == promise.lock or (mode, promise.lock) == ("compliance", "governance")
    long_enough = promise.lock_days is None or (days or 0) >= promise.lock_days
    wanted = f"{promise.lock or 'object lock'}{'' if promise.lock_days is None else f', >= {promise.lock_days} days'}"
    seen = "no object lock" if mode is None else mode if promise.lock_days is None else f"{mode}, {days or 0} days"
    return Check("bucket_locked", mode is not None and right and long_enough, seen, wanted, "Set the bucket's default retention.", code)


def judge_deleted(names: Sequence[str]) -> Check:
    """Is one of the objects that are needed hidden by a delete marker? Its older version is still there."""
    hint = "Find out who deleted them, and bring them back: remove their delete markers (s3api delete-object with the marker's version)."
    return none_of("objects_not_deleted", sorted(names), "BUCKET_DELETED", hint, wanted="all that is needed")


Attempts = Mapping[str, str]
"""What was tried, such as ``list``, and how it ended."""


def judge_others(own: str, others: Mapping[str, Attempts]) -> Check:
    """Is an identity refused wherever other tenants' data lie? ``own`` is how it fared at home: one that is refused everywhere, because
    its key is wrong, proves nothing."""
    let_in = {place: sorted(name for name, end in tried.items() if end == ALLOWED) for place, tried in others.items()}
    open_ = {place: names for place, names in let_in.items() if names}
    if open_:
        hint = "Take this identity's rights beyond its own prefix away, and find out who has used them."
        return Check("others_refused", False, open_, "refused everywhere", hint, "SEGREGATION")
    untold = {place: seen for place, tried in others.items() if (seen := {k: v for k, v in tried.items() if v != REFUSED})}
    if own != ALLOWED:
        untold = {"its own place": {"list": own}, **untold}
    if untold or not others:
        why = "; ".join(f"{place}: {name}: {end}" for place, tried in untold.items() for name, end in tried.items()) or "no place was tried"
        hint = "Only a refusal (403) counts. Check the keys, the places and their objects."
        return unknown("others_refused", why, hint=hint, code="SEGREGATION_UNKNOWN")
    return Check("others_refused", True, f"refused at {len(others)} places", "refused everywhere")
