"""Swaps under load: every accepted request is answered, by one version, and versions never go back."""

from __future__ import annotations

import os
import threading

import numpy as np

from rig import tiny_tflite as tiny
from rig.daemon_process import DaemonProcess
from rig.waiting import LIMIT_S

SWAPS = 2_000 if os.environ.get("MM_SOAK") else 25
CLIENTS = 4
ROWS = 3
BAD_EVERY = 10


class Caller(threading.Thread):
    """Calls without a pause; each answer must be of one version, and never of an older one than before."""

    def __init__(self, daemon: DaemonProcess, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.answers = 0
        self.versions: set[int] = set()
        self.failure = ""
        self._daemon = daemon
        self._is_stopping = stop

    def run(self) -> None:
        rows = np.zeros((ROWS, 4), np.float32)
        newest = 0
        try:
            with self._daemon.client() as client:
                while not self._is_stopping.is_set():
                    values = set(client.predict("m", rows)["y"].ravel().tolist())
                    assert len(values) == 1, f"a mixed answer: {values}"
                    value = int(values.pop())
                    assert value >= newest, f"version {value} answered after {newest}"
                    newest = value
                    self.versions.add(value)
                    self.answers += 1
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"


def test_swaps_under_load_lose_nothing_and_never_go_back(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.add_constant(1))
    stop = threading.Event()
    callers = [Caller(daemon, stop) for _ in range(CLIENTS)]
    for caller in callers:
        caller.start()
    value = number = 1
    with daemon.client() as client:
        for swap in range(SWAPS):
            number += 1
            if swap % BAD_EVERY == BAD_EVERY - 1:
                daemon.drop("m.tflite", b"poison" * (swap + 1))
                continue
            value += 1
            daemon.drop("m.tflite", tiny.add_constant(value))
            number = client.wait("m", timeout=LIMIT_S)["version"]
    stop.set()
    for caller in callers:
        caller.join(LIMIT_S)
    assert [caller.failure for caller in callers] == [""] * CLIENTS
    assert all(caller.answers > SWAPS for caller in callers)
    assert max(max(caller.versions) for caller in callers) == value
    assert len(set().union(*(caller.versions for caller in callers))) > SWAPS // 2, "the swaps were seen"


def test_new_tensor_specs_are_taken_up_by_a_client_that_holds_the_old_ones(daemon: DaemonProcess) -> None:
    daemon.deploy("m", tiny.quantized(scale=0.5, zero_point=10))
    with daemon.client() as client:
        x = np.float32([[1, 2, 3, 4]])
        before = client.predict("m", x)["y"]
        assert before.tolist() == [[12, 14, 16, 18]]
        daemon.deploy("m", tiny.quantized(scale=0.25, zero_point=-5), version=2)
        after = client.predict("m", x)["y"]
        assert after.tolist() == [[-1, 3, 7, 11]]
        assert client.predict("m", x, dequantize=True)["y"].tolist() == x.tolist()
