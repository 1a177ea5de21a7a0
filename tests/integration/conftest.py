"""What tests of several modules share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dr-"))
    folder.chmod(0o755)
    yield folder
    left = [str(p) for p in folder.iterdir()]
    shutil.rmtree(folder)
    assert left == [], "a drill left something behind"
