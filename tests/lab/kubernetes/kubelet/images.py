"""The release store as a registry: ``registry.lab/NAME@sha256:HEX`` is the folder ``<store>/sha256/HEX``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

REFERENCE = re.compile(r"registry\.lab/[a-z0-9._/-]+@sha256:(?P<hex>[0-9a-f]{64})")


@dataclass(frozen=True)
class Image:
    path: Path
    entrypoint: list[str]
    env: dict[str, str] = field(default_factory=dict)


def find(store: Path, reference: str) -> Image | str:
    """The image, or in words why it cannot be pulled."""
    match = REFERENCE.fullmatch(reference)
    if not match:
        return f'failed to resolve reference "{reference}": the lab\'s registry is registry.lab and wants a digest (@sha256:...)'
    folder = store / "sha256" / match["hex"]
    try:
        config = json.loads((folder / "image.json").read_text())
    except FileNotFoundError:
        return f'rpc error: code = NotFound desc = failed to pull and unpack image "{reference}": {reference}: not found'
    except (OSError, ValueError) as exc:
        return f'failed to read image "{reference}": {exc}'
    return Image(folder, list(config.get("entrypoint") or []), dict(config.get("env") or {}))
