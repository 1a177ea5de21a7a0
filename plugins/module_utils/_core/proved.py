# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a gate has proved already, so that it reads what is new or changed, and of the rest another part each time.

A fact is one file as it was seen, kept as 64 bits of BLAKE2b (RFC 7693) over its name and all that changes when it is written. Among
a million files two share a fact with a probability of 3e-8. Rot changes nothing that a listing shows: therefore the other part.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from math import ceil

from .facts import BYTES, Facts

SCHEMA = 2
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Proved:
    """``facts`` were proved in one of the ``turn`` runs so far."""

    subject: str
    turn: int = 0
    facts: Facts = field(default_factory=Facts)

    def is_due(self, fact: int, *, rounds: int) -> bool:
        """Whether to read it in this run: what was never proved, and one in ``rounds`` of the rest, so that each has its turn."""
        return fact not in self.facts or fact % rounds == self.turn % rounds

    def after(self, facts: Mapping[str, int], *, read: Iterable[str], right: Iterable[str]) -> Proved:
        """What is proved after a run that saw ``facts``, ``read`` some of them and found ``right`` some of these."""
        asked = Facts(facts[name] for name in read)
        kept = (fact for fact in facts.values() if fact in self.facts and fact not in asked)
        return self.turned(chain(kept, (facts[name] for name in right)))

    def part_of_a_run(self, proved: Iterable[int], refuted: Iterable[int]) -> Proved:
        """What is proved after a run that did not see everything: for the rest holds what was proved before."""
        wrong = Facts(refuted)
        return self.turned(fact for fact in chain(self.facts, proved) if fact not in wrong)

    def turned(self, facts: Iterable[int]) -> Proved:
        """What is proved after a run in which these facts are."""
        return Proved(self.subject, self.turn + 1, Facts(facts))


def fact_of(*seen: object) -> int:
    """The fact of what was seen of a file; 0 <= fact < 2**64."""
    said = "\0".join(map(str, seen)).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "big")


def rounds_of(percent: float) -> int:
    """In how many runs each file has its turn when so many per cent are read again in each; ValueError outside of 0 to 100."""
    if not 0 < percent <= 100:
        raise ValueError(f"sample is {percent:g} per cent, wanted more than 0 and at most 100. Write for example 2.")
    return ceil(100 / percent)


def encode(proved: Proved, *, at: dt.datetime) -> bytes:
    """A line of JSON that says what follows, the facts in their order, 8 bytes each, and the SHA-256 of both."""
    head = {
        "schema": SCHEMA,
        "subject": proved.subject,
        "turn": proved.turn,
        "at": at.isoformat(timespec="seconds"),
        "facts": len(proved.facts),
    }
    parts = (json.dumps(head).encode() + b"\n", memoryview(proved.facts.stored()).cast("B"))
    digest = hashlib.sha256(parts[0])
    digest.update(parts[1])
    return b"".join((*parts, digest.digest()))


def decode(data: bytes, subject: str) -> Proved:
    """What :func:`encode` wrote of the same subject; ValueError, with the reason, for anything else."""
    try:
        begin = data.index(b"\n") + 1
        head = json.loads(data[:begin])
        schema, named, turn, size = head["schema"], head["subject"], int(head["turn"]), int(head["facts"]) * BYTES
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError("it is no memory of this gate") from exc
    if schema != SCHEMA:
        raise ValueError(f"it is of schema {schema}, wanted {SCHEMA}")
    whole = memoryview(data)
    if len(data) != begin + size + _DIGEST or hashlib.sha256(whole[:-_DIGEST]).digest() != whole[-_DIGEST:]:
        raise ValueError("it is damaged")
    if named != subject:
        raise ValueError(f"it is of {named!r}, wanted {subject!r}")
    return Proved(subject, turn, Facts.of(whole[begin:-_DIGEST]))
