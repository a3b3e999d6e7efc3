"""A worker that hangs in a real interpreter: named, answered for, and what systemd hears of it."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mmwire.errors import MmError
from rig import tiny_tflite as tiny
from rig.daemon_process import QUICK, DaemonProcess
from rig.waiting import LIMIT_S, wait_for

STOPPED_S = 3.0  # longer than between two looks at its own health
FOR_EVER = np.float32([1e9])
A_WHILE = np.float32([2e6])  # 0.5 s here
ROW = np.ones((1, 4), np.float32)


class Systemd:
    """What a daemon tells the socket that systemd listens on."""

    def __init__(self, folder: Path) -> None:
        self.address = folder / "notify"
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.address))
        self._socket.settimeout(LIMIT_S)

    def hear(self, what: str) -> None:
        while True:
            self.heard.append(self._socket.recv(4096).decode())
            if what in self.heard[-1]:
                return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(tmp_path)
    yield made
    made.close()


def watched(folder: Path, systemd: Systemd | None, max_run_s: float) -> DaemonProcess:
    environment = {**QUICK, "MMDAEMON_LIMITS_MAX_RUN_S": str(max_run_s)}
    if systemd is not None:
        environment |= {"NOTIFY_SOCKET": str(systemd.address), "WATCHDOG_USEC": "4000000"}
    return DaemonProcess(folder, environment=environment)


def refusal(daemon: DaemonProcess, x: np.ndarray) -> MmError:
    with daemon.client(timeout=LIMIT_S) as client, pytest.raises(MmError) as caught:
        client.predict("slow", x)
    return caught.value


def test_a_hung_worker_is_named_and_systemd_is_asked_for_a_restart(tmp_path: Path, systemd: Systemd) -> None:
    daemon = watched(tmp_path, systemd, max_run_s=0.5)
    try:
        daemon.start()
        daemon.deploy("slow", tiny.countdown())
        daemon.deploy("m", tiny.add_constant(1))
        systemd.hear("WATCHDOG=1")
        error = refusal(daemon, FOR_EVER)
        assert (error.code, error.retryable) == ("RUN_TOO_LONG", False), "nobody sends it again to the next daemon"
        systemd.hear("WATCHDOG=trigger")
        assert "slow version 1 computes longer than 0.5 s, since 20" in daemon.text()
        with daemon.client() as client:
            status = client.status()
            assert client.predict("m", ROW)["y"][0, 0] == 2.0, "the other worker serves until systemd acts"
        assert status["state"] == "degraded"
        [trouble] = status["troubles"]
        assert (trouble["model"], trouble["version"]) == ("slow", 1)
        assert daemon.stop(signal.SIGABRT) == -signal.SIGABRT  # as systemd does: WatchdogSignal=
        assert "Fatal Python error: Aborted" in daemon.text() and "in _run" in daemon.text(), "where each thread was"
        daemon.start()
        with daemon.client() as client:
            client.wait("slow", timeout=LIMIT_S)
            assert client.predict("slow", np.float32([5]))["y"][0] == 5
        after_trigger = len(systemd.heard)
        systemd.hear("WATCHDOG=1")
        assert "WATCHDOG=trigger" not in systemd.heard[after_trigger:]
    finally:
        daemon.kill()


def test_a_long_run_within_the_models_own_limit_is_let_be(tmp_path: Path, systemd: Systemd) -> None:
    daemon = watched(tmp_path, systemd, max_run_s=0.1)
    try:
        (daemon.models / "slow.toml").write_text("max_run_s = 50\n")
        daemon.start()
        daemon.deploy("slow", tiny.countdown())
        with daemon.client(timeout=LIMIT_S) as client:
            assert client.predict("slow", A_WHILE)["y"][0] == 100
            assert client.status()["state"] == "ready"
        systemd.hear("WATCHDOG=1")
        assert not any("trigger" in said for said in systemd.heard)
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def test_without_systemd_a_hung_worker_is_named_and_the_rest_serves(tmp_path: Path) -> None:
    daemon = watched(tmp_path, None, max_run_s=0.3)
    try:
        daemon.start()
        daemon.deploy("slow", tiny.countdown())
        daemon.deploy("m", tiny.add_constant(1))
        assert refusal(daemon, FOR_EVER).code == "RUN_TOO_LONG"
        wait_for("it is logged", lambda: "slow version 1 computes longer than 0.3 s" in daemon.text())
        assert "restart the service" not in daemon.text()
        with daemon.client() as client:
            assert client.status()["state"] == "degraded"
            assert client.predict("m", ROW)["y"][0, 0] == 2.0
    finally:
        daemon.kill()


def test_a_client_that_left_leaves_a_hung_worker_to_be_found(tmp_path: Path, systemd: Systemd) -> None:
    daemon = watched(tmp_path, systemd, max_run_s=1.0)
    try:
        daemon.start()
        daemon.deploy("slow", tiny.countdown())

        def ask_and_leave() -> None:
            with daemon.client(timeout=0.2) as client, pytest.raises(MmError):
                client.predict("slow", FOR_EVER)

        caller = threading.Thread(target=ask_and_leave)
        caller.start()
        caller.join(LIMIT_S)
        systemd.hear("WATCHDOG=trigger")
        assert "slow version 1 computes longer than 1 s" in daemon.text()
    finally:
        daemon.kill()


def test_a_daemon_that_was_stopped_for_longer_than_it_waits_goes_on(tmp_path: Path, systemd: Systemd) -> None:
    """Ctrl-Z and fg, a debugger, a frozen container."""
    daemon = watched(tmp_path, systemd, 60)
    try:
        daemon.start()
        daemon.deploy("m", tiny.add_constant(1))
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        daemon.process.send_signal(signal.SIGCONT)
        systemd.heard.clear()
        systemd.hear("WATCHDOG=1")
        with daemon.client() as client:
            assert client.predict("m", ROW)["y"][0, 0] == 2.0
        assert daemon.stop() == 0
    finally:
        daemon.kill()
