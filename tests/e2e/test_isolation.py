"""LiteRT models in processes of their own, which may die without harm to others."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from mmclient import Client
from mmwire.errors import MmError
from rig import tiny_tflite as tiny
from rig.daemon_process import QUICK, DaemonProcess
from rig.waiting import LIMIT_S, wait_for

ROW = np.ones((1, 4), np.float32)
FOR_EVER = np.float32([1e9])


def publish(daemon: DaemonProcess, name: str, model: bytes, options: str = 'isolation = "process"\n') -> None:
    (daemon.models / f"{name}.toml").write_text(options)
    daemon.deploy(name, model)


def pids(client: Client, name: str) -> list[int]:
    [found] = [model["pids"] for model in client.ps()["models"] if model["name"] == name]
    return list(found)


def test_it_answers_from_a_process_of_its_own(daemon: DaemonProcess) -> None:
    publish(daemon, "a", tiny.add_constant(1))
    publish(daemon, "b", tiny.add_constant(2), "")
    with daemon.client() as client:
        assert np.array_equal(client.predict("a", ROW)["y"], ROW + 1)
        assert np.array_equal(client.predict("a", np.repeat(ROW, 100, axis=0))["y"], np.repeat(ROW, 100, axis=0) + 1)
        [pid] = pids(client, "a")
        assert Path(f"/proc/{pid}").exists() and pids(client, "b") == []
        document = client.show("a")
        assert document["options"]["isolation"] == "process" and document["runtime"] == "ai-edge-litert"


def test_a_wrong_tensor_is_refused_as_everywhere(daemon: DaemonProcess) -> None:
    publish(daemon, "a", tiny.add_constant(1))
    with daemon.client() as client, pytest.raises(MmError) as caught:
        client.predict("a", np.ones((1, 5), np.float32))
    assert caught.value.code == "BAD_TENSOR"


def test_a_killed_process_is_replaced_and_nobody_else_notices(daemon: DaemonProcess) -> None:
    publish(daemon, "a", tiny.add_constant(1))
    publish(daemon, "b", tiny.add_constant(2), "")
    failures: list[MmError] = []
    stop = threading.Event()

    def others() -> None:
        with daemon.client() as client:
            while not stop.is_set():
                try:
                    client.predict("b", ROW)
                except MmError as error:
                    failures.append(error)

    thread = threading.Thread(target=others)
    thread.start()
    try:
        with daemon.client() as client:
            for _ in range(3):
                assert np.array_equal(client.predict("a", ROW)["y"], ROW + 1)
                [pid] = pids(client, "a")
                os.kill(pid, signal.SIGKILL)
                wait_for("another process serves", lambda killed=pid: pids(client, "a") not in ([killed], []))
    finally:
        stop.set()
        thread.join()
    assert not failures


def test_only_the_request_that_was_being_computed_fails(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, environment=QUICK).start()
    try:
        publish(daemon, "slow", tiny.countdown())
        with daemon.client(timeout=LIMIT_S) as client:
            [pid] = pids(client, "slow")
            failures: list[MmError] = []

            def compute() -> None:
                try:
                    client.predict("slow", FOR_EVER)
                except MmError as error:
                    failures.append(error)

            thread = threading.Thread(target=compute)
            thread.start()
            wait_for("it computes", lambda: client.ps()["workers"]["busy"] == 1)
            os.kill(pid, signal.SIGKILL)
            thread.join(LIMIT_S)
            assert [(error.code, error.retryable) for error in failures] == [("INSTANCE_LOST", True)]
            assert client.predict("slow", np.float32([3])) is not None
    finally:
        daemon.kill()


def test_one_that_computes_too_long_is_ended_and_the_daemon_goes_on(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, environment={**QUICK, "MMDAEMON_LIMITS_MAX_RUN_S": "0.5"}).start()
    try:
        publish(daemon, "slow", tiny.countdown())
        with daemon.client(timeout=LIMIT_S) as client:
            with pytest.raises(MmError) as caught:
                client.predict("slow", FOR_EVER)
            assert caught.value.code == "RUN_TOO_LONG"
            assert client.predict("slow", np.float32([3])) is not None
            wait_for("all is well again", lambda: client.status()["state"] == "ready")
    finally:
        daemon.kill()


def test_what_nobody_uses_is_stopped_and_started_again(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, environment={**QUICK, "MMDAEMON_EXECUTOR_IDLE_S": "0.5"}).start()
    try:
        publish(daemon, "a", tiny.add_constant(1))
        with daemon.client(timeout=LIMIT_S) as client:
            [pid] = pids(client, "a")
            wait_for("it is stopped", lambda: pids(client, "a") == [])
            wait_for("its process is gone", lambda: not Path(f"/proc/{pid}").exists())
            assert client.show("a")["state"] == "ready"
            assert np.array_equal(client.predict("a", ROW)["y"], ROW + 1)
    finally:
        daemon.kill()


def test_no_process_outlives_the_daemon(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, environment=QUICK).start()
    publish(daemon, "a", tiny.add_constant(1))
    with daemon.client() as client:
        [pid] = pids(client, "a")
    daemon.kill()
    wait_for("the process is gone", lambda: not Path(f"/proc/{pid}").exists())
