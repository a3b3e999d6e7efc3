from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mmdaemon.store import layout as layout_module
from mmdaemon.store.layout import Layout
from mmwire.errors import ConfigError


def test_prepare_makes_private_folders_and_is_idempotent(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "deep/store")
    layout.prepare()
    layout.prepare()
    folders = (layout.root, layout.blobs, layout.names, layout.trials, layout.tmp)
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in folders)


def test_a_root_that_cannot_be_one_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        Layout(tmp_path / "file/store").prepare()
    assert caught.value.code == "CONFIG_INVALID"
    assert "--store" in caught.value.hint


def test_a_full_or_read_only_disk_does_not_stop_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(layout_module, "make_folder", refuse)
    Layout(tmp_path / "store").prepare()


def test_sweep_removes_what_a_crash_left_and_nothing_else(layout: Layout) -> None:
    (layout.tmp / "half").write_bytes(b"x")
    (layout.tmp / "folder").mkdir()
    (layout.tmp / "folder/half").write_bytes(b"x")
    (layout.blobs / "whole").write_bytes(b"x")
    layout.sweep()
    assert list(layout.tmp.iterdir()) == []
    assert (layout.blobs / "whole").exists()
