# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of people: when two are one person, and which cannot be told from another by looking at them."""

from __future__ import annotations

import re
import unicodedata

_PLAIN = re.compile(r"[ -~]+")


def folded(name: str) -> str:
    """The name without the differences that make no other person: case, blanks, width."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


def same_person(one: str, other: str) -> bool:
    """Whether two names are one, however they are written."""
    return folded(one) == folded(other)


def odd(name: str) -> bool:
    """Whether a name is empty, or holds letters that may look like others (a Cyrillic o, a mark of no width)."""
    return not _PLAIN.fullmatch(folded(name))
