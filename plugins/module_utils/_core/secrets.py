# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps secrets out of what is told: every form in which a server or a library may repeat one, and addresses with a password."""

from __future__ import annotations

import base64
import json
import re
import string
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.kinds import kind_of

HIDDEN = "***"
SHORTEST = 4  # a shorter text is a word, not a secret, and would blot out the message
SHORTEST_BASE64 = 6  # of a core: less is there by chance
_PLAIN = frozenset(string.ascii_letters + string.digits + "_.-~")
# "//" may have become "/" where the address was taken for a path
_ADDRESS = re.compile(r"(?P<before>\b[A-Za-z][A-Za-z0-9+.-]*:/{1,2}[^/\s:@]*:)(?P<password>(?![0-9]{1,5}[/?#])\S*)(?=@)")


def hide(value: Any, secrets: Iterable[str]) -> Any:
    """The value, whatever it is made of, without any form of any of the secrets."""
    found = pattern(secrets)
    return value if found is None else _hide(value, found)


def pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """What matches every form of the secrets, the longest first; None when there is none that is long enough."""
    every = {form for secret in secrets if len(secret) >= SHORTEST for form in forms(secret)}
    return re.compile("|".join(re.escape(form) for form in sorted(every, key=lambda form: (-len(form), form)))) if every else None


def _hide(value: Any, found: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return found.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {_hide(key, found): _hide(inner, found) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hide(inner, found) for inner in value]
    return value


def forms(secret: str) -> set[str]:
    """As it is, escaped as JSON and as Python write it, quoted as in an address, in base64 wherever it begins, in hexadecimal."""
    data = secret.encode("utf-8", "surrogateescape")
    once = json.dumps(secret)[1:-1]
    texts = {secret, secret.strip(), once, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(once)[1:-1], repr(secret)[1:-1]}
    texts |= {repr(data)[2:-1], data.hex(), data.hex().upper()}
    texts |= {_quoted(data, ""), _quoted(data, "/"), _quoted(data, "/").replace("%20", "+")}
    cores = {core for core in map(_core, [data] * 3, range(3)) if len(core) >= SHORTEST_BASE64}
    return {text for text in texts | cores | {core.replace("+", "-").replace("/", "_") for core in cores} if len(text) >= SHORTEST}


def _quoted(data: bytes, safe: str) -> str:
    return "".join(chr(byte) if chr(byte) in _PLAIN or chr(byte) in safe else f"%{byte:02X}" for byte in data)


def _core(data: bytes, shift: int) -> str:
    """What base64 makes of the data behind ``shift`` other bytes, less the letters that depend on its neighbours."""
    return base64.b64encode(b"\0" * shift + data).decode()[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]


# -- addresses -----------------------------------------------------------------------------------------------------------
def without_passwords(value: Any) -> Any:
    """The value with the passwords of all addresses in it hidden."""
    if isinstance(value, str):
        return _ADDRESS.sub(rf"\g<before>{HIDDEN}", value)
    if isinstance(value, Mapping):
        return {without_passwords(key): without_passwords(inner) for key, inner in value.items()}
    return [without_passwords(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def holds_password(value: Any) -> bool:
    """Whether an address with a password is anywhere in it."""
    if isinstance(value, str):
        return any(found["password"] not in ("", HIDDEN) for found in _ADDRESS.finditer(value))
    if isinstance(value, Mapping):
        return any(holds_password(part) for pair in value.items() for part in pair)
    return isinstance(value, (list, tuple)) and any(map(holds_password, value))


# -- options -------------------------------------------------------------------------------------------------------------
def secrets_of(spec: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """The texts of the options that are ``no_log``. Of mappings and lists only the plugin knows which of their texts are secret."""
    found: list[str] = []
    for name, known in spec.items():
        value = given.get(name)
        if known.get("no_log") and isinstance(value, (str, int, float)) and not isinstance(value, bool):
            found.append(str(value))
        for one in map(_parsed, value if isinstance(value, list) else [value]):
            if known.get("options") and isinstance(one, Mapping):
                found += secrets_of(known["options"], one)
    return found


def refusals(spec: Mapping[str, Any], given: Mapping[str, Any], *, masked: Iterable[str] = (), under: str = "") -> list[str]:
    """Why these options may not even be looked at: Ansible would show a secret that has a wrong name, type or place.

    ``masked`` are options whose addresses the plugin hides itself.
    """
    found = []
    for name, value in given.items():
        if name not in spec:
            shown = f"{under}{name}" if re.fullmatch(r"\w{1,40}", str(name)) else f"{under}..."
            found.append(f"option {shown} is not known, wanted one of {', '.join(sorted(spec))}")
        elif value is not None:
            found += _refused(spec[name], value, f"{under}{name}", masked)
    return found


def _refused(known: Mapping[str, Any], value: Any, path: str, masked: Iterable[str]) -> list[str]:
    if known.get("options"):
        every = [_parsed(one) for one in (value if isinstance(value, (list, tuple)) and known.get("type") == "list" else [value])]
        if not all(isinstance(one, Mapping) for one in every):
            return [f"option {path} is {kind_of(value)}, wanted a mapping of {', '.join(sorted(known['options']))}"]
        return [text for one in every for text in refusals(known["options"], one, masked=masked, under=f"{path}.")]
    if known.get("no_log"):
        fits = known.get("type", "str") != "str" or isinstance(value, (str, int, float))
        return [] if fits else [f"option {path} is {kind_of(value)}, wanted a text"]
    if path not in masked and holds_password(value):
        return [f"option {path} holds an address with a password. Give the password by the option that is made for it"]
    return []


def _parsed(value: Any) -> Any:
    """Ansible takes a mapping that is written as JSON, too."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
