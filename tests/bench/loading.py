"""What starting, loading and one command cost."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tests.bench.daemon import BIN, INSTALLED, Daemon, daemon
from tests.bench.models import many_models, measured_models

from mmclient import Client

_PLAIN = """
import sys
from ai_edge_litert.interpreter import Interpreter
for path in sys.argv[1:]:
    Interpreter(model_path=path, num_threads=1).allocate_tensors()
"""
ROUNDS = 5


def report() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as text:
        _report_idle(Path(text))
    with tempfile.TemporaryDirectory() as text:
        _report_drop(Path(text))
    with tempfile.TemporaryDirectory() as text:
        _report_start(Path(text))


def _line(what: str, value: str) -> None:
    print(f"{what:58} {value}")


def _report_idle(folder: Path) -> None:
    with daemon(folder) as running:
        _line("resident memory with no model", f"{running.rss_mb:.1f} MB")
        models = measured_models(folder)
        tiny = models["4 us"]
        (running.models / tiny.name).write_bytes(tiny.read_bytes())
        with Client(str(running.socket)) as client:
            shape = client.wait(tiny.stem, timeout=60)["signatures"][0]["inputs"][0]
        _line("  the probe's helper apart", f"{running.helper_rss_mb:.1f} MB")
        row = folder / "row.npy"
        np.save(row, np.zeros([1 if dim == -1 else dim for dim in shape["shape"]], shape["dtype"]))
        command = [BIN / "mmctl", "--socket", running.socket, "predict", tiny.stem, "-i", row]
        taken: list[float] = []
        for _ in range(2 * ROUNDS):
            before = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=INSTALLED)
            taken.append((time.perf_counter() - before) * 1e3)
        _line("mmctl predict of one row, whole process, p50", f"{statistics.median(taken):.0f} ms")


def _report_drop(folder: Path) -> None:
    source = measured_models(folder)["1 ms and more"].read_bytes()
    taken: list[float] = []
    with daemon(folder) as running, Client(str(running.socket)) as client:
        for number in range(2 * ROUNDS + 1):
            part = running.models / "dropped.tflite.part"
            part.write_bytes(source + bytes(number + 1))  # other bytes, the same model
            before = time.perf_counter()
            part.rename(running.models / "dropped.tflite")
            version = client.wait("dropped", version=number + 1, timeout=60)
            spec = version["signatures"][0]["inputs"][0]
            client.predict("dropped", np.zeros([1, *spec["shape"][1:]], spec["dtype"]))
            taken.append((time.perf_counter() - before) * 1e3)
    _line(
        f"{len(source) / 1e6:.0f} MB renamed into the folder -> first answer, p50", f"{statistics.median(taken):.0f} ms"
    )


def _report_start(folder: Path) -> None:
    (folder / "models").mkdir()
    paths = many_models(folder / "models", 20)
    plain: list[float] = []
    cold: list[float] = []
    known: list[float] = []
    for number in range(ROUNDS):
        before = time.perf_counter()
        subprocess.run([sys.executable, "-c", _PLAIN, *map(str, paths)], check=True, capture_output=True, env=INSTALLED)
        plain.append(time.perf_counter() - before)
        running = Daemon(folder)
        running.store = folder / f"store{number}"
        for seen in (cold, known):
            running.start(len(paths))
            seen.append(running.ready_s)
            running.stop()
    base = statistics.median(plain)
    _line("20 models loaded by a plain script", f"{base * 1e3:.0f} ms")
    _line("20 models to READY, cold", f"{statistics.median(cold) * 1e3:.0f} ms, {statistics.median(cold) / base:.2f} x")
    _line(
        "20 models to READY, verdicts known",
        f"{statistics.median(known) * 1e3:.0f} ms, {statistics.median(known) / base:.2f} x",
    )
