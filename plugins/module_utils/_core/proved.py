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
import sys
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

SCHEMA = 1
_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Proved:
    """``facts`` were proved in one of the ``turn`` runs so far."""

    subject: str
    turn: int = 0
    facts: frozenset[int] = _NONE

    def is_due(self, fact: int, *, rounds: int) -> bool:
        """Whether to read it in this run: what was never proved, and one in ``rounds`` of the rest, so that each has its turn."""
        return fact not in self.facts or fact % rounds == self.turn % rounds

    def after(self, facts: Mapping[str, int], *, read: Iterable[str], right: Iterable[str]) -> Proved:
        """What is proved after a run that saw ``facts``, ``read`` some of them and found ``right`` some of these."""
        kept = self.facts & frozenset(facts.values())
        return self.turned(kept - {facts[name] for name in read} | {facts[name] for name in right})

    def turned(self, facts: Iterable[int]) -> Proved:
        """What is proved after a run in which these facts are."""
        return Proved(self.subject, self.turn + 1, frozenset(facts))


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
    """A line of JSON that says what follows, and the facts in their order, 8 bytes each."""
    body = _swapped(array("Q", sorted(proved.facts))).tobytes()
    head = {
        "schema": SCHEMA,
        "subject": proved.subject,
        "turn": proved.turn,
        "at": at.isoformat(timespec="seconds"),
        "facts": len(proved.facts),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(head).encode() + b"\n" + body


def decode(data: bytes, subject: str) -> Proved:
    """What :func:`encode` wrote of the same subject; ValueError, with the reason, for anything else."""
    line, _newline, body = data.partition(b"\n")
    try:
        head = json.loads(line)
        wanted, turn = head["sha256"], int(head["turn"])
        seen = (head["schema"], head["subject"], head["facts"] * 8)
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError("it is no memory of this gate") from exc
    if seen[0] != SCHEMA:
        raise ValueError(f"it is of schema {seen[0]}, wanted {SCHEMA}")
    if seen[1] != subject:
        raise ValueError(f"it is of {seen[1]!r}, wanted {subject!r}")
    if seen[2] != len(body) or hashlib.sha256(body).hexdigest() != wanted:
        raise ValueError("it is damaged")
    facts = array("Q")
    facts.frombytes(body)
    return Proved(subject, turn, frozenset(_swapped(facts)))


def _swapped(facts: array[int]) -> array[int]:
    """Big-endian in the document, whatever the machine."""
    if sys.byteorder == "little":
        facts.byteswap()
    return facts
