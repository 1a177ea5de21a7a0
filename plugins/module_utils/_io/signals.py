# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a signal does to long work that leaves something behind unless it is cleared up."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked us to end. Not an Exception, so that nothing on the way takes it for a failed check."""


def ends_on_signal() -> contextlib.AbstractContextManager[None]:
    """SIGTERM, SIGINT and SIGHUP raise :class:`Interrupted`, so that everything on the way is cleaned up."""

    def interrupt(number: int, _frame: object) -> None:
        raise Interrupted(signal.Signals(number).name)

    return _handled(interrupt)


def quiet_signals() -> contextlib.AbstractContextManager[None]:
    """Cleaning up is not interrupted a second time."""
    return _handled(signal.SIG_IGN)


@contextlib.contextmanager
def _handled(handler: Callable[[int, Any], Any] | signal.Handlers) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _ENDING}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
