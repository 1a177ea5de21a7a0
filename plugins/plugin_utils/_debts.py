# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The debts that a ledger holds. What a debt is: _core/debts."""

from __future__ import annotations

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.debts import DEBT_OPENED, Debt, debts_of
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import Ledger


def open_debts(ledger: Ledger) -> list[Debt]:
    """All unsettled debts. Only records that an entry ``debt_opened`` lies in are read, each of them whole and proved.

    A run that was killed between head and entry has opened a debt that is not listed yet; as a debt is recorded before what it
    excuses, nothing has been done then, and the run that goes on writes the entry.
    """
    names = {key.partition("/")[0] for key in ledger.store.list("") if key.endswith(f"-{DEBT_OPENED}.json")}
    return debts_of({change: ledger.events(change) for change in names})
