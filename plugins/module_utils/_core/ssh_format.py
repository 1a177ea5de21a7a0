# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an SSH signature and an allowed_signers file say. Nothing of it is proved here: that is ssh-keygen's work."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.people import same_person

PATTERN = frozenset("*?!")
"""Characters that make a name a pattern."""

_MAGIC = b"SSHSIG"
_ARMOR = re.compile(rb"\s*-----BEGIN SSH SIGNATURE-----\s+([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----\s*")
_FIELD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')


@dataclass(frozen=True)
class SshSignature:
    """What an armored signature says of itself."""

    namespace: str
    key: str
    fingerprint: str


def read_signature(armored: bytes) -> SshSignature | None:
    """The namespace and the key of an SSH signature (PROTOCOL.sshsig of OpenSSH), or None when it is none."""
    match = _ARMOR.fullmatch(armored)
    if not match:
        return None
    try:
        blob = base64.b64decode(b"".join(match.group(1).split()), validate=True)
        if blob[:6] != _MAGIC or struct.unpack(">I", blob[6:10]) != (1,):
            return None
        key, rest = _string(blob[10:])
        namespace, _rest = _string(rest)
        return SshSignature(namespace.decode(), base64.b64encode(key).decode(), _fingerprint(key))
    except (ValueError, struct.error, binascii.Error):
        return None


def principals_of(allowed_signers: str, key: str) -> tuple[str, ...]:
    """All names that the lines with this key give it, whatever their dates: one key may have several."""
    return tuple(dict.fromkeys(name for names, own in _lines(allowed_signers) if own == key for name in names))


def names_of(allowed_signers: str, key: str) -> tuple[str, ...]:
    """All names of the person with this key: also those of other keys that share a name with it, and so on."""
    lines, found = _lines(allowed_signers), list(principals_of(allowed_signers, key))
    for name in found:  # grows while it is read
        if not set(name) & PATTERN:
            keys = {own for names, own in lines if any(same_person(name, other) for other in names)}
            found += [other for names, own in lines if own in keys for other in names if other not in found]
    return tuple(dict.fromkeys(found))


def signers_of(allowed_signers: str) -> list[tuple[str, str]]:
    """Each name with the fingerprint of a key that may sign for it."""
    return [(name, _fingerprint(base64.b64decode(key))) for names, key in _lines(allowed_signers) for name in names]


def _fingerprint(key: bytes) -> str:
    return f"SHA256:{base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip('=')}"


def _lines(allowed_signers: str) -> list[tuple[list[str], str]]:
    """The names and the key of each line. A line for an authority of certificates speaks for no key."""
    found = []
    for line in allowed_signers.splitlines():
        fields = [] if line.lstrip().startswith("#") else _FIELD.findall(line)
        key = next((number for number, text in enumerate(fields) if number > 1 and text.startswith("AAAA")), 0)
        if key and not any("cert-authority" in option.lower().split(",") for option in fields[1 : key - 1]):
            found.append(([name for name in fields[0].replace('"', "").split(",") if name], fields[key]))
    return found


def _string(blob: bytes) -> tuple[bytes, bytes]:
    """One length-prefixed string of the SSH wire format, and what follows it."""
    (length,) = struct.unpack(">I", blob[:4])
    if length > len(blob) - 4:
        raise ValueError("cut off")
    return blob[4 : 4 + length], blob[4 + length :]
