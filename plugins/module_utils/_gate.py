# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a module begins and ends: no secret on the way in or out, one result in success and in failure."""

# A module that is refused has no AnsibleModule yet, and must not get one. pylint: disable=ansible-bad-function

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.module_utils import basic
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Proof
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import PASS, Check, gate
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide, refusals
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.secrets import secrets_of_environment

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

GATE_SPEC: dict[str, dict[str, Any]] = {"enforce": {"type": "bool", "default": True}}
# An option that tells when something was proved last, as the ledger has it.
PROOF_SPEC: dict[str, Any] = {
    "type": "dict",
    "options": {"at": {"type": "str", "required": True}, "verdict": {"type": "str", "required": True}},
}


def utc_now() -> dt.datetime:
    """The clock. Modules and action plugins look at it once and pass it on."""
    return dt.datetime.now(dt.timezone.utc)


def gate_result(subject: str, checks: Sequence[Check], *, at: dt.datetime, enforce: bool, **extra: Any) -> dict[str, Any]:
    """The gate's result; ``failed`` is set when the verdict is not ``pass`` and ``enforce`` is true."""
    result = {**gate(subject, checks, at=at), **extra}
    return {**result, "failed": True} if enforce and result["verdict"] != PASS else result


def seconds(given: Mapping[str, Any], name: str) -> int | None:
    """An option that is an ISO 8601 duration; ValueError, with its name, for one that is not understood."""
    try:
        return None if given[name] is None else parse_duration(given[name])
    except ValueError as exc:
        raise ValueError(f"option {name}: {exc}") from exc


def proof(given: Mapping[str, str] | None) -> Proof | None:
    """The value of such an option; ValueError for a time that is not understood."""
    return Proof(parse_instant(given["at"]), given["verdict"]) if given else None


def refuse_leaks(spec: Mapping[str, Any]) -> None:
    """Ends the module unless its options can be shown to Ansible. To be called before there is an AnsibleModule.

    An AnsibleModule writes its options to the system log and into its result, and hides those only of which it knows that they
    are secret: not one that is misspelt, of another type, or part of an address.
    """
    if getattr(basic, "_ANSIBLE_ARGS", None) is None:  # not started by Ansible: its tools look at modules, too
        return
    given = {name: value for name, value in basic._load_params().items() if not str(name).startswith("_ansible_")}
    if found := refusals(spec, given):
        sys.stdout.write(json.dumps({"failed": True, "changed": False, "msg": f"{'; '.join(found)}. Nothing was done."}) + "\n")
        raise SystemExit(1)


def end(module: AnsibleModule, result: Mapping[str, Any]) -> NoReturn:
    """Ends a module with its result, in which no form of a secret is left: Ansible itself looks for the plain one."""
    told = hide(dict(result), _secrets(module))
    if told.pop("failed", False):
        module.fail_json(**told)
    module.exit_json(**told)


def run_module(module: AnsibleModule, perform: Callable[[dict[str, Any], bool], dict[str, Any]]) -> NoReturn:
    """Does the work of a module, given its options and whether it only checks, and ends it. Its ``warnings`` are told as such."""
    try:
        result = perform(module.params, module.check_mode)
    except ChangeError as exc:
        result = {"failed": True, "msg": str(exc), **exc.facts}
    for text in result.pop("warnings", ()):
        module.warn(hide(text, _secrets(module)))
    end(module, result)


def _secrets(module: AnsibleModule) -> list[str]:
    return [*module.no_log_values, *secrets_of_environment()]
