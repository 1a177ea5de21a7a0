#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a tenant needs to be built anew, beside its database and its files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_bundle
short_description: Keep what a tenant needs to be built anew on an empty machine
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Writes the estate's configuration, the manifests, the custom modules, the definitions of the infrastructure, the release and the names
    of the secrets into a folder of their own, O(location)/O(tenant)/stamp, with the SHA-256 of each. Together with the backups of the
    database and of the files that is all that a tenant is made of; C(kind=rebuild) of M(odoo_ops.change_control.restore_drill) proves it.
  - A bundle appears whole or not at all, and is not altered afterwards. Bring the folder to where the backups are.
  - Secrets do not belong into a bundle. O(secret_references) says which there are and where they are kept.
attributes:
  check_mode:
    description: Writes nothing, and says whether a bundle would be written.
    support: full
  diff_mode:
    description: Returns the kinds whose content is another one.
    support: none
    details: They are returned as RV(other).
  idempotent:
    description: Nothing is written when the newest bundle has the same content and is whole.
    support: full
options:
  tenant:
    description: The tenant.
    type: str
    required: true
  location:
    description: The folder of all tenants' bundles. Let only the account of the backups read it.
    type: path
    required: true
  state:
    description:
      - V(present) writes a bundle unless the newest one has this content.
      - V(verified) is a gate and writes nothing. The newest bundle has to be complete, whole and this tenant's; the kinds that are given
        here have to be what it holds.
    type: str
    choices: [present, verified]
    default: present
  configuration:
    description: Folder or file of the estate's configuration, such as a clone of its repository. C(.git) and C(__pycache__) are left out.
    type: path
  manifests:
    description: Folder or file of the rendered objects of Kubernetes.
    type: path
  modules:
    description: Folder of the custom modules, as C(--addons-path) takes it.
    type: path
  infrastructure:
    description: Folder or file of the definitions of networks, machines and clusters.
    type: path
  release:
    description: The release that the tenant runs.
    type: dict
    suboptions:
      image:
        description: The image by its digest.
        type: str
        required: true
      odoo:
        description: The version of Odoo.
        type: str
        default: ""
      modules:
        description: The version of each module that counts, as the database has it.
        type: dict
        default: {}
  secret_references:
    description: The secrets that the tenant needs, by name.
    type: list
    elements: dict
    suboptions:
      name:
        description: What it is for.
        type: str
        required: true
      kept_in:
        description: Where it is kept, never the secret.
        type: str
        required: true
  keep:
    description: So many bundles stay.
    type: int
    default: 14
extends_documentation_fragment:
  - odoo_ops.change_control.gate
seealso:
  - module: odoo_ops.change_control.restore_drill
"""

EXAMPLES = r"""
- name: Keep what acme is made of
  odoo_ops.change_control.recovery_bundle:
    tenant: acme
    location: /srv/recovery
    configuration: /srv/estate
    manifests: /srv/rendered/acme
    modules: /srv/addons/acme
    infrastructure: /srv/infrastructure
    release:
      image: registry/odoo@sha256:8f83e9990d3e0f4d8a2a6d9d2f2c9e58e3f2d6f1a0b6f8d5c1f0a7b3d9e8c7f6
      odoo: "19.0"
      modules: {acme_billing: 19.0.2.0.0}
    secret_references:
      - {name: the role of the database, kept_in: "vault:odoo/acme#database"}

- name: It can be built anew from what is kept
  odoo_ops.change_control.recovery_bundle:
    tenant: acme
    location: /srv/recovery
    state: verified
"""

RETURN = r"""
changed:
  description: Whether a bundle was written.
  returned: always
  type: bool
  sample: true
bundle:
  description: The folder of the newest bundle, null when there is none.
  returned: always
  type: str
  sample: /srv/recovery/acme/20261205T190000Z
other:
  description: The kinds whose content was another one.
  returned: always
  type: list
  elements: str
  sample: [release]
verdict:
  description: V(pass), V(fail) or V(unknown).
  returned: always
  type: str
  sample: pass
