"""``make bench-tensorflow``: a SavedModel through the daemon beside the same call in a plain TensorFlow process.

Figures are for comparing within a run. The plain process asks for the same rows in turns with the client, so that what
else the box does hits both.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.bench.daemon import BIN, INSTALLED

from mmclient import Client
from rig import tiny_tflite as tiny

ROUNDS = 9
CALLS = 12
STARTS_S = 12.0
# name: rows of the input, and what the model does to them.
MODELS = {"5ms": ((1, 160, 160, 3), 112), "20ms": ((1, 256, 256, 3), 128), "1MB": ((1, 296, 296, 3), 48)}


def make(folder: Path) -> None:
    """Make the SavedModels; in a process of its own."""
    import tensorflow as tf

    class Net(tf.Module):
        def __init__(self, shape: tuple[int, ...], filters: int) -> None:
            super().__init__()
            self.kernels = [tf.Variable(tf.random.normal([3, 3, 3, filters]) * 0.1)]
            self.kernels += [tf.Variable(tf.random.normal([3, 3, filters, filters]) * 0.05) for _ in range(3)]
            spec = tf.TensorSpec((None, *shape[1:]), tf.float32, name="x")
            self.call = tf.function(self._call, input_signature=[spec])

        def _call(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            for number, kernel in enumerate(self.kernels):
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2 if number else 1, "SAME"))
            return {"y": tf.reduce_mean(x, [1, 2])}

    for name, (shape, filters) in MODELS.items():
        net = Net(shape, filters)
        tf.saved_model.save(net, str(folder / name), signatures=net.call.get_concrete_function())


def plain(folder: Path) -> None:
    """Be the plain TensorFlow process: for each line ``NAME`` say how many microseconds each of some calls took."""
    import tensorflow as tf

    loaded = {name: tf.saved_model.load(str(folder / name)) for name in MODELS}
    inputs = {name: np.random.default_rng(0).random(shape, np.float32) for name, (shape, _) in MODELS.items()}
    for line in sys.stdin:
        function = loaded[line.strip()].signatures["serving_default"]
        x = inputs[line.strip()]
        took = []
        for _ in range(CALLS):
            began = time.perf_counter()
            function(x=tf.constant(x))["y"].numpy()
            took.append((time.perf_counter() - began) * 1e6)
        print(statistics.median(took), flush=True)


def _quiet(command: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.full_tensorflow", command, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _calls(client: Client, name: str, x: NDArray[np.float32]) -> float:
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        client.predict(name, x)
        took.append((time.perf_counter() - began) * 1e6)
    return statistics.median(took)


def _latencies(socket: Path, until: Callable[[], bool]) -> list[float]:
    x = np.ones((1, 4), np.float32)
    took = []
    with Client(str(socket)) as client:
        while not until():
            began = time.perf_counter()
            client.predict("tiny", x)
            took.append((time.perf_counter() - began) * 1e6)
            time.sleep(0.001)  # a device that asks a thousand times a second
    return sorted(took)


def _tail(took: list[float]) -> str:
    return f"p50 {took[len(took) // 2]:.0f} us, p99 {took[len(took) * 99 // 100]:.0f} us, worst {took[-1] / 1e3:.1f} ms"


def report() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        saved, models, socket = folder / "saved", folder / "models", folder / "s"
        saved.mkdir()
        models.mkdir()
        maker = _quiet("make", saved)
        assert maker.wait() == 0
        daemon = subprocess.Popen(
            [BIN / "mmdaemon", "--models", models, "--store", folder / "store", "--socket", socket],
            stderr=subprocess.DEVNULL,
            env={**INSTALLED, "MMDAEMON_MODELS_TENSORFLOW": "always"},
        )
        try:
            with Client(str(socket), timeout=120) as client:
                while not socket.exists():
                    time.sleep(0.01)
                client.status()
                _measure(client, daemon.pid, saved, models, socket)
        finally:
            daemon.terminate()
            daemon.wait()


def _drop(saved: Path, models: Path, name: str) -> None:
    shutil.copytree(saved / name, models / f".{name}.part")
    (models / f".{name}.part").rename(models / name)


def _measure(client: Client, pid: int, saved: Path, models: Path, socket: Path) -> None:
    (models / ".tiny.part").write_bytes(tiny.add_constant(1))
    (models / ".tiny.part").rename(models / "tiny.tflite")
    client.wait("tiny", timeout=60)
    before_mb = _rss_mb(pid)
    quiet_end = time.monotonic() + STARTS_S / 3
    quiet = _latencies(socket, lambda: time.monotonic() > quiet_end)
    found: list[list[float]] = []
    is_done = threading.Event()
    asking = threading.Thread(target=lambda: found.append(_latencies(socket, is_done.is_set)))
    asking.start()
    began = time.perf_counter()
    _drop(saved, models, "5ms")
    client.wait("5ms", timeout=120)
    start_s = time.perf_counter() - began
    is_done.set()
    asking.join()
    print(f"another model, quiet                     {_tail(quiet)}")
    print(f"another model, a TensorFlow child starts {_tail(found[0])}")
    for name in MODELS:
        if name != "5ms":
            _drop(saved, models, name)
            client.wait(name, timeout=120)
    print(f"daemon's memory: {before_mb:.1f} MB, with {len(MODELS)} TensorFlow models {_rss_mb(pid):.1f} MB")
    _compare(client, saved)
    [child] = [model["pids"] for model in client.ps()["models"] if model["name"] == "5ms"]
    x = np.random.default_rng(0).random(MODELS["5ms"][0], np.float32)
    again: list[float] = []
    for _ in range(3):
        [child] = [model["pids"] for model in client.ps()["models"] if model["name"] == "5ms"]
        began = time.perf_counter()
        os.kill(child[0], signal.SIGKILL)
        while True:
            try:
                client.predict("5ms", x)
                break
            except Exception as error:
                assert getattr(error, "retryable", False), error
        again.append(time.perf_counter() - began)
        client.predict("tiny", np.ones((1, 4), np.float32))
    median_s = statistics.median(again)
    print(f"drop -> serves {start_s:.2f} s (5 s of it settling); killed -> next answer {median_s:.2f} s", end="")
    print(f", {median_s / (start_s - 5):.2f} of that start without settling")


def _compare(client: Client, saved: Path) -> None:
    beside = _quiet("plain", saved)
    assert beside.stdin is not None and beside.stdout is not None
    try:
        for name, (shape, _) in MODELS.items():
            x = np.random.default_rng(0).random(shape, np.float32)
            ratios, ours_us, plain_us = [], [], []
            for number in range(ROUNDS + 1):
                ours = _calls(client, name, x)
                print(name, file=beside.stdin, flush=True)
                theirs = float(beside.stdout.readline())
                if number:  # the first one warms up
                    ours_us.append(ours)
                    plain_us.append(theirs)
                    ratios.append(ours / theirs)
            print(
                f"{name}: {x.nbytes / 1e3:.0f} KB in; daemon {statistics.median(ours_us) / 1e3:.2f} ms, plain process "
                f"{statistics.median(plain_us) / 1e3:.2f} ms, ratio {statistics.median(ratios):.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )
    finally:
        beside.stdin.close()
        beside.wait()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"make": make, "plain": plain}[sys.argv[1]](Path(sys.argv[2]))
    else:
        report()
