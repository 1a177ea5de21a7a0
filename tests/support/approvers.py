"""Keys of several people, the files that name them, and what they sign: real keys and the real ssh-keygen."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import Judged, approval_document
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import judge

CHANGE, PLAN, OTHER_PLAN = "CHG-2026-0142", "sha256:" + "a" * 64, "sha256:" + "b" * 64
NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)

Item = tuple[str, bytes, "bytes | None"]

SIGNERS = """# who may approve
alice {alice} alice's laptop
bob namespaces="odoo-ops-change" {bob}
carol {carol}
ops-1 {requester}
ops-2 {executor}
late valid-before="20261201" {late}
early valid-after="20270101" {early}
gone {gone}
second {two}
ops-1 {two}
*@example.com {any}
alice {token}
Carol {upper}
dave {dave}
dave,ops-1 {desk}
other namespaces="git" {other}
eve cert-authority {authority}
"""


class People:
    """``allowed`` and ``revoked`` are the files; a key is named as in SIGNERS, ``stranger`` and ``certified`` are in none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        names = [*re.findall(r"{(\w+)}", SIGNERS), "stranger", "certified"]
        for name in dict.fromkeys(names):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(root / name)], check=True)
        keys = {name: " ".join((root / f"{name}.pub").read_text().split()[:2]) for name in names}
        self.allowed = root / "allowed_signers"
        self.allowed.write_text(SIGNERS.format(**keys))
        self.revoked = root / "revoked"
        self.revoked.write_text((root / "gone.pub").read_text())
        certify = ["ssh-keygen", "-q", "-s", str(root / "authority"), "-I", "eve", "-n", "eve", str(root / "certified.pub")]
        subprocess.run(certify, check=True, capture_output=True)

    def sign(self, document: bytes, key: str, namespace: str = "odoo-ops-change") -> bytes:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self.root / key)]
        return subprocess.run(command, input=document, capture_output=True, check=True).stdout

    def approval(self, approver: str, key: str | None = None, **changed: Any) -> Item:
        """A document of this change and plan, signed; ``changed`` are arguments of approval_document, and the namespace."""
        what = {"change": CHANGE, "digest": PLAN, "approver": approver, "at": NOW - dt.timedelta(hours=1), **changed}
        namespace = what.pop("namespace", "odoo-ops-change")
        document = approval_document(**what)
        return approver, document, self.sign(document, key or approver, namespace)

    def raw(self, key: str, **changed: Any) -> Item:
        """A document with any keys, signed; None leaves one out."""
        document = {"schema": 1, "change": CHANGE, "plan": PLAN, "decision": "approve", "approver": key, "at": "2026-12-05T18:00:00Z"}
        text = json.dumps({k: v for k, v in {**document, **changed}.items() if v is not None}).encode()
        return key, text, self.sign(text, key)

    def text(self, change: Callable[[bytes], bytes], **what: Any) -> Item:
        """Alice's document with its bytes changed before she signs it."""
        text = change(self.raw("alice", **what)[1])
        return "alice", text, self.sign(text, "alice")

    def judge(self, *items: Item, **changed: Any) -> Judged:
        asked = {"change": CHANGE, "digest": PLAN, "requester": "ops-1", "executor": "ops-2", "required": 1, "now": NOW, **changed}
        return judge(list(items), **{"allowed_signers": str(self.allowed), "revoked": str(self.revoked), **asked})


def reworked(armored: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The signature with the bytes inside its armor changed."""
    lines = armored.split(b"\n")
    blob = base64.b64encode(change(base64.b64decode(b"".join(lines[1:-2]))))
    body = [blob[at : at + 70] for at in range(0, len(blob), 70)]
    return b"\n".join([lines[0], *body, lines[-2], b""])
