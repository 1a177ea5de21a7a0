# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a release went through staging before: another change brought the very same image there, and was proved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.progress import closed, proved
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.report import Timed, planned

ENVIRONMENTS = ("staging", "uat")
HINT = "Take the same through a change of environment staging first."
MISSING = object()


@dataclass(frozen=True)
class Staged:
    """A closed change: what it brought where, when it was closed, and whether it succeeded and was proved.

    ``image`` is None for a change of toggles alone; ``toggles`` are the parameters with their values.
    """

    change: str
    environment: str
    image: str | None
    at: dt.datetime
    passed: bool
    toggles: Mapping[str, str | None] = field(default_factory=dict)

    def brought(self, image: str | None, toggles: Mapping[str, str | None]) -> bool:
        """Whether it was this image, with at least these toggles."""
        return (image is None or self.image == image) and all(self.toggles.get(name, MISSING) == value for name, value in toggles.items())


def staged(change: str, events: Sequence[Timed]) -> Staged | None:
    """From the events of a change; None while it is open, and for records that are no change's."""
    plan, result = planned(events), closed(events)
    if not plan or result is None:
        return None
    at = next(event.at for event in reversed(events) if event.event == "closed")
    wanted = plan["change"]
    passed = result == "succeeded" and proved(events)
    toggles = {one["parameter"]: one["value"] for one in wanted.get("toggles", [])}
    return Staged(change, wanted["environment"], wanted.get("release", {}).get("image"), parse_instant(at), passed, toggles)


def staging_check(
    found: Sequence[Staged], *, image: str | None, max_age_s: int, now: dt.datetime, toggles: Mapping[str, str | None] | None = None
) -> Check:
    """The newest change that brought the same to staging decides: one that failed after one that passed is a failure."""
    wanted = f"a change that succeeded in {' or '.join(ENVIRONMENTS)}, closed at most {max_age_s} s ago"
    there = sorted((s for s in found if s.brought(image, toggles or {}) and s.environment in ENVIRONMENTS), key=lambda s: s.at)
    if not there:
        what = f"{'this image' if image else 'a change'}{' with these toggles' if toggles else ''}"
        return Check("staged_release", False, f"{what} was never in staging", wanted, HINT, "NOT_STAGED")
    newest = there[-1]
    age_s = int((now - newest.at).total_seconds())
    seen = f"{newest.change} in {newest.environment} {'succeeded' if newest.passed else 'did not succeed'}, {age_s} s ago"
    if not newest.passed:
        return Check("staged_release", False, seen, wanted, "Mend what failed there first.", "STAGING_FAILED")
    fresh = 0 <= age_s <= max_age_s
    return Check("staged_release", fresh, seen, wanted, HINT, "" if fresh else "STAGING_STALE")
