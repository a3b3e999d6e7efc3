from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmclient.address import candidates, resolve
from mmwire.errors import ClientError


def test_argument_then_environment_then_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "mmdaemon.sock").touch()
    assert resolve(None) == str(tmp_path / "mmdaemon.sock")
    monkeypatch.setenv("MM_SOCKET", "/from/environment")
    assert resolve(None) == "/from/environment"
    assert resolve(Path("/given")) == "/given"


def test_candidates_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    last = ["/run/mmdaemon.sock", f"/tmp/mmdaemon-{os.getuid()}/mmdaemon.sock"]
    assert candidates() == last
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert candidates() == ["/run/user/7/mmdaemon.sock", *last]


def test_the_error_lists_the_sockets_that_were_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmclient.address.candidates", lambda: [str(tmp_path / "a"), str(tmp_path / "b")])
    with pytest.raises(ClientError) as caught:
        resolve(None)
    assert caught.value.code == "DAEMON_UNREACHABLE"
    assert f"{tmp_path / 'a'}, {tmp_path / 'b'}" in caught.value.message and "start mmdaemon" in caught.value.hint


def test_a_path_that_is_too_long_for_a_socket() -> None:
    assert resolve("/" + "x" * 106)
    with pytest.raises(ClientError, match="at most 107 bytes, got 108"):
        resolve("/" + "x" * 107)
