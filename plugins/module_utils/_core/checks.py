# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks, verdicts and the evidence that a gate returns.

A check that could not tell (``ok`` is ``None``) makes the verdict ``unknown``, and unknown never passes. No checks at
all is ``unknown`` too: a gate that looked at nothing has proved nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"
EVIDENCE_SCHEMA = 1
NAMED = 5
"""So many names does a check tell; all are counted."""


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    ``ok``: ``True``, ``False``, or ``None`` when it could not be told. ``observed`` and ``expected`` are JSON values.
    ``hint`` says what to do when it is not ok; ``code`` is a stable reason such as ``WAL_GAP``.
    """

    id: str
    ok: bool | None
    observed: Any
    expected: Any
    hint: str = ""
    code: str = ""


def unknown(check_id: str, why: str, *, hint: str, code: str = "UNKNOWN") -> Check:
    """A check that could not be carried out, with the reason as what was observed."""
    return Check(check_id, None, why, "an answer", hint, code)


def none_of(check_id: str, names: Sequence[str], code: str, hint: str, *, wanted: str = "all") -> Check:
    """A check of many names, of which those that are not right are given."""
    seen = f"{len(names)} not: {some(names)}" if names else "all"
    return Check(check_id, not names, seen, wanted, hint if names else "", code if names else "")


def some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (" and more" if names[NAMED:] else "")


def verdict(checks: Iterable[Check]) -> str:
    """``pass`` when there are checks and all are ok; ``fail`` when one is not; ``unknown`` otherwise."""
    oks = [check.ok for check in checks]
    if any(ok is False for ok in oks):
        return FAIL
    return PASS if oks and all(ok is True for ok in oks) else UNKNOWN


def message(subject: str, checks: Sequence[Check]) -> str:
    """One sentence for people: what, seen, wanted, what to do; of the checks that are not ok, the failed ones first."""
    bad = sorted((c for c in checks if c.ok is not True), key=lambda c: c.ok is None)
    if not checks:
        return f"{subject}: nothing was checked, so nothing is proved."
    if not bad:
        return f"{subject}: all {len(checks)} checks passed."
    first = bad[0]
    more = f" ({len(bad) - 1} more not ok: {', '.join(c.id for c in bad[1:])})" if bad[1:] else ""
    if first.ok is None:
        return f"{subject}: {first.id} could not be told: {first.observed}. {first.hint}{more}".strip()
    return f"{subject}: {first.id} is {first.observed}, wanted {first.expected}. {first.hint}{more}".strip()


def evidence(subject: str, checks: Sequence[Check], *, at: dt.datetime) -> dict[str, Any]:
    """The evidence document (schema 1). ``at`` must carry a time zone."""
    return {"schema": EVIDENCE_SCHEMA, "subject": subject, "measured_at": rfc3339(at), "checks": [asdict(c) for c in checks]}


def gate(subject: str, checks: Sequence[Check], *, at: dt.datetime) -> dict[str, Any]:
    """What every gate returns: ``changed``, ``verdict``, ``msg``, ``evidence``."""
    return {
        "changed": False,
        "verdict": verdict(checks),
        "msg": message(subject, checks),
        "evidence": evidence(subject, checks, at=at),
    }


def rfc3339(at: dt.datetime) -> str:
    """A point in time in UTC with seconds, as in ``2026-12-05T19:00:00Z``."""
    if at.tzinfo is None:
        raise ValueError("a point in time needs a time zone")
    return at.astimezone(dt.timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
