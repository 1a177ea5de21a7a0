"""Finds seeded secrets in bytes, in every form in which they may travel: as they are, quoted, escaped, base64, hexadecimal.

A seed is ``<mark><number>`` and perhaps odd characters behind. The mark is letters and digits only, so quoting and escaping leave
it as it is; base64 has three forms of it, one for each place at which it may begin within a group of three bytes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

LEAST = 8  # of a base64 form: less could be there by chance
BEFORE, AFTER = 60, 90


def base64_cores(data: bytes) -> list[bytes]:
    """What base64 makes of the data wherever it lies, less the letters that depend on its neighbours."""
    cores = []
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data)
        first = -(-8 * shift // 6)
        last = 8 * (shift + len(data)) // 6
        cores.append(text[first:last])
    return cores


def forms(secret: str) -> set[bytes]:
    """Every form of a secret that is looked for."""
    data = secret.encode()
    cores = [core for core in base64_cores(data) if len(core) >= LEAST]
    texts = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    texts |= {json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(json.dumps(secret))[3:-3]}
    url_safe = [core.replace(b"+", b"-").replace(b"/", b"_") for core in cores]
    hexadecimal = [data.hex().encode(), data.hex().upper().encode()]
    return {*(text.encode() for text in texts), *cores, *url_safe, *hexadecimal}


class Search:
    """Looks for any form of any of the secrets; says around which bytes it found one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._of = {form: secret for secret in secrets for form in forms(secret)}
        # the longest first, so that a secret is told as the whole of what is there
        ordered = sorted(self._of, key=len, reverse=True)
        self.pattern = re.compile(b"|".join(re.escape(form) for form in ordered)) if ordered else None

    def __call__(self, data: bytes) -> list[str]:
        if self.pattern is None:
            return []
        found = (data[max(0, hit.start() - BEFORE) : hit.end() + AFTER] for hit in self.pattern.finditer(data))
        return [text.decode(errors="replace") for text in found]

    def which(self, data: bytes) -> set[str]:
        """The secrets that are there."""
        return {self._of[hit] for hit in self.pattern.findall(data)} if self.pattern else set()
