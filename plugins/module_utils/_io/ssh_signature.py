# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verifies SSH signatures with ssh-keygen. What a good signature is worth is decided in _core/approval."""

# run_command neither bounds the time nor streams, and an _io file has no AnsibleModule. pylint: disable=ansible-bad-function

from __future__ import annotations

import datetime as dt
import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import (
    NAMESPACE,
    Signed,
    approver_of,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ssh_format import names_of, principals_of, read_signature

TIMEOUT_S = 30
MAX_BYTES = 64 * 1024

Item = tuple[str, bytes, "bytes | None"]  # quoted: an alias is evaluated, and hosts may have Python 3.9
"""Name, document, signature."""


class ApprovalError(ChangeError):
    """Approvals that cannot be read."""


@dataclass(frozen=True)
class Signers:
    """The file of those who may approve, and that of revoked keys."""

    allowed: Path
    revoked: Path | None = None


def read_approvals(places: Iterable[str | Path]) -> list[Item]:
    """Name, document and signature (None: not there) of all *.json of the folders, and of the files named.

    A folder that is not there holds none.
    """
    found: dict[str, Item] = {}
    for place in map(Path, places):
        folder = place.is_dir() or (place.suffix != ".json" and not place.exists())
        for file in sorted(place.glob("*.json")) if folder else [place]:
            signature = file.with_name(file.name + ".sig")
            try:
                found[str(file.resolve())] = (file.stem, _limited(file), _limited(signature) if signature.exists() else None)
            except OSError as exc:
                message = f"approval {exc.filename or file} cannot be read: {exc.strerror}. Give a folder of NAME.json and NAME.json.sig"
                raise ApprovalError(message) from exc
    return list(found.values())


def verify_approvals(items: Sequence[Item], signers: Signers, *, at: dt.datetime) -> list[Signed]:
    """Each document with what is known of its signature; ``at`` is the time at which keys must be valid."""
    if not items:
        return []
    try:
        allowed = signers.allowed.read_text(encoding="utf-8")
        if signers.revoked is not None:
            signers.revoked.read_bytes()
    except (OSError, UnicodeDecodeError) as exc:
        return [Signed(name, document, sig or b"", "UNREADABLE_SIGNERS", detail=str(exc)) for name, document, sig in items]
    return [_verify(item, signers, allowed, at) for item in items]


def _verify(item: Item, signers: Signers, allowed: str, at: dt.datetime) -> Signed:
    name, document, armored = item
    if not armored:
        return Signed(name, document, b"", "MISSING_SIGNATURE")
    said = read_signature(armored)
    if said is None:
        return Signed(name, document, armored, "UNREADABLE_SIGNATURE")
    names = principals_of(allowed, said.key)
    outcome, detail = "", ""
    if said.namespace != NAMESPACE:
        outcome, detail = "WRONG_NAMESPACE", f"made for {said.namespace!r}, wanted {NAMESPACE}"
    elif not names:
        outcome, detail = "UNKNOWN_KEY", f"key {said.fingerprint} is not in {signers.allowed}"
    elif approver_of(document) not in names:
        # ssh-keygen is asked about the name in the document; a bad one must not hide a bad signature
        outcome, detail = _asked(names[0], document, armored, signers, at)
    else:
        outcome, detail = _asked(approver_of(document), document, armored, signers, at)
    return Signed(name, document, armored, outcome, names, said.fingerprint, detail, names_of(allowed, said.key))


def _asked(principal: str, document: bytes, armored: bytes, signers: Signers, at: dt.datetime) -> tuple[str, str]:
    """The outcome and its detail. ssh-keygen's exit code and its Good line decide; its other words only name the reason."""
    with tempfile.TemporaryDirectory(prefix="odoo-ops-approval-") as folder:
        signature = Path(folder, "signature")
        signature.write_bytes(armored)
        try:
            if _good(principal, document, signature, signers, at):
                return "", ""
            if not _runs(["-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature)], document)[0]:
                return "BAD_SIGNATURE", "the signature is not one of this document"
            if signers.revoked and _good(principal, document, signature, Signers(signers.allowed), at):
                return "REVOKED", f"the key of {principal} is revoked"
        except (OSError, subprocess.TimeoutExpired) as exc:
            return "NO_TOOL", f"ssh-keygen does not run: {exc}"
    return "SIGNER_EXPIRED", f"the key of {principal} is not valid at {at:%Y-%m-%dT%H:%M:%SZ}, or not for this"


def _good(principal: str, document: bytes, signature: Path, signers: Signers, at: dt.datetime) -> bool:
    # local time, as in allowed_signers: releases before 9.1 do not know the Z of UTC
    when = at.astimezone().strftime("%Y%m%d%H%M%S")
    asked = ["-Y", "verify", "-f", str(signers.allowed), "-I", principal, "-n", NAMESPACE, "-s", str(signature)]
    revoked = ["-r", str(signers.revoked)] if signers.revoked else []
    done, said = _runs([*asked, f"-Overify-time={when}", *revoked], document)
    return done and said.startswith(f'Good "{NAMESPACE}" signature for {principal} with ')


def _runs(args: list[str], document: bytes) -> tuple[bool, str]:
    env = {"PATH": os.defpath, **{key: os.environ[key] for key in ("PATH", "TZ") if key in os.environ}, "LC_ALL": "C"}
    done = subprocess.run(["ssh-keygen", *args], input=document, capture_output=True, timeout=TIMEOUT_S, check=False, env=env)
    return done.returncode == 0, done.stdout.decode(errors="replace")


def _limited(file: Path) -> bytes:
    with file.open("rb") as source:
        data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ApprovalError(f"approval {file} is larger than {MAX_BYTES} bytes. Give the document that change_plan wrote")
    return data
