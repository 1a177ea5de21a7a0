# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a canary is compared with, for its options and its evidence: the old release beside it, the tenant's record, or nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._core.canary_record import Baseline, baseline, measured
from ._core.checks import PASS, Check, rfc3339
from ._core.judge import Pair
from ._io.canary_record import Kept
from ._io.s3 import OPTIONS as S3_OPTIONS

RECORD_SPEC: dict[str, dict[str, Any]] = {
    "record": {"type": "str"},
    "record_s3": {"type": "dict", "default": {}, "options": S3_OPTIONS},
}
NONE: dict[str, Any] = {"kind": "none", "release": "", "measured_at": None, "samples": 0}


@dataclass(frozen=True)
class Comparison:
    """``wrong``: the checks of the steps that the record has nothing for; then there is nothing to do."""

    given: Mapping[str, Any]
    at: str
    kept: Kept
    baseline: Baseline = field(default_factory=Baseline)
    wrong: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()

    def about(self, figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The baseline, as the evidence tells it."""
        if self.given["mode"] != "compare":
            return {**NONE, **self.baseline.about}
        fewest = min((int(of.get("n", 0)) for of in figures.values()), default=0)
        return {"kind": "fresh", "release": self.given["baseline"]["release"], "measured_at": self.at, "samples": fewest}

    def keep(self, records: Mapping[str, Sequence[Pair]], verdict: str) -> list[str]:
        """Adds to the record what may be a baseline later: the new release if it passed, else the old one. Returns warnings."""
        passed, mode = verdict == PASS, self.given["mode"]
        if mode == "smoke" or not (passed or mode == "compare"):
            return []
        release = self.given["canary" if passed else "baseline"]["release"]
        return self.kept.keep(measured(records, canary=passed, change=self.given["change"], release=release, at=self.at))


def comparison(given: Mapping[str, Any], steps: Sequence[str], at: dt.datetime) -> Comparison:
    """Reads the record where it is needed; ChangeError when it cannot be kept either."""
    kept = Kept(given["record"], given["record_s3"], given["tenant"])
    if given["mode"] != "record":
        return Comparison(given, rfc3339(at), kept)
    record, anew = kept.load()
    found, wrong = baseline(record, steps, change=given["change"], tolerance=given["tolerance"], alpha=given["alpha"])
    return Comparison(given, rfc3339(at), kept, found, tuple(wrong), (anew,) if anew else ())


def compared(result: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """A result with its baseline, which belongs to the evidence as well."""
    return {**result, "baseline": dict(about), "evidence": {**result["evidence"], "baseline": dict(about)}}
