"""P9, the ledger's speed: CPU of an append, and of a verification of 100,000 events, beside securesystemslib's DSSE in the same run.

The peer signs and verifies the same statements as envelopes in memory. It has no chain, no head and no storage: its figure is
what the signatures alone cost there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection

CHANGE = "BEN-2026-1"
AT = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
EVIDENCE = {"verdict": "pass", "checks": [{"id": "backup_age_s", "ok": True, "observed": 3210, "expected": "<= 86400"}]}
BATCH, BATCHES = 100, 5


def cpu_s(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def opened(folder: Path) -> Any:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key, trust_only

    signer = create_key(folder / "key.pem")
    return Ledger(DirectoryStore(folder / "ledger"), trust=trust_only(signer), signer=signer)


def append_ms(folder: Path) -> list[float]:
    """CPU of an append to the disk, in each of some batches."""
    book = opened(folder)

    def batch() -> None:
        for _number in range(BATCH):
            book.append(CHANGE, "measured", actor="bench", at=AT, evidence=EVIDENCE, once=False)

    return [cpu_s(batch) / BATCH * 1e3 for _number in range(BATCHES)]


def append_in_memory_ms() -> str:
    if not Path("/dev/shm").is_dir():
        return "no /dev/shm here"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        return f"{min(append_ms(Path(folder))):.2f} ms"


def write_chain(folder: Path, count: int) -> Any:
    """A chain of so many events on disk, without the four disk syncs of each append, which are not what is measured here."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ledger as chains

    book = opened(folder)
    sign, keyid = book.signer.sign, book.signer.keyid
    (folder / "ledger" / CHANGE).mkdir(parents=True)
    (folder / "ledger" / "heads").mkdir()
    head = None
    for seq in range(1, count + 1):
        what = chains.draft(CHANGE, "measured", actor="bench", at=AT, evidence=EVIDENCE, nonce=f"{seq:016x}")
        entry = chains.build_entry(what, head, keyid=keyid, sign=sign)
        (folder / "ledger" / CHANGE / entry.name).write_bytes(entry.data)
        head = chains.Head(CHANGE, seq, chains.sha256(entry.data), entry.name, entry.data)
    data = chains.build_head(CHANGE, entry, count, keyid=keyid, sign=sign)
    (folder / "ledger" / "heads" / f"{CHANGE}.json").write_bytes(data)
    return book


def signature_us(folder: Path, count: int = 5000) -> float:
    """CPU of one bare Ed25519 verification: what a verification of a chain cannot go below, on this machine at this hour."""
    book = opened(folder)
    keyid, message = book.signer.keyid, b"x" * 700
    signature, verify = book.signer.sign(message), book.trusted().verify
    return cpu_s(lambda: [verify(keyid, message, signature) for _number in range(count)]) / count * 1e6


def verify_s(folder: Path, count: int) -> tuple[float, float]:
    """CPU and elapsed time of the verification of a whole chain on disk."""
    book = write_chain(folder, count)
    began = time.monotonic()
    spent = cpu_s(lambda: book.verify(CHANGE))
    elapsed = time.monotonic() - began
    if [check.ok for check in book.verify(CHANGE)] != [True, True]:
        raise RuntimeError("the chain of the bench is not intact, so its figure means nothing")
    return spent, elapsed


def peer_ms(count: int = 2000) -> tuple[float, float] | None:
    """CPU of signing and of verifying one envelope of the same size with securesystemslib; None when it is not installed."""
    try:
        from securesystemslib.dsse import Envelope
        from securesystemslib.signer import CryptoSigner
    except ImportError:
        return None
    signer = CryptoSigner.generate_ed25519()
    statements = [json.dumps({"predicate": {"seq": n, "evidence": EVIDENCE, "padding": "x" * 300}}).encode() for n in range(count)]
    texts: list[str] = []

    def sign() -> None:
        for statement in statements:
            envelope = Envelope(statement, "application/vnd.in-toto+json", {})
            envelope.sign(signer)
            texts.append(json.dumps(envelope.to_dict()))

    def verify() -> None:
        for text in texts:
            Envelope.from_dict(json.loads(text)).verify([signer.public_key], 1)

    return cpu_s(sign) / count * 1e3, cpu_s(verify) / count * 1e3


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="how many events the chain that is verified has")
    events = parser.parse_args(argv).events
    with tempfile.TemporaryDirectory() as folder:
        batches = append_ms(Path(folder) / "append")
        memory_batches = append_in_memory_ms()
        bare = signature_us(Path(folder) / "bare")
        spent, elapsed = verify_s(Path(folder) / "verify", events)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"P9 append, {BATCHES} x {BATCH} events to a folder: {min(batches):.2f} to {max(batches):.2f} ms CPU each (wanted <= 1)")
    print(f"   the same in memory, so without its four disk syncs: {memory_batches}")
    print(
        f"P9 verify, {events} events from a folder: {spent:.1f} s CPU, {elapsed:.1f} s elapsed, {spent / events * 1e6:.0f} us each", end=""
    )
    print(f", {memory:.0f} MiB (wanted <= 15 s for 100,000)")
    print(f"   the signatures alone: {bare:.0f} us each, {bare * events / 1e6:.1f} s")
    peer = peer_ms()
    told = "is not installed" if peer is None else f"sign {peer[0] * 1e3:.0f} us, verify {peer[1] * 1e3:.0f} us CPU each, no chain, no disk"
    print(f"   peer securesystemslib DSSE: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
