#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin source_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: source_check
short_description: Verify that the estate's files are a commit that is pushed and signed
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
requirements:
  - git 2.34 or newer on the controller
  - OpenSSH 8.7 or newer, for commits that are signed with SSH keys
  - GnuPG, for commits that are signed with its keys
description:
  - Looks at the working tree that holds change files, inventory, policy and calendars. Which commit is it, does any file differ from it,
    do others have it, and who has signed it?
  - The index, C(info/exclude) and the configuration of the repository are not believed, and no program that they name is started.
    Each file is compared with the commit anew.
  - Nothing is written to the repository.
options:
  path:
    description: The working tree, or a folder in it.
    type: path
    required: true
  require:
    description:
      - V(clean) wants every file to be as in the commit, and no other file to be there than those that a C(.gitignore) names.
      - V(pushed) wants every commit to be in O(remote_branch).
      - V(signed) wants the commit to be signed by one of O(allowed_signers) or O(gpg_keys).
    type: list
    elements: str
    choices: [clean, pushed, signed]
    default: [clean, pushed, signed]
  remote_branch:
    description: The branch that counts, as REMOTE/BRANCH. Protect it, so that nobody can take a commit out of it again.
    type: str
    default: origin/main
  ask_remote:
    description:
      - Whether the remote itself is asked what its branch holds. It is asked without a prompt, so by an SSH key or by an address that
        needs no password.
      - With V(false) what was last fetched from it is believed.
    type: bool
    default: true
  allowed_signers:
    description: The file of those whose SSH keys may sign commits (allowed_signers of C(ssh-keygen)), for the namespace C(git).
    type: path
  revoked:
    description: File of revoked SSH keys.
    type: path
  gpg_keys:
    description:
      - Fingerprints of the primary GnuPG keys that may sign commits. Their public halves have to be in the keyring of who runs Ansible.
    type: list
    elements: str
    default: []
  unbound:
    description:
      - Folders, from the top of the tree, whose changes make no other source. The commit is then the newest one that touches anything else.
      - It and the commit that is checked out both have to be signed. C(clean) counts in these folders as well.
    type: list
    elements: str
    default: []
  holds:
    description: Files and folders that the commit has to hold, such as the inventory in use. A relative path begins at the top of the tree.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: The estate is what the protected branch holds
  odoo_ops.change_control.source_check:
    path: /srv/estate
    remote_branch: origin/main
    allowed_signers: /etc/odoo-ops/committers
    unbound: [approvals]
    holds: "{{ ansible_inventory_sources }}"
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail), or V(unknown) when there is no repository, or git could not tell.
  returned: success and failure
  type: str
  sample: fail
msg:
  description: What was seen, and what to do.
  returned: success and failure
  type: str
  sample: >-
    the estate's source: source_clean is 1 files: hosts.ini, wanted no file differs from the commit. Commit these files, or put them away;
    what a .gitignore of the commit names is left alone.
evidence:
  description: The checks, schema 1. The code of one that is not ok is explained in docs/when-a-change-stops.md.
  returned: success and failure
  type: dict
  sample: {schema: 1, subject: "the estate's source", measured_at: "2026-12-05T19:00:00Z", checks: []}
source:
  description: The commit, its branch and signer, and for each demand whether it holds; null where it could not be told.
  returned: success and failure
  type: dict
  sample:
    commit: 4f1c2d9a0b7e6d5c4b3a29180f7e6d5c4b3a2918
    branch: origin/main
    signer: alice
    key: SHA256:pX1ykACWw131FFedU2wiPAGdotXtzVR1ePNvYFpzmgY
    state: {clean: true, pushed: true, signed: true}
    unbound: [approvals]
"""