evidence:
  description: The checks. Their codes are V(NO_BUNDLE), V(INCOMPLETE), V(CHECKSUM), V(TENANT) and V(OUTDATED).
  returned: always
  type: dict
  sample: {schema: 1, subject: recovery bundle of acme, measured_at: "2026-12-05T19:00:00Z", checks: []}
"""

import datetime as dt
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import recovery_bundle as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, refuse_leaks, run_module, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import recovery_bundle_files as files

SPEC: dict[str, Any] = {
    "tenant": {"type": "str", "required": True},
    "location": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "verified"], "default": "present"},
    **{kind: {"type": "path"} for kind in core.FOLDERS},
    "release": {
        "type": "dict",
        "options": {
            "image": {"type": "str", "required": True},
            "odoo": {"type": "str", "default": ""},
            "modules": {"type": "dict", "default": {}},
        },
    },
    "secret_references": {
        "type": "list",
        "elements": "dict",
        "no_log": False,
        "options": {"name": {"type": "str", "required": True}, "kept_in": {"type": "str", "required": True}},
    },
    "keep": {"type": "int", "default": 14, "no_log": False},
    **GATE_SPEC,
}
RULES = {"required_if": [("state", "present", core.KINDS)]}


def wrong(given: dict[str, Any]) -> str:
    """What is wrong with the options, before anything is touched."""
    if not given["tenant"].replace("-", "").replace("_", "").isalnum():
        return f"tenant is {given['tenant']!r}, wanted letters, digits, dash and underscore, because a folder is called so"
    if given["keep"] < 1:
        return f"keep is {given['keep']}, wanted 1 at least"
    absent = [f"{kind} is {given[kind]}" for kind in core.FOLDERS if given[kind] and not Path(given[kind]).exists()]
    if absent:
        return f"{', '.join(absent)}, which is not there. Correct it"
    release = core.release_error(given["release"]) if given["release"] else ""
    return release or core.reference_error(given["secret_references"] or [])


def verify(bundle: Path | None, tenant: str, home: Path) -> list[Check]:
    if bundle is None:
        return [Check("bundle", False, f"none in {home}", "a bundle", "Write one, with state present.", "NO_BUNDLE")]
    return core.judge_bundle(files.read_document(bundle), files.seen(bundle), tenant=tenant)


def perform(given: dict[str, Any], check: bool) -> dict[str, Any]:
    at, tenant, home = utc_now(), given["tenant"], Path(given["location"]) / given["tenant"]
    if why := wrong(given):
        raise ChangeError(f"{why}.")
    sources = {kind: given[kind] for kind in core.KINDS if given[kind] is not None}
    newest = next(reversed(files.bundles(home)), None)
    checks = verify(newest, tenant, home)
    good = all(one.ok for one in checks)
    with tempfile.TemporaryDirectory(prefix="recovery-") as draft:
        now = files.write(Path(draft) / "now", sources)
    held = core.parts_of(files.read_document(newest)) if newest and good else {}
    current = core.judge_current(held, now)
    other, subject = current.observed["other"], f"recovery bundle of {tenant}"
    if given["state"] == "verified":
        checks += [current] if good and sources else []
        told = str(newest) if newest else None
        return gate_result(subject, checks, at=at, enforce=given["enforce"], changed=False, bundle=told, other=other)
    changed = not good or not core.same_content(held, now)
    if changed and not check:
        newest = make(home, tenant, sources, at=at, keep=given["keep"])
        checks = verify(newest, tenant, home)
    elif changed:
        checks = [Check("bundle", True, f"would write {', '.join(other)}", "a bundle")]
    told = str(newest) if newest else None
    return gate_result(subject, checks, at=at, enforce=given["enforce"], changed=changed, bundle=told, other=other)


def make(home: Path, tenant: str, sources: dict[str, Any], *, at: dt.datetime, keep: int) -> Path:
    """Writes a bundle, and removes those that are too many."""
    with files.locked(home):
        draft = home / f".new-{os.getpid()}"
        document = core.document(tenant, list(files.write(draft, sources).values()), at=at)
        bundle = files.publish(draft, document, core.stamp(at))
        for old in files.bundles(home)[:-keep]:
            shutil.rmtree(old)
    return bundle


def main() -> None:
    refuse_leaks(SPEC)
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True, **RULES), perform)


if __name__ == "__main__":
    main()
