"""The walk through a directory in which others write meanwhile."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.folder_walk import files_below

NAMES = ["aa/1", "aa/2", "bb/cc/3", "top"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def test_every_file_with_its_size(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "aa")
    assert {name: seen.st_size for name, seen in files_below(str(folder), "all/")} == {f"all/{name}": len(name) for name in NAMES}


def test_of_many_files_only_those_that_vanish_are_left_out(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / str(number)).touch()
    found = set()
    for name, _stat in files_below(str(tmp_path)):
        found.add(name)
        for other in range(0, 1000, 10):
            (tmp_path / str(other)).unlink(missing_ok=True)
    assert found >= {str(number) for number in range(1000) if number % 10}


def test_a_folder_that_vanishes_is_empty(folder: Path) -> None:
    rmtree(folder / "bb")
    assert list(files_below(str(folder / "bb"))) == []


def test_what_is_no_directory_is_told(folder: Path) -> None:
    with pytest.raises(NotADirectoryError) as told:
        list(files_below(str(folder / "top")))
    assert told.value.filename == str(folder / "top")
