from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.store.durable import make_folder, temporary, write_whole


def test_a_write_is_durable_in_the_right_order(tmp_path: Path, power: Any) -> None:
    (tmp_path / "tmp").mkdir()
    power.steps.clear()
    write_whole(tmp_path / "a", b"new", tmp_path / "tmp")
    assert power.steps == ["mkstemp", "fchmod", "fsync file", "replace", f"fsync folder {tmp_path.name}"]
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        write_whole(tmp_path / "a", b"new", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_temporary_file_is_removed_on_any_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), temporary(tmp_path) as (file, path):
        file.write(b"abc")
        assert path.exists()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_private_even_if_it_was_not(tmp_path: Path) -> None:
    make_folder(tmp_path / "new")
    (tmp_path / "old").mkdir(0o755)
    make_folder(tmp_path / "old")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o700}
