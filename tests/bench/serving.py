"""What serving costs over a bare socket and a bare interpreter."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from tests.bench.daemon import daemon
from tests.bench.lean import Load, floor, load
from tests.bench.models import measured_models

from mmclient import Client
from mmdaemon.runtime.interface import Instance, Traits
from mmdaemon.runtime.tflite.litert import LiteRt

SECONDS = 2.0
ROUNDS = 3
TURN_S = 0.4
TURNS = 7


def _beside_floor(socket: Path, model: str, size: int) -> tuple[float, float, Load]:
    """Return the floor's p50, the daemon's p50 over it, and what one client saw: medians of short turns.

    How fast an idle core wakes changes from second to second on a shared machine, and is most of either figure.
    """
    turns = [(floor(size, TURN_S), load(socket, model, 1, TURN_S)) for _ in range(TURNS)]
    bare = [ping.p50_us if ping is not None else float("nan") for ping, _ in turns]
    ratios = [one.p50_us / floor_us for floor_us, (_, one) in zip(bare, turns, strict=True)]
    columns = zip(*(one for _, one in turns), strict=True)
    return statistics.median(bare), statistics.median(ratios), Load(*map(statistics.median, columns))


def invoke_us(instance: Instance) -> float:
    """Return the p50 of the runtime alone, in this process, in microseconds."""
    name, spec = next(iter(instance.signatures.items()))
    payload = bytes(sum(tensor.row_bytes for tensor in spec.inputs))
    taken: list[float] = []
    end = time.perf_counter() + SECONDS / 2
    while time.perf_counter() < end:
        before = time.perf_counter()
        instance.run(name, payload, 1, None, lambda: None)
        taken.append(time.perf_counter() - before)
    return statistics.median(taken) * 1e6


def raw_rps(path: Path, threads: int) -> float:
    """Return what raw interpreters do in as many threads of one process, in invocations per second."""
    runtime = LiteRt()
    counts = [0] * threads
    end = time.perf_counter() + SECONDS

    def run(number: int, instance: Instance) -> None:
        name, spec = next(iter(instance.signatures.items()))
        payload = bytes(sum(tensor.row_bytes for tensor in spec.inputs))
        while time.perf_counter() < end:
            instance.run(name, payload, 1, None, lambda: None)
            counts[number] += 1

    workers = [
        threading.Thread(target=run, args=(number, runtime.load(str(path), 1, Traits()))) for number in range(threads)
    ]
    end = time.perf_counter() + SECONDS
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / SECONDS


def client_us(socket: Path, model: str) -> float:
    """Return the p50 of the client library's ``predict`` in microseconds."""
    with Client(str(socket)) as client:
        spec = client.show(model)["signatures"][0]["inputs"][0]
        row = np.zeros([1 if dim == -1 else dim for dim in spec["shape"]], spec["dtype"])
        taken: list[float] = []
        end = time.perf_counter() + SECONDS / 2
        while time.perf_counter() < end:
            before = time.perf_counter()
            client.predict(model, row)
            taken.append(time.perf_counter() - before)
    return statistics.median(taken) * 1e6


def report() -> None:
    """Measure and print."""
    runtime = LiteRt()
    print(f"{'model':14} {'invoke':>8} {'C floor':>8} | {'p50 us':>8} {'p99 us':>8} {'rps':>8} ", end="")
    print(f"{'2: rps':>8} {'4: rps':>8} {'4: p99':>8} | {'Client':>8} | {'p50/floor':>9} {'2: rps/raw':>10}")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        models = measured_models(folder)
        with daemon(folder) as running:
            for cost, path in models.items():
                shutil.copy(path, running.models / path.name)
                with Client(str(running.socket)) as client:
                    client.wait(path.stem, timeout=60)
                _report_model(running.socket, runtime, cost, path)


def _report_model(socket: Path, runtime: LiteRt, cost: str, path: Path) -> None:
    instance = runtime.load(str(path), 1, Traits())
    spec = next(iter(instance.signatures.values()))
    size = sum(tensor.row_bytes for tensor in spec.inputs)
    rows: list[list[float]] = []
    for _ in range(ROUNDS):
        floor_us, ratio, one = _beside_floor(socket, path.stem, size)
        two, four = (load(socket, path.stem, clients, SECONDS) for clients in (2, 4))
        raw = raw_rps(path, 2)
        invoke, client = invoke_us(instance), client_us(socket, path.stem)
        rows.append(
            [
                *(invoke, floor_us, one.p50_us, one.p99_us, one.rps, two.rps, four.rps, four.p99_us, client),
                *(ratio, two.rps / raw),
            ]
        )
    middle = [statistics.median(column) for column in zip(*rows, strict=True)]
    print(
        f"{cost:14} {middle[0]:8.1f} {middle[1]:8.1f} | {middle[2]:8.1f} {middle[3]:8.1f} {middle[4]:8.0f} "
        f"{middle[5]:8.0f} {middle[6]:8.0f} {middle[7]:8.1f} | {middle[8]:8.1f} | {middle[9]:9.2f} {middle[10]:10.2f}"
    )
