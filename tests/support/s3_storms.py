"""What happens between a client and an object store on a bad day. Each storm comes from a seed; which request it hits depends on what is
asked and how often, and not on which thread was faster."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

from tests.support.s3_proxy import PAGE, Answer, Request, Storm, refusal, with_header

Ask = Callable[[], Answer]
Fault = Callable[[random.Random, Request, Ask], Answer]
_ENTRY = re.compile(rb"<(Version|Contents|DeleteMarker)>.*?</\1>", re.DOTALL)
_ETAG = re.compile(rb"(<ETag>).*?(</ETag>)", re.DOTALL)


def refused(status: int, code: str) -> Fault:
    return lambda _chance, _request, _ask: refusal(status, code)


def lost_request(_chance: random.Random, _request: Request, _ask: Ask) -> Answer:
    return Answer(200, {}, b"", cut=-1)


def lost_answer(_chance: random.Random, _request: Request, ask: Ask) -> Answer:
    return replace(ask(), cut=-1)


def swallowed_write(_chance: random.Random, request: Request, ask: Ask) -> Answer:
    return Answer(200, {"ETag": '"0"'}, b"") if request.method in ("PUT", "POST") else ask()


def on_body(change: Callable[[random.Random, bytes], bytes], *, closed: bool = False) -> Fault:
    """Of objects that are read. ``closed``: the answer promises all of it, and ends early."""

    def fault(chance: random.Random, request: Request, ask: Ask) -> Answer:
        answer = ask()
        if not request.key or not answer.body or answer.status != 200:
            return answer
        changed = change(chance, answer.body)
        return replace(answer, cut=len(changed)) if closed else replace(answer, body=changed)

    return fault


def shorter(chance: random.Random, body: bytes) -> bytes:
    return body[: chance.randrange(len(body))]


def flipped(chance: random.Random, body: bytes) -> bytes:
    at = chance.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :]


def on_listing(change: Callable[[random.Random, bytes], bytes]) -> Fault:
    def fault(chance: random.Random, request: Request, ask: Ask) -> Answer:
        answer = ask()
        return replace(answer, body=change(chance, answer.body)) if request.is_listing and answer.status == 200 else answer

    return fault


def without_entries(chance: random.Random, body: bytes) -> bytes:
    return _ENTRY.sub(lambda entry: b"" if chance.random() < 2 / PAGE else entry[0], body)


def with_entries_twice(chance: random.Random, body: bytes) -> bytes:
    return _ENTRY.sub(lambda entry: entry[0] * (1 + (chance.random() < 2 / PAGE)), body)


def ended_early(_chance: random.Random, body: bytes) -> bytes:
    return body.replace(b"<IsTruncated>true</IsTruncated>", b"<IsTruncated>false</IsTruncated>")


def going_on_from(_chance: random.Random, body: bytes) -> bytes:
    """The page ends where it began: whoever goes on from there gets the same again."""
    body = re.sub(rb"(<Next(?:KeyMarker|ContinuationToken)>).*?(<)", rb"\1a\2", body)
    return body.replace(b"<IsTruncated>false</IsTruncated>", b"<IsTruncated>true</IsTruncated>")


def without_fields(chance: random.Random, body: bytes) -> bytes:
    field = chance.choice([b"ETag", b"VersionId", b"Size", b"LastModified", b"IsLatest", b"Key"])
    return re.sub(rb"<%s>.*?</%s>" % (field, field), b"", body, flags=re.DOTALL)


def other_etags(_chance: random.Random, request: Request, ask: Ask) -> Answer:
    answer = ask()
    if any(name.lower() == "etag" for name in answer.headers):
        answer = with_header(answer, "ETag", '"00000000000000000000000000000000"')
    return replace(answer, body=_ETAG.sub(rb"\1&quot;0&quot;\2", answer.body)) if request.is_listing else answer


def no_etags(_chance: random.Random, request: Request, ask: Ask) -> Answer:
    answer = with_header(ask(), "ETag", None)
    return replace(answer, body=_ETAG.sub(b"", answer.body)) if request.is_listing else answer


def nothing(_chance: random.Random, request: Request, ask: Ask) -> Answer:
    answer = ask()
    return replace(answer, body=b"") if request.method == "GET" else answer


FAULTS: dict[str, Fault] = {
    "500": refused(500, "InternalError"),
    "503": refused(503, "SlowDown"),
    "403": refused(403, "AccessDenied"),
    "404": refused(404, "NoSuchKey"),
    "request lost": lost_request,
    "answer lost": lost_answer,
    "write swallowed": swallowed_write,
    "body short, closed": on_body(shorter, closed=True),
    "body short": on_body(shorter),
    "body flipped": on_body(flipped),
    "wrong ETags": other_etags,
    "no ETags": no_etags,
    "listing loses entries": on_listing(without_entries),
    "listing repeats entries": on_listing(with_entries_twice),
    "listing ends early": on_listing(ended_early),
    "listing goes in circles": on_listing(going_on_from),
    "listing lacks fields": on_listing(without_fields),
    "listing cut off": on_listing(shorter),
    "listing is no XML": on_listing(lambda _chance, _body: b"<html>we will be back soon"),
    "empty answers": nothing,
}
FAULTS_OF_LISTINGS = ("listing loses entries", "listing ends early")
"""By which a store says that something is not there."""
ALWAYS = ("500", "503", "request lost")
"""Storms that do not end."""


def storm(kind: str, seed: str) -> Storm:
    """Hits some of the requests; or each one, from one in mid run on."""
    fault, chance = FAULTS[kind], random.Random(f"{kind} {seed}")
    how = chance.choice(["some", "from then on", "all"] if kind in ALWAYS or kind == "403" else ["some", "some", "all"])
    share, begins = chance.choice([0.05, 0.3, 0.6]), chance.randrange(1, 40)

    def answer(request: Request, ask: Ask) -> Answer:
        own = random.Random(f"{kind} {seed} {request.method} {request.path} {request.query} {request.nth}")
        hit = {"some": own.random() < share, "from then on": request.count >= begins, "all": True}[how]
        return fault(own, request, ask) if hit else ask()

    return answer
