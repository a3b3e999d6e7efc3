"""The pause that a swap makes: one client's requests while its model is replaced, beside the same without a swap."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path

from tests.bench.daemon import Daemon, daemon
from tests.bench.lean import latencies_us
from tests.bench.models import measured_models

from mmclient import Client

ROUNDS = 7
SECONDS = 1.5
SWAP_AFTER_S = 0.5


def report() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as text:
        _report(Path(text))


def _report(folder: Path) -> None:
    source = measured_models(folder)["1 ms and more"].read_bytes()
    seen: dict[str, list[list[float]]] = {"without a swap": [], "with a swap in the middle": []}
    with daemon(folder) as running, Client(str(running.socket)) as client:
        _put(running, source)
        client.wait("swapped", timeout=60)
        for number in range(ROUNDS):
            for name, rounds in seen.items():
                data = source + bytes(number + 1) if name.startswith("with a") else b""  # other bytes, the same model
                taken_ms = [taken / 1e3 for taken in _round(running, client, data)]
                rounds.append(_figures(taken_ms))
    print(f"one client of a model of {len(source) / 1e6:.0f} MB; milliseconds; medians of {ROUNDS} rounds in turns")
    print(f"{'':26} {'p50':>8} {'p99':>8} {'longest':>8} {'longest of all':>15}")
    for name, rounds in seen.items():
        p50, p99, longest = map(statistics.median, zip(*rounds, strict=True))
        print(f"{name:26} {p50:8.2f} {p99:8.2f} {longest:8.2f} {max(figures[2] for figures in rounds):15.2f}")


def _put(running: Daemon, data: bytes) -> None:
    part = running.models / "swapped.tflite.part"
    part.write_bytes(data)
    part.rename(running.models / "swapped.tflite")


def _round(running: Daemon, client: Client, data: bytes) -> list[float]:
    """Return the latencies of one client in microseconds; swap the model in the middle, if there is data."""
    taken: list[float] = []
    asking = threading.Thread(target=lambda: taken.extend(latencies_us(running.socket, "swapped", 1, SECONDS)))
    asking.start()
    if data:
        before = client.show("swapped")["version"]
        time.sleep(SWAP_AFTER_S)
        _put(running, data)
        client.wait("swapped", version=before + 1, timeout=60)
        assert asking.is_alive(), "the swap was to end while the client asks"
    asking.join()
    return taken


def _figures(taken_ms: list[float]) -> list[float]:
    ordered = sorted(taken_ms)
    return [statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1]]


if __name__ == "__main__":
    report()
