# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policy: what each class needs in each domain and environment, what makes it wrong, and what of it goes into a plan.

The form is judged by ``meta/schemas/policy.schema.json``; here is what a schema cannot say. Functions that take a ``document`` want one
that the schema has let through, but for :func:`judge_policy`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import canonical, sha256
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objectives import KEYS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.verbs import by_verb, people_errors

# Each is at least what the one before it is: the class of a change is the highest that anything asks for.
CLASSES = ("standard", "normal", "emergency", "data_impacting")
DOMAINS = ("application", "infrastructure", "data", "security")
ENVIRONMENTS = ("development", "staging", "uat", "production")
STRATEGIES = ("smoke", "record", "canary")  # the weakest first
FINISH_COHORT, STOP_BEFORE_NEXT_COHORT, ROLL_BACK = OVERRUNS = ("finish_cohort", "stop_before_next_cohort", "roll_back")
ALWAYS_IN_PRODUCTION = ("calendars", "backup", "wal")
FRESHNESS = tuple(f"freshness.{what}" for what in ("gates", "backup", "wal", "read", "drill", "filestore", "staging"))
DURATIONS = (*FRESHNESS, "approvals.retro", "soak", "window.longest")
REHEARSAL_AGE = "P7D"
"""How old a rehearsal may be where the policy does not say."""


def rank(change_class: str) -> int:
    return CLASSES.index(change_class)


def highest(classes: Sequence[str]) -> str:
    """The class that covers all of them."""
    return max(classes, key=rank)


def next_tier(change_class: str) -> str:
    """The class whose approval a bundle needs."""
    return "normal" if change_class == "standard" else "data_impacting"


def profile(document: Mapping[str, Any], change_class: str, domain: str, environment: str) -> Mapping[str, Any]:
    """The demands of one cell in one environment."""
    found: Mapping[str, Any] = document["profiles"][document["cells"][change_class][domain][environment]]
    return found


def policy_digest(document: Mapping[str, Any]) -> str:
    """``sha256:<64 hex digits>`` of what the policy says; comments and order do not count."""
    return "sha256:" + sha256(canonical(document))


# -- what is wrong with one ------------------------------------------------------------------------------------------------
def judge_policy(document: Mapping[str, Any]) -> list[str]:
    """Every error that only the meaning shows. The document must have passed the schema."""
    errors = [error for name, one in document["profiles"].items() for error in _duration_errors(f"profiles.{name}", one, DURATIONS)]
    errors += [error for tier, one in document.get("objectives", {}).items() for error in _duration_errors(f"objectives.{tier}", one, KEYS)]
    errors += [error for rule in document["rules"] for error in _rule_errors(rule)]
    errors += _unknown_profiles(document)
    errors += people_errors(document)
    return errors or [error for cell in _cells() for error in _cell_errors(document, *cell)]


def _cells() -> Iterator[tuple[str, str]]:
    return ((change_class, domain) for change_class in CLASSES for domain in DOMAINS)


