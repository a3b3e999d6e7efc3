"""How long a served model's clients wait while others load in the same process: docs/decisions/0002.

Run: ``python -m tests.bench.load_stall``. A tiny model is asked back to back by one client while a 4 MB and a 100 MB
model are loaded once a second each through the ``Runtime`` protocol. The longest answer is the longest stall.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.lean import LeanClient
from tests.bench.listener_shapes import NoVerbs
from tests.bench.models import make

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.listener.handler import Handler
from mmdaemon.listener.loop import ClientLimits, Loop
from mmdaemon.runtime.interface import Traits
from mmdaemon.runtime.tflite.litert import LiteRt
from mmwire.frame import FrameLimits

# Units and layers of float32 dense layers.
SIZES = {"tiny": (48, 1), "4 MB": (1024, 1), "100 MB": (2048, 6)}
ROUND_S = 6.0


def latencies(path: Path) -> list[float]:
    """Return what one client saw in a round, in milliseconds."""
    client = LeanClient(path, "m")
    taken: list[float] = []
    end = time.perf_counter() + ROUND_S
    while time.perf_counter() < end:
        before = time.perf_counter()
        client.call()
        taken.append((time.perf_counter() - before) * 1e3)
    client.sock.close()
    return taken


_CLIENT = "import sys, pathlib, json; from tests.bench.load_stall import latencies; " + (
    "print(json.dumps(latencies(pathlib.Path(sys.argv[1]))))"
)


def measure(path: Path, runtime: LiteRt, model: Path | None) -> tuple[list[float], list[float]]:
    """Return the latencies of one round and how long each load took, in milliseconds."""
    process = subprocess.Popen([sys.executable, "-c", _CLIENT, str(path)], stdout=subprocess.PIPE)
    loads: list[float] = []
    end = time.perf_counter() + ROUND_S + 0.5
    while time.perf_counter() < end:
        if model is not None:
            before = time.perf_counter()
            runtime.load(str(model), 1, Traits()).close()
            loads.append((time.perf_counter() - before) * 1e3)
        time.sleep(1.0)
    assert process.stdout is not None
    return json.loads(process.stdout.read()), loads


def main() -> None:
    runtime = LiteRt()
    with tempfile.TemporaryDirectory() as text, socket.socket(socket.AF_UNIX) as listening:
        folder = Path(text)
        models = {name: make(folder / f"{name}.tflite", *size) for name, size in SIZES.items()}
        instance = runtime.load(str(models["tiny"]), 1, Traits())
        dispatcher = Dispatcher(2, 1024, 1 << 28, lambda *_: None, lambda _: None)
        with dispatcher.scheduler() as scheduler:
            scheduler.publish(Deployment("m", 1, instance.signatures, 1, 1, [instance]))
        path = folder / "s"
        listening.bind(str(path))
        listening.listen(8)
        listening.setblocking(False)
        loop = Loop(
            listening,
            dispatcher,
            Handler(dispatcher, NoVerbs(), FrameLimits(), "bench"),
            ClientLimits(FrameLimits(), 8, 1 << 23, 30.0),
            2,
        )
        dispatcher.start(loop.wake)
        loop.start()
        print(f"{'beside':10} {'p50 ms':>8} {'p99.9 ms':>9} {'longest ms':>11} {'a load ms':>10}")
        for name, model in {"nothing": None, "4 MB": models["4 MB"], "100 MB": models["100 MB"]}.items():
            taken, loads = measure(path, runtime, model)
            taken.sort()
            load_ms = statistics.median(loads) if loads else 0.0
            print(
                f"{name:10} {statistics.median(taken):8.3f} {taken[int(len(taken) * 0.999)]:9.2f} "
                f"{taken[-1]:11.1f} {load_ms:10.1f}"
            )
        loop.stop(True)
        dispatcher.stop()


if __name__ == "__main__":
    main()
