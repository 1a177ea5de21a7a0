# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Toggles: system parameters of Odoo that a change sets, each with the value it had before, so that exactly that one can come back.

An absent parameter is ``None``. What may hold a secret is never a toggle, because values stand in the plan and in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.progress import TenantState
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import HIDDEN, hide, holds_password

SECRET_WORDS = ("secret", "password", "passwd", "pwd", "token", "key", "credential", "private")
IDENTITY = "database."
"""What begins so tells which database this is. Odoo makes it, and nobody else."""
IMAGE_BACK, VALUE_BACK = "previous_image", "previous_value"
ADMITTED, TOGGLED, TRIED = "admitted", "toggled", "tried"
LAYER = "toggles"
DRIFT = ("Somebody has changed it since the plan was made. Find out who, then plan again under a new id.", "TOGGLE_DRIFT")
REASONS = {
    "value": ("Somebody has changed it since it was set. Find out who, then set it with a change of its own.", "TOGGLE_NOT_SET"),
    "undone": ("The Job that puts it back did not. Read its log, then run the rollback again.", "TOGGLE_NOT_BACK"),
}
EXPECTATIONS = ("anything", "before", "either", "value", "undone")


# -- the change file -------------------------------------------------------------------------------------------------------
def errors(change: Mapping[str, Any]) -> list[str]:
    """What is wrong with the toggles of a change file, and with a change that brings nothing. What the schema refused is passed over."""
    given = change.get("toggles")
    if given is None and "release" not in change:
        return ["change.release is missing. Write a mapping, or toggles if nothing but system parameters is to change."]
    named = [one["parameter"] for one in given or [] if isinstance(one, Mapping) and isinstance(one.get("parameter"), str)]
    twice = sorted({name for name in named if named.count(name) > 1})
    return [
        *(f"change.toggles sets {name} twice. Write each parameter once." for name in twice),
        *(f"change.toggles names {name}, {why}" for name in dict.fromkeys(named) if (why := refused(name))),
        *_strategy_errors(change),
    ]


def refused(parameter: str) -> str:
    """Why a parameter may not be a toggle, as the end of a sentence; empty when it may."""
    name = parameter.lower()
    if name.startswith(IDENTITY):
        return "which Odoo makes to know the database by. Leave it alone."
    if words := [word for word in SECRET_WORDS if word in name]:
        return (
            f"which may be a secret ('{words[0]}' is in its name), and values stand in plan and ledger. "
            "Set it by hand under break_glass, or give the switch another name."
        )
    return ""


def _strategy_errors(change: Mapping[str, Any]) -> list[str]:
    rollback = change.get("rollback")
    seen = rollback.get("strategy") if isinstance(rollback, Mapping) else None
    wanted = IMAGE_BACK if "release" in change else VALUE_BACK
    if seen not in (IMAGE_BACK, VALUE_BACK) or seen == wanted:
        return []
    what = "a change with a release" if "release" in change else "a change of toggles alone"
    return [f"change.rollback.strategy is {seen!r}, and this is {what}. Write {wanted}."]


def parameters(change: Mapping[str, Any]) -> list[str]:
    return [one["parameter"] for one in change.get("toggles", [])]


# -- the plan --------------------------------------------------------------------------------------------------------------
def steps(release_steps: Sequence[str], change: Mapping[str, Any]) -> list[str]:
    """The steps of a tenant. Beside a release the toggles come last, when its users are let in and the code has proved itself."""
    if "toggles" not in change:
        return list(release_steps)
    before = [*release_steps[:-1], ADMITTED] if "release" in change else [release_steps[0]]
    return [*before, TOGGLED, TRIED, release_steps[-1]]


def planned(change: Mapping[str, Any], found: Mapping[str, str | None]) -> list[dict[str, str | None]]:
    """The toggles of a tenant as the plan keeps them; ``found`` is what its database has now."""
    wanted = change.get("toggles", [])
    return [{"parameter": one["parameter"], "before": found[one["parameter"]], "value": one["value"]} for one in wanted]


def unread(change: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """The parameters of the change whose present value nobody told."""
    return [name for name in parameters(change) if name not in found]


def undo(plan: Mapping[str, Any], state: TenantState, *, closed: bool, checkpoint: bool) -> list[str]:
    """The layers that a rollback of the tenant brings back now; none when there is nothing to bring back, or no way back any more.

    Toggles come back as long as the change is open, also when the tenant is released: it is the old value and nothing else. Of a release
    whose users were let in they are all that comes back.
    """
    layers = list(plan["rollback"]["layers"])
    if closed or state.rolled_back:
        return []
    if LAYER in layers and (ADMITTED in state.done or ADMITTED not in plan["steps"]):
        return [LAYER]
    if state.released and not state.failed:
        return []
    if "opened" in state.done and "database" in layers:
        return []
    of_release = [layer for layer in layers if layer != LAYER]
    return of_release if checkpoint else of_release[:1]


def shown(toggle: Mapping[str, Any]) -> str:
    """As people read it: ``acme_billing.strict: absent -> 'warn'``."""
    before, value = (told(toggle[side]) for side in ("before", "value"))
    return f"{toggle['parameter']}: {before} -> {value}"


def told(value: str | None) -> str:
    return "absent" if value is None else repr(value)


# -- what the database has -------------------------------------------------------------------------------------------------
def judge(
    toggles: Iterable[Mapping[str, Any]], found: Mapping[str, str | None], *, expect: str, secrets: Sequence[str] = ()
) -> list[Check]:
    """Each parameter held against what is expected of it: ``anything``, the value ``before``, ``either`` that or the planned one, the
    planned ``value``, or ``undone``: anything but the planned one, unless that is what it was before.

    A value in which a password or one of the ``secrets`` stands is told nowhere, and passes nowhere: what is hidden cannot be put back.
    """
    return [_judged(one, found.get(one["parameter"]), expect, secrets) for one in toggles]


def tellable(value: str | None, secrets: Sequence[str] = ()) -> bool:
    """Whether a value may stand in plan and ledger, and stands there as it is."""
    return value is None or not (holds_password(value) or HIDDEN in value or hide(value, secrets) != value)


def _judged(toggle: Mapping[str, Any], seen: str | None, expect: str, secrets: Sequence[str]) -> Check:
    name, before, value = f"toggle:{toggle['parameter']}", toggle.get("before"), toggle.get("value")
    if not all(tellable(one, secrets) for one in (seen, before, value)):
        hint = "It is no toggle. Take it out of the change, and set it by hand under break_glass."
        return Check(name, False, "a value that holds a secret", "a value that may be told", hint, "TOGGLE_SECRET")
    fits = {
        "anything": True,
        "before": seen == before,
        "either": seen in (before, value),
        "value": seen == value,
        "undone": seen != value or before == value,
    }
    if fits[expect]:
        return Check(name, True, told(seen), _wanted(before, value, expect))
    return Check(name, False, told(seen), _wanted(before, value, expect), *REASONS.get(expect, DRIFT))


def _wanted(before: str | None, value: str | None, expect: str) -> str:
    either = told(before) if before == value else f"{told(before)} or {told(value)}"
    return {"anything": "any value", "before": told(before), "either": either, "value": told(value), "undone": f"not {told(value)}"}[expect]