def _duration_errors(where: str, one: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    errors = []
    for path in [*paths, *(["freshness.rehearsal"] if "rehearsal" in one.get("freshness", {}) else [])]:
        try:
            parse_duration(_at(one, path))
        except ValueError as exc:
            errors.append(f"policy.{where}.{path} is {_at(one, path)!r}: {exc}.")
    return errors


def _rule_errors(rule: Mapping[str, Any]) -> list[str]:
    errors = []
    for pattern in rule["when"].get("sql", []):
        try:
            re.compile(pattern)
        except re.error as exc:
            errors.append(
                f"policy.rules, rule {rule['name']!r}: sql holds {pattern!r}, which is no regular expression ({exc}). Correct it."
            )
    return errors


def _unknown_profiles(document: Mapping[str, Any]) -> list[str]:
    known, errors = list(document["profiles"]), []
    for change_class, domain in _cells():
        for environment, name in document["cells"][change_class][domain].items():
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"Did you mean {close[0]}?" if close else f"Write one of: {', '.join(known)}."
                errors.append(f"policy.cells.{change_class}.{domain}.{environment} is {name!r}, which is no profile. {hint}")
    return errors


def _cell_errors(document: Mapping[str, Any], change_class: str, domain: str) -> list[str]:
    where = f"policy.cells.{change_class}.{domain}"
    names = document["cells"][change_class][domain]
    production = profile(document, change_class, domain, "production")
    errors = [
        f"{where}.production ({names['production']}) is weaker than {environment} ({names[environment]}): {reason}. "
        f"Make production at least as strict, or {environment} weaker."
        for environment in ENVIRONMENTS[:-1]
        for reason in weaker(production, profile(document, change_class, domain, environment))
    ]
    errors += [
        f"{where}.production ({names['production']}) has no gate {gate}. Add it: without one nobody can be brought back."
        for gate in ALWAYS_IN_PRODUCTION
        if gate not in production["gates"]
    ]
    if production["approvals"]["count"] < 1 and not _may_run_unapproved(change_class, production):
        told = (
            "an emergency may have 0 only when approvals.retro says until when it is approved afterwards"
            if change_class == "emergency"
            else ""
        )
        errors.append(f"{where}.production ({names['production']}) needs 0 approvals. Write at least 1{f'; {told}' if told else ''}.")
    if change_class == "standard" and production["content"] != "required":
        errors.append(
            f"{where}.production ({names['production']}) has content optional. Write required: a catalogue entry limits what differs."
        )
    return errors


def _may_run_unapproved(change_class: str, production: Mapping[str, Any]) -> bool:
    if change_class == "standard":  # its catalogue entry is approved
        return True
    return change_class == "emergency" and parse_duration(production["approvals"]["retro"]) > 0


def weaker(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """In what the first profile asks for less than the second one; nothing when it is at least as strict everywhere."""
    found = []
    for key in ("gates", "approvals.customer"):
        if lacking := [item for item in _at(other, key) if item not in _at(one, key)]:
            found.append(f"{key} lacks {', '.join(lacking)}")
    if quiet := [item for item in other.get("advise", []) if item not in one.get("advise", []) and item not in one["gates"]]:
        found.append(f"advise lacks {', '.join(quiet)}")
    if more := [item for item in one["waivable"] if not any(fnmatchcase(item, pattern) for pattern in other["waivable"])]:
        found.append(f"waivable has {', '.join(more)} besides")
    if "rehearsal" in other["gates"] and parse_duration(_rehearsal_age(one)) > parse_duration(_rehearsal_age(other)):
        found.append(f"freshness.rehearsal is {_rehearsal_age(one)}, which is longer than {_rehearsal_age(other)}")
    for key in (*FRESHNESS, "window.longest"):
        if parse_duration(_at(one, key)) > parse_duration(_at(other, key)):
            found.append(f"{key} is {_at(one, key)}, which is longer than {_at(other, key)}")
    return [*found, *_weaker_values(one, other)]


def _rehearsal_age(one: Mapping[str, Any]) -> str:
    return str(one["freshness"].get("rehearsal", REHEARSAL_AGE))


def _weaker_values(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    mine, theirs = one["approvals"], other["approvals"]
    pairs: list[tuple[str, Any, Any, bool]] = [
        ("approvals.count", mine["count"], theirs["count"], mine["count"] < theirs["count"]),
        ("content", one["content"], other["content"], one["content"] == "optional" and other["content"] == "required"),
        ("strategy", one["strategy"], other["strategy"], STRATEGIES.index(one["strategy"]) < STRATEGIES.index(other["strategy"])),
        ("soak", one["soak"], other["soak"], parse_duration(one["soak"]) < parse_duration(other["soak"])),
        ("approvals.retro", mine["retro"], theirs["retro"], _later(mine["retro"], theirs["retro"])),
        (
            "window.overrun",
            one["window"]["overrun"],
            other["window"]["overrun"],
            OVERRUNS.index(one["window"]["overrun"]) < OVERRUNS.index(other["window"]["overrun"]),
        ),
        (
            "rollback.tolerance",
            one["rollback"]["tolerance"],
            other["rollback"]["tolerance"],
            one["rollback"]["tolerance"] > other["rollback"]["tolerance"],
        ),
    ]
    pairs += [
        (f"approvals.groups.{group}", mine["groups"].get(group, 0), count, mine["groups"].get(group, 0) < count)
        for group, count in theirs["groups"].items()
    ]
    return [f"{key} is {seen}, which is less than {wanted}" for key, seen, wanted, bad in pairs if bad]


def _later(one: str, other: str) -> bool:
    """Whether the first review after the fact is due later; PT0S means that none is due, which is the latest."""
    first, second = parse_duration(one) or None, parse_duration(other) or None
    return second is not None and (first is None or first > second)


# -- what goes into a plan -------------------------------------------------------------------------------------------------
def for_plan(
    document: Mapping[str, Any],
    *,
    change: Mapping[str, Any],
    change_class: str,
    bundled: bool,
    groups: Sequence[str],
    tiers: Mapping[str, str],
) -> dict[str, Any]:
    """What this change needs, as the plan keeps it. ``tiers`` gives the tier of every tenant that the change has an effect on.

    ``groups`` are those that the rules add, one approval each. A bundle needs the approvals of the next class as well.
    """
    domain, environment = change["domain"], change["environment"]
    chosen = profile(document, change_class, domain, environment)
    approvals = chosen["approvals"]
    if bundled:
        approvals = joined(approvals, profile(document, next_tier(change_class), domain, environment)["approvals"])
    wanted = dict.fromkeys(groups, 1) | approvals["groups"]
    wanted |= {f"customer:{name}": 1 for name, tier in tiers.items() if tier in approvals["customer"]}
    freshness = chosen["freshness"]
    return {
        "version": document["version"],
        "digest": policy_digest(document),
        "cell": f"{change_class}/{domain}/{environment}",
        "gates": list(chosen["gates"]),
        "advise": list(chosen.get("advise", [])),
        "gate_max_age": freshness["gates"],
        "backup_max_age": freshness["backup"],
        "wal_max_age": freshness["wal"],
        "read_max_age": freshness["read"],
        "drill_max_age": freshness["drill"],
        "filestore_max_age": freshness["filestore"],
        "staging_max_age": freshness["staging"],
        "rehearsal_max_age": _rehearsal_age(chosen),
        "approvals": max([approvals["count"], *wanted.values()]),
        "groups": [{"group": group, "count": count} for group, count in sorted(wanted.items())],
        "retro_approval": approvals["retro"] if parse_duration(approvals["retro"]) else "PT0S",
        "strategy": chosen["strategy"],
        "soak_s": max(parse_duration(chosen["soak"]), change["verification"].get("soak_s", 0)),
        "window_longest": chosen["window"]["longest"],
        "overrun": chosen["window"]["overrun"],
        "tolerance": chosen["rollback"]["tolerance"],
        "waivable": list(chosen["waivable"]),
        "objectives": {tier: dict(one) for tier, one in document.get("objectives", {}).items() if tier in tiers.values()},
        "people": by_verb(document),
    }


def joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Approvals that satisfy both."""
    groups = {name: max(one["groups"].get(name, 0), other["groups"].get(name, 0)) for name in {**one["groups"], **other["groups"]}}
    return {
        "count": max(one["count"], other["count"]),
        "groups": groups,
        "customer": sorted({*one["customer"], *other["customer"]}),
        "retro": other["retro"] if _later(one["retro"], other["retro"]) else one["retro"],
    }


def judge_against(change: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[str]:
    """What of a change its profile does not allow: no content, or a window that is too long."""
    errors = []
    if chosen["content"] == "required" and "content" not in change.get("release", {"content": {}}):  # toggles are their own content
        errors.append("change.release.content is missing, and the policy requires it. Name the folders of the release before and after.")
    longest, wanted = parse_duration(chosen["window"]["longest"]), parse_duration(change["window"]["duration"])
    if wanted > longest:
        errors.append(
            f"change.window.duration is {change['window']['duration']}, and the policy allows {chosen['window']['longest']} at most. "
            "Write a shorter window, or split the change."
        )
    return errors


def _at(document: Mapping[str, Any], path: str) -> Any:
    place: Any = document
    for key in path.split("."):
        place = place[key]
    return place
