"""What systemd hears."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdaemon.service.notify import Notifier, watchdog_interval_s


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(10)
        yield made


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


def test_without_systemd_nothing_is_sent_or_said(caplog: pytest.LogCaptureFixture) -> None:
    Notifier({}).ready("x")
    assert not caplog.records


def test_a_lost_systemd_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    with caplog.at_level("WARNING", "mmdaemon"):
        notifier.watchdog()
        notifier.watchdog()
    assert [record.message for record in caplog.records] == ["cannot tell systemd: [Errno 2] No such file or directory"]


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
def test_half_of_what_the_watchdog_waits(environment: dict[str, str], expected: float | None) -> None:
    assert watchdog_interval_s(environment) == expected
