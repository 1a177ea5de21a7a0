"""What tests of several modules share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.__main__ import part, with_needs
from tests.lab.site import Site


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The lab named by LAB_NAME, or one for this module alone, with the parts that the module names in PARTS."""
    named = os.environ.get("LAB_NAME")
    found = Site.named(named or f"parts-{os.getpid()}")
    for name in with_needs(request.module.PARTS):
        part(name).up(found)
    yield found
    if not named:
        found.destroy()


@pytest.fixture
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dr-"))
    folder.chmod(0o755)
    yield folder
    left = [str(p) for p in folder.iterdir()]
    shutil.rmtree(folder)
    assert left == [], "a drill left something behind"
