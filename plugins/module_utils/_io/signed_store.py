# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What chains and leases have in common: a store, the keys that are believed, and the key that signs."""

from __future__ import annotations

import datetime as dt
import random
import time

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import ObjectStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import Signer, Trust

ATTEMPTS = 200


class LedgerError(ChangeError):
    """A ledger that cannot be read, proved or written."""


class SignedStore:
    """``signer`` is None for readers; ``trust`` is None when nobody said whom to trust."""

    def __init__(self, store: ObjectStore, *, trust: Trust | None, signer: Signer | None = None) -> None:
        self.store = store
        self.signer = signer
        self._trust = trust

    def signing_key(self, at: dt.datetime | None) -> Signer:
        """The key that signs, which has to count at this time: what it signed otherwise would be no proof."""
        if self.signer is None:
            raise LedgerError(f"ledger {self.store.name}: nothing can be written without a key. Give ledger_key, an Ed25519 private key")
        if self.trusted().keys.get(self.signer.keyid) is None:
            raise LedgerError(
                f"ledger {self.store.name}: the signing key ({self.signer.keyid[:16]}) is not among the trusted keys, "
                "so nobody would believe what it signs. Put its public key into ledger_trusted"
            )
        if at is not None:
            self.refuse_untimely(self.signer, at, "now")
        return self.signer

    def refuse_untimely(self, signer: Signer, at: dt.datetime, when: str) -> None:
        window = self.trusted().windows.get(signer.keyid)
        code = window.refusal(at) if window else ""
        if code:
            raise LedgerError(
                f"ledger {self.store.name}: the signing key ({signer.keyid[:16]}) is {window}, which is not {when} "
                f"({rfc3339(at)}, {code}). Give the key of this time as ledger_key",
                code=code,
            )

    def trusted(self) -> Trust:
        if self._trust is None:
            raise LedgerError(
                f"ledger {self.store.name}: nothing can be proved without public keys. Give ledger_trusted, a file or a folder"
            )
        return self._trust


def wait_for_turn(attempt: int) -> None:
    """Longer with every attempt, and never in step with the others."""
    time.sleep(random.uniform(0.001, min(0.25, 0.004 * 1.3**attempt)))  # noqa: S311 - not a secret
