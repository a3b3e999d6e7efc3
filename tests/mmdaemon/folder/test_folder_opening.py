from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mmdaemon.folder.opening import open_regular, readable_identity
from mmdaemon.folder.refusal import shown
from mmwire.errors import ModelError


def test_a_regular_file_opens_with_its_identity(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"abc")
    descriptor, identity = open_regular(path)
    try:
        assert os.read(descriptor, 9) == b"abc"
        assert identity.inode == path.stat().st_ino
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [(Path.mkdir, "a folder"), (_fifo, "a FIFO"), (_socket, "a socket"), (lambda p: p.symlink_to("b"), "a symlink")],
)
def test_anything_else_is_refused_by_its_kind_and_never_blocks(
    tmp_path: Path, make: Callable[[Path], None], what: str
) -> None:
    path = tmp_path / "a"
    make(path)
    with pytest.raises(ModelError, match=what) as caught:
        open_regular(path)
    assert caught.value.code == "MODEL_UNREADABLE"


def test_a_fifo_put_in_place_between_the_looks_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    before = path.lstat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "lstat", lambda _: before)
    with pytest.raises(ModelError, match="a FIFO"):
        open_regular(path)


def test_a_device_is_refused() -> None:
    assert stat.S_ISCHR(Path("/dev/null").lstat().st_mode)
    with pytest.raises(ModelError, match="character device"):
        open_regular(Path("/dev/null"))


def test_only_open_regular_takes_a_missing_file_for_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file") as caught:
        open_regular(tmp_path / "a")
    assert caught.value.retryable
    with pytest.raises(FileNotFoundError):
        readable_identity(tmp_path / "a")


def test_the_hint_says_who_owns_it_and_what_to_do(
    models: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    path = models / "a.tflite"
    path.write_bytes(b"abc")
    path.chmod(0o000)
    with unprivileged(), pytest.raises(ModelError, match="Permission denied") as caught:
        open_regular(path)
    assert f"chmod o+r {path}" in caught.value.hint
    assert path.owner() in caught.value.hint
    assert "----------" in caught.value.hint


def test_the_hint_names_the_folder_that_is_in_the_way(
    models: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    inner = models / "inner"
    inner.mkdir()
    (inner / "a.tflite").write_bytes(b"abc")
    inner.chmod(0o000)
    try:
        with unprivileged(), pytest.raises(ModelError) as caught:
            open_regular(inner / "a.tflite")
    finally:
        inner.chmod(0o755)
    assert f"chmod o+x {inner}," in caught.value.hint


def test_any_name_can_be_shown() -> None:
    assert shown(os.fsdecode(b"caf\xe9\n")) == "caf\\xe9\\n"
    assert shown("café") == "café"
