"""The listening socket: modes before listening, stale and live ones, what systemd passes."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mmdaemon.listener.address import inherited_sockets, open_socket, remove_socket
from mmwire.address import SOCKET_PATH_MAX_BYTES
from mmwire.errors import ConfigError


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("mode", ["0660", "600"])
def test_it_listens_with_its_mode(tmp_path: Path, mode: str) -> None:
    with open_socket(tmp_path / "s", mode, "") as listening:
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == int(mode, 8)
        assert listening.getblocking() is False
        connect(tmp_path / "s")


def test_nobody_can_connect_before_the_mode_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    chmod = Path.chmod

    def watched(path: Path, mode: int) -> None:
        assert not (tmp_path / "s").exists(), "it has its name only when it listens"
        seen.append(stat.S_IMODE(path.stat().st_mode))
        with pytest.raises(ConnectionRefusedError):
            connect(path)
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", watched)
    before = os.umask(0)
    try:
        open_socket(tmp_path / "s", "0666", "").close()
    finally:
        os.umask(before)
    assert seen == [0o600]


def test_the_group_is_set(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a socket to a group")
    with open_socket(tmp_path / "s", "0660", "daemon"):
        assert (tmp_path / "s").stat().st_gid == grp.getgrnam("daemon").gr_gid


def test_an_unknown_group_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no group 'nobody-has-this'"):
        open_socket(tmp_path / "s", "0660", "nobody-has-this")
    assert not list(tmp_path.iterdir())


def test_a_group_that_one_may_not_give_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "chown", refuse)  # root may give every group
    with pytest.raises(ConfigError, match="group 'daemon': Operation not permitted") as caught:
        open_socket(tmp_path / "s", "0660", "daemon")
    assert "socket.group" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_renamed_to_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ConfigError, match="Input/output error"):
        open_socket(tmp_path / "s", "0660", "")
    assert not list(tmp_path.iterdir())


def test_two_sockets_of_a_folder_do_not_disturb_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chmod = Path.chmod

    def interrupted(path: Path, mode: int) -> None:
        monkeypatch.setattr(Path, "chmod", chmod)
        with open_socket(tmp_path / "bm.sock", "0660", ""):  # begins while the other one is unfinished
            chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", interrupted)
    with open_socket(tmp_path / "am.sock", "0660", ""):
        connect(tmp_path / "am.sock")
    assert {path.name for path in tmp_path.iterdir()} == {"am.sock", "bm.sock"}


@pytest.mark.parametrize("name_bytes", [1, 2, 20])
def test_the_longest_path_fits(tmp_path: Path, name_bytes: int) -> None:
    folder_bytes = SOCKET_PATH_MAX_BYTES - name_bytes - 1
    folder = tmp_path / ("f" * (folder_bytes - len(os.fsencode(tmp_path)) - 1))
    folder.mkdir()
    path = folder / ("s" * name_bytes)
    assert len(os.fsencode(path)) == SOCKET_PATH_MAX_BYTES
    with open_socket(path, "0660", ""):
        connect(path)
    assert list(folder.iterdir()) == [path]


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    open_socket(tmp_path / "s", "0660", "").close()
    assert (tmp_path / "s").exists()
    with open_socket(tmp_path / "s", "0660", ""):
        connect(tmp_path / "s")


def test_a_live_socket_is_left_alone(tmp_path: Path) -> None:
    with open_socket(tmp_path / "s", "0660", ""):
        with pytest.raises(ConfigError) as caught:
            open_socket(tmp_path / "s", "0660", "")
        assert caught.value.code == "ALREADY_RUNNING"
        connect(tmp_path / "s")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_that_is_not_a_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    path.mkdir() if kind == "folder" else path.write_text("precious")
    with pytest.raises(ConfigError, match="is not a socket"):
        open_socket(path, "0660", "")
    assert path.is_dir() if kind == "folder" else path.read_text() == "precious"


def test_only_our_own_socket_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    open_socket(path, "0660", "").close()
    ours = path.lstat()
    path.rename(tmp_path / "kept")  # keeps the inode in use, so that the next socket has another
    open_socket(path, "0660", "").close()
    remove_socket(path, ours)
    assert path.exists()
    remove_socket(path, path.lstat())
    assert not path.exists()


def test_without_systemd_nothing_is_inherited() -> None:
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1)}
    assert inherited_sockets(environment) == []
    assert environment == {}, "meant for somebody else, and for no child of ours"
    assert inherited_sockets({}) == []


_INHERIT = """
import os, socket, sys
from mmdaemon.listener.address import inherited_sockets
from mmwire.errors import ConfigError
environment = {"LISTEN_FDS": sys.argv[1], "LISTEN_PID": str(os.getpid())}
try:
    [passed] = inherited_sockets(environment)
    print("got", passed.getsockname(), passed.get_inheritable())
except ConfigError as error:
    print(error.message)
"""


@pytest.mark.parametrize(
    ("kind", "listens", "count", "says"),
    [
        (socket.SOCK_STREAM, True, "1", "got"),
        (socket.SOCK_STREAM, False, "1", "not a listening Unix stream socket"),
        (socket.SOCK_DGRAM, False, "1", "not a listening Unix stream socket"),
        (socket.SOCK_STREAM, True, "2", "expected one socket from systemd, got 2"),
    ],
)
def test_a_socket_from_systemd_is_checked(tmp_path: Path, kind: int, listens: bool, count: str, says: str) -> None:
    with socket.socket(socket.AF_UNIX, kind) as passed:
        passed.bind(str(tmp_path / "s"))
        if listens:
            passed.listen(1)
        mover = f"import os, sys; os.dup2({passed.fileno()}, 3); os.set_inheritable(3, True); "
        mover += "os.execv(sys.executable, [sys.executable, '-c', *sys.argv[1:]])"
        done = subprocess.run(
            [sys.executable, "-c", mover, _INHERIT, count], pass_fds=[passed.fileno()], capture_output=True, text=True
        )
    assert says in done.stdout, done.stderr
    if says == "got":
        assert done.stdout.split() == ["got", str(tmp_path / "s"), "False"]
