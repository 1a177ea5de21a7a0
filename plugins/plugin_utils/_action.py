# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The thin part that all action plugins share: arguments in, result out, domain errors as clean failures."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide, refusals, secrets_of, without_passwords
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.secrets import secrets_of_environment


class ChangeAction(ActionBase):
    """Validates the arguments against ``SPEC``, calls :meth:`perform`, and turns a ChangeError into a failed result.

    No secret of the options or of the environment is in what it returns, whoever repeated it in which form: Ansible takes the
    values of ``no_log`` options out of what modules return, not out of what actions return.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    SPEC: ClassVar[dict[str, Any]] = {}
    RULES: ClassVar[dict[str, Any]] = {}
    MASKED: ClassVar[tuple[str, ...]] = ()
    """Options in which passwords of addresses are hidden. In every other one such an address is refused."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = self._task.args
        if found := refusals(self.SPEC, given, masked=self.MASKED):
            return {**result, "failed": True, "changed": False, "msg": f"{'; '.join(found)}. Nothing was done."}
        # Ansible writes into the defaults of a spec, and a loop runs in one process
        _dummy, args = self.validate_argument_spec(argument_spec=deepcopy(self.SPEC), **self.RULES)
        args.update({name: without_passwords(args[name]) for name in self.MASKED})
        try:
            told = self.perform(args, task_vars or {})
        except ChangeError as exc:
            told = {"failed": True, "changed": False, "msg": str(exc), **exc.facts}
        result.update(hide(told, [*secrets_of(self.SPEC, args), *secrets_of_environment()]))
        return result

    def hosts(self, pattern: str, task_vars: dict[str, Any]) -> list[str]:
        """The hosts of an inventory pattern, as Ansible itself finds them."""
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        return list(lookup.run([pattern], variables=task_vars))

    def tenants(self, pattern: str, task_vars: dict[str, Any]) -> list[str]:
        """The same; ChangeError when there is none."""
        if names := self.hosts(pattern, task_vars):
            return names
        raise ChangeError(f"the pattern {pattern!r} matches no tenant of the inventory. Write a host, a group or a list of them.")

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The work; check mode is ``self._task.check_mode``."""
        raise NotImplementedError
