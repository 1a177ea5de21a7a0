"""Probes: one look (HTTP, TCP or a command), and the judgement over a row of looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

Json = dict[str, Any]
#: A container that is not ready yet is looked at more often than its period says: the lab waits for nobody.
EAGER_S = 0.2


@dataclass
class Judge:
    """Counts looks as a kubelet does: one success or failure a period, thresholds in a row."""

    period_s: float
    successes: int
    failures: int
    good: int = 0
    bad: int = 0
    counted_at: float = float("-inf")

    @classmethod
    def of(cls, probe: Json) -> Judge:
        return cls(
            float(probe.get("periodSeconds") or 10), int(probe.get("successThreshold") or 1), int(probe.get("failureThreshold") or 3)
        )

    def look(self, ok: bool, at: float) -> bool | None:
        """True or False once the threshold is reached, None while it is not. Extra looks within a period do not count as failures."""
        first_of_its_kind = self.good == 0 if ok else False
        if at - self.counted_at < self.period_s * 0.9 and not first_of_its_kind:
            if not ok:
                self.good = 0
            return self.verdict()
        self.counted_at = at
        self.good, self.bad = (self.good + 1, 0) if ok else (0, self.bad + 1)
        return self.verdict()

    def verdict(self) -> bool | None:
        return True if self.good >= self.successes else False if self.bad >= self.failures else None


def port_number(port: int | str, container: Json) -> int:
    if isinstance(port, int):
        return port
    for candidate in container.get("ports") or []:
        if candidate.get("name") == port:
            return int(candidate["containerPort"])
    return int(port)


async def look(
    probe: Json, container: Json, address: str, session: aiohttp.ClientSession, execute: Callable[[list[str]], Awaitable[int]]
) -> tuple[bool, str]:
    """One look: whether it succeeded, and what was seen."""
    limit = float(probe.get("timeoutSeconds") or 1)
    try:
        async with asyncio.timeout(limit):
            if "httpGet" in probe:
                return await http(probe["httpGet"], container, address, session)
            if "tcpSocket" in probe:
                _dummy, writer = await asyncio.open_connection(address, port_number(probe["tcpSocket"]["port"], container))
                writer.close()
                return True, "connected"
            code = await execute(probe["exec"]["command"])
            return code == 0, f"command exited with {code}"
    except TimeoutError:
        return False, f"no answer within {limit:g} s"
    except (OSError, aiohttp.ClientError, ValueError) as exc:
        return False, str(exc) or type(exc).__name__


async def http(get: Json, container: Json, address: str, session: aiohttp.ClientSession) -> tuple[bool, str]:
    url = f"{get.get('scheme', 'HTTP').lower()}://{address}:{port_number(get['port'], container)}/{(get.get('path') or '/').lstrip('/')}"
    headers = {"User-Agent": "kube-probe/lab", **{h["name"]: h["value"] for h in get.get("httpHeaders") or []}}
    async with session.get(url, headers=headers, allow_redirects=False, ssl=False) as answer:
        return 200 <= answer.status < 400, f"HTTP probe failed with statuscode: {answer.status}"
