"""The daemon's manners: starting, signals, draining, what systemd hears, what a refused start says."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rig import tiny_tflite as tiny
from rig.daemon_process import BIN, QUICK, DaemonProcess
from rig.waiting import LIMIT_S, wait_for

ROW = np.ones((1, 4), np.float32)


def run_daemon(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "mmdaemon", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, **environment},
    )


def test_sigterm_answers_everything_that_was_accepted(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    failures: list[str] = []
    answers = [0] * 4

    def call(number: int) -> None:
        rows = np.zeros((2_000, 4), np.float32)
        with daemon.client(timeout=5.0) as client:
            while True:
                try:
                    assert client.predict("m", rows)["y"].shape == (2_000, 4)
                    answers[number] += 1
                except Exception as error:
                    code = getattr(error, "code", repr(error))
                    if code not in ("DRAINING", "DAEMON_UNREACHABLE", "CONNECTION_LOST", "TIMEOUT"):
                        failures.append(f"{code}: {error}")
                    return

    callers = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    wait_for("all call", lambda: all(answers))
    assert daemon.stop() == 0
    for caller in callers:
        caller.join(LIMIT_S)
    assert not failures
    assert not daemon.socket.exists(), "the socket went with the daemon"
    assert "draining" in daemon.text()


def test_a_client_goes_on_over_a_restart(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    with daemon.client() as client:
        assert client.predict("m", ROW)["y"][0, 0] == 2.0
        daemon.stop()
        restarted = threading.Timer(0.3, daemon.start)
        restarted.start()
        assert client.predict("m", ROW)["y"][0, 0] == 2.0
        restarted.join()


def test_kill_nine_leaves_a_store_that_serves_again(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    daemon.stop(signal.SIGKILL)
    assert daemon.socket.exists(), "a stale socket is left"
    daemon.start()
    with daemon.client() as client:
        client.wait("m", timeout=LIMIT_S)
        assert client.predict("m", ROW)["y"][0, 0] == 2.0


def test_sigint_ends_it_too(daemon: DaemonProcess) -> None:
    assert daemon.stop(signal.SIGINT) == 0


def test_a_second_daemon_on_a_live_socket_is_refused(daemon: DaemonProcess, tmp_path: Path) -> None:
    second = run_daemon("--models", daemon.models, "--store", tmp_path / "other", "--socket", daemon.socket)
    assert second.returncode == 1
    assert "another daemon answers" in second.stderr and "Traceback" not in second.stderr
    assert daemon.names() == []


def test_a_second_daemon_on_the_same_store_is_refused(daemon: DaemonProcess, tmp_path: Path) -> None:
    other = tmp_path / "other.sock"
    second = run_daemon("--models", daemon.models, "--store", daemon.store, "--socket", other)
    assert second.returncode == 1
    assert f"in use by process {daemon.process.pid if daemon.process else 0}" in second.stderr
    assert not other.exists()


def test_the_socket_has_its_mode(daemon: DaemonProcess) -> None:
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--models", "{here}/none/models"), "the model folder {here}/none/models is not there"),
        (("--config", "{here}/none/config.toml"), "cannot read {here}/none/config.toml"),
        (("--socket", "/tmp/" + "x" * 120), "Linux allows 107"),
        (("--socket", "{here}/none/s"), "is not there"),
        (("--nonsense",), "No such option"),
    ],
)
def test_a_start_that_cannot_be_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "models").mkdir()
    places = ("--models", str(tmp_path / "models"), "--store", str(tmp_path / "store"))
    done = run_daemon(*places, *(argument.format(here=tmp_path) for argument in arguments))
    assert done.returncode == 2
    assert says.format(here=tmp_path) in done.stderr and "Traceback" not in done.stderr


def test_an_unknown_key_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[limits]\nmax_conections = 5\n")
    (tmp_path / "models").mkdir()
    done = run_daemon("--config", config, "--models", tmp_path / "models", "--check")
    assert done.returncode == 2
    assert "limits.max_conections is not known" in done.stderr and "limits.max_connections" in done.stderr


def test_check_says_what_the_configuration_comes_to(tmp_path: Path) -> None:
    done = run_daemon("--models", tmp_path, "--check", MMDAEMON_LIMITS_MAX_QUEUE="77")
    assert done.returncode == 0
    assert "max_queue = 77" in done.stdout and f'models = "{tmp_path}"' in done.stdout


def test_systemd_hears_ready_reloading_stopping_and_the_watchdog(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(address))
        listening.settimeout(LIMIT_S)
        environment = {**QUICK, "NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "400000"}
        daemon = DaemonProcess(tmp_path, environment=environment)
        daemon.drop("m.tflite", tiny.add_constant(1))
        heard: list[str] = []

        def hear(what: str) -> str:
            while True:
                heard.append(listening.recv(4096).decode())
                if what in heard[-1]:
                    return heard[-1]

        try:
            daemon.start()
            assert "STATUS=1 ready" in hear("READY=1")
            hear("WATCHDOG=1")
            assert daemon.process is not None
            daemon.process.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in hear("RELOADING=1")
            hear("READY=1")
            assert daemon.stop() == 0
            hear("STOPPING=1")
        finally:
            daemon.kill()


def test_a_socket_passed_by_systemd_is_served_and_left_in_place(tmp_path: Path) -> None:
    path = tmp_path / "s"
    models = tmp_path / "models"
    models.mkdir()
    (models / "m.tflite").write_bytes(tiny.add_constant(1))
    starter = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True); "
        "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}; os.execv(sys.argv[2], sys.argv[2:])"
    )
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)
        from mmclient import Client

        process = subprocess.Popen(
            [
                *(sys.executable, "-c", starter, str(listening.fileno()), str(BIN / "mmdaemon")),
                *("--models", str(models), "--store", str(tmp_path / "store"), "--socket", str(tmp_path / "unused")),
            ],
            pass_fds=[listening.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            with Client(str(path)) as client:
                client.wait("m", timeout=LIMIT_S)
                assert client.predict("m", ROW)["y"][0, 0] == 2.0
            process.terminate()
            assert process.wait(LIMIT_S) == 0
            assert path.exists() and not (tmp_path / "unused").exists()
        finally:
            process.kill()
            process.wait()


def test_a_second_signal_forces_the_end(tmp_path: Path) -> None:
    """A client that never reads keeps the drain from ending; the second signal does not wait for it."""
    daemon = DaemonProcess(tmp_path, environment=QUICK)
    try:
        daemon.start()
        daemon.deploy("m", tiny.add_constant(1, width=32768))
        from rig.listener import Client as RawClient

        stuck = RawClient(daemon.socket)
        handle = stuck.open("m")
        for _ in range(40):  # 5 MB of replies, more than the kernel holds for it
            stuck.infer(handle, bytes(4 * 32768))
        assert daemon.process is not None
        with daemon.client() as client:
            wait_for("it computed them", lambda: client.ps()["models"][0]["requests"] >= 40)
        daemon.process.terminate()
        wait_for("it drains", lambda: "draining" in daemon.text())
        assert daemon.stop() == 1
        assert "second signal" in daemon.text()
        stuck.close()
    finally:
        daemon.kill()
