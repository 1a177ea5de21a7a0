"""Loopback addresses for pods: 127.244.BLOCK.N here, 10.244.BLOCK.N in the API.

Labs on one machine share the loopback range, so each takes blocks of its own. The claim on a block is a bound socket:
it ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import errno
import random
import socket

CLAIM_PORT = 10244
PER_BLOCK = range(2, 255)


class Addresses:
    def __init__(self) -> None:
        self.claims: dict[int, socket.socket] = {}
        self.used: set[tuple[int, int]] = set()
        self.next: dict[int, int] = {}

    def claim(self, block: int) -> bool:
        """Takes a block when no other lab has it."""
        if block in self.claims:
            return True
        held = socket.socket()
        try:
            held.bind((f"127.244.{block}.1", CLAIM_PORT))
        except OSError as exc:
            held.close()
            if exc.errno == errno.EADDRINUSE:
                return False
            raise
        self.claims[block] = held
        self.next[block] = PER_BLOCK.start
        return True

    def keep(self, pod_ip: str) -> str | None:
        """The address a pod had before this process started, when it is still ours to give."""
        try:
            first, second, block, number = (int(part) for part in pod_ip.split("."))
        except ValueError:
            return None
        if (first, second) != (10, 244) or (block, number) in self.used or not self.claim(block):
            return None
        self.used.add((block, number))
        self.next[block] = max(self.next[block], number + 1)
        return f"127.244.{block}.{number}"

    def take(self) -> str:
        """A free address; one that was given back comes again only after all others, so nobody still talks to the old pod."""
        for block in self.claims:
            if (number := self.free_in(block)) is not None:
                self.used.add((block, number))
                self.next[block] = number + 1
                return f"127.244.{block}.{number}"
        blocks = random.sample(range(256), 256)
        if any(self.claim(block) for block in blocks):
            return self.take()
        raise OSError(errno.EADDRNOTAVAIL, "all 65,536 pod addresses of this machine are taken by labs: take some down")

    def free_in(self, block: int) -> int | None:
        start = self.next[block]
        order = [*range(start, PER_BLOCK.stop), *range(PER_BLOCK.start, min(start, PER_BLOCK.stop))]
        return next((n for n in order if (block, n) not in self.used), None)

    def give_back(self, address: str) -> None:
        block, number = address.split(".")[2:]
        self.used.discard((int(block), int(number)))


def in_api(address: str) -> str:
    return f"10.{address[4:]}"
