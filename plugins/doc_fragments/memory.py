# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a gate that remembers what it has proved."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - The file in which is remembered what was proved, on the machine that this task runs on. Its directory has to be there.
      - One that is damaged or of something else is not believed, with a warning, and everything is read again.
    type: path
  sample:
    description:
      - How many per cent of what was proved are read again with O(depth=checksums), other ones in each run, because a disk can lose
        what nobody has written. With V(2) and a run a day each file is read at least every 50 days.
    type: float
    default: 2
"""
