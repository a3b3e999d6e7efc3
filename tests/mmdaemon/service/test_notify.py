"""What systemd hears, through a plain datagram and through systemd-python's interface."""

from __future__ import annotations

import os
import socket
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.service.notify import Notifier, watchdog_interval_s


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(10)
        yield made


@pytest.fixture(autouse=True)
def no_systemd_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from the repository's root: a namespace package ``systemd`` that has no ``daemon``."""
    monkeypatch.setitem(sys.modules, "systemd", types.ModuleType("systemd"))
    monkeypatch.delitem(sys.modules, "systemd.daemon", raising=False)


def test_states_go_out_as_datagrams(listening: socket.socket, tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    notifier.ready("2 ready")
    notifier.status("busy")
    notifier.reloading()
    notifier.watchdog()
    notifier.stopping()
    heard = [listening.recv(4096).decode() for _ in range(5)]
    assert heard[0] == "READY=1\nSTATUS=2 ready"
    assert heard[1] == "STATUS=busy"
    assert heard[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[3] == "WATCHDOG=1"
    assert heard[4].startswith("STOPPING=1")


def test_an_abstract_address_works() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(f"\0mmdaemon-test-{os.getpid()}")
        made.settimeout(10)
        Notifier({"NOTIFY_SOCKET": f"@mmdaemon-test-{os.getpid()}"}).watchdog()
        assert made.recv(100) == b"WATCHDOG=1"


def test_systemd_python_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    package, module = types.ModuleType("systemd"), types.ModuleType("systemd.daemon")
    speaking: Any = module
    speaking.notify = said.append
    monkeypatch.setitem(sys.modules, "systemd", package)
    monkeypatch.setitem(sys.modules, "systemd.daemon", module)
    monkeypatch.setattr(package, "daemon", module, raising=False)
    notifier = Notifier({"NOTIFY_SOCKET": "/run/somewhere"})
    notifier.watchdog()
    assert said == ["WATCHDOG=1"]


def test_without_systemd_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nobody listens")

    monkeypatch.setattr(socket, "socket", refuse)
    Notifier({}).ready("x")


def test_a_lost_systemd_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    with caplog.at_level("WARNING", "mmdaemon"):
        notifier.watchdog()
        notifier.watchdog()
    assert [record.message for record in caplog.records] == [
        "systemd cannot be told how the daemon is: [Errno 2] No such file or directory"
    ]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_the_watchdog_hears_twice_in_the_time_that_it_waits(
    environment: dict[str, str], expected: float | None
) -> None:
    assert watchdog_interval_s(environment) == expected
