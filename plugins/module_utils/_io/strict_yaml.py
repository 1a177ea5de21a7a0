# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""YAML without its traps: a key that is there twice is an error."""

from __future__ import annotations

from typing import Any


def load_strictly(text: str) -> Any:
    """The one document of a text. ValueError says what is wrong and where."""
    import yaml

    # libyaml, where PyYAML was built with it, reads the same YAML in a tenth of the time
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Strict(base):  # type: ignore[misc]
        """YAML lets the last of two equal keys win, so the first would be lost without a word."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _value in node.value]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is there twice", node.start_mark)
            found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
            return found

    try:
        return yaml.load(text, Loader=Strict)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as exc:
        raise ValueError(yaml_problem(exc)) from None


def yaml_problem(exc: Exception) -> str:
    """What is wrong and where, in words of the reader alone: the line itself may hold a secret, of a file that was not meant."""
    mark = getattr(exc, "problem_mark", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{getattr(exc, 'problem', None) or type(exc).__name__}{where}"
