from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmdaemon.folder.bundle import is_whole_bundle, read_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "variables").mkdir()
    for name in ("saved_model.pb", "variables/variables.index"):
        (tmp_path / name).write_bytes(b"x")
    files = {"saved_model.pb": "00", "variables/variables.index": "00"}
    document = {"made_by": "mmconvert", "reason": "Svd", "files": files}
    (tmp_path / "mmconvert.json").write_text(json.dumps(document))
    return tmp_path


def test_a_bundle_with_all_its_files_is_whole(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert bundle is not None and bundle.reason == "Svd"
    assert is_whole_bundle(folder)


@pytest.mark.parametrize("missing", ["saved_model.pb", "variables/variables.index", "mmconvert.json"])
def test_a_bundle_that_lacks_a_file_is_not_whole(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    assert not is_whole_bundle(folder)


def test_a_link_or_a_giant_is_not_read(folder: Path, tmp_path: Path) -> None:
    (folder / "mmconvert.json").unlink()
    (folder / "mmconvert.json").symlink_to("/etc/passwd")
    assert read_bundle(folder) is None
