"""Twice the load that the daemon can answer: what it still answers, and how soon it says no to the rest.

The load is an open loop: requests leave when they are due, answered or not. Times count from then.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.daemon import daemon
from tests.bench.lean import LeanClient, load, program, start_together
from tests.bench.models import make_convolutions
from tests.bench.serving import invoke_us

from mmclient import Client
from mmdaemon.runtime.interface import Traits
from mmdaemon.runtime.tflite.litert import LiteRt

LAYERS = 17  # about 5 ms
CLIENTS = 4
SECONDS = 3.0
WARM_UP_S = 1.0  # until the queue is full
ROUNDS = 3
MAX_QUEUE = 64
DEADLINE_MS = 100.0
FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class Reply:
    """How one request ended; times in milliseconds."""

    code: str
    due_ms: float
    taken_ms: float


def flood(socket: Path, model: str, rate: float, deadline_ms: float) -> list[Reply]:
    """Ask so many times a second from some C processes together; return how each request ended, after the warm-up."""
    client = LeanClient(socket, model, int(deadline_ms * 1000))
    client.sock.close()
    with tempfile.TemporaryDirectory() as text:
        greeting, request = Path(text) / "greeting", Path(text) / "request"
        greeting.write_bytes(client.greeting)
        request.write_bytes(client.request)
        sizes = [str(client.greeted_bytes), str(rate / CLIENTS), str(WARM_UP_S + SECONDS)]
        lines = start_together([[program("flood"), socket, greeting, request, *sizes]] * CLIENTS)
    replies = [Reply(code, int(due) / 1e6, int(taken) / 1e6) for code, due, taken in map(str.split, lines)]
    return [reply for reply in replies if reply.due_ms >= WARM_UP_S * 1e3]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share lies; nan of nothing."""
    return sorted(values)[int(len(values) * share)] if values else float("nan")


def report() -> None:
    """Measure and print."""
    if program("flood") is None:
        print("overload: skipped, no C compiler")
        return
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        path = make_convolutions(folder / "busy.tflite", LAYERS)
        invoke_ms = invoke_us(LiteRt().load(str(path), 1, Traits())) / 1e3
        print(f"{FACTOR:.0f} times the capacity, from {CLIENTS} clients; a model of {invoke_ms:.1f} ms; milliseconds")
        print(f"{'':26} {'peak rps':>8} {'goodput':>8} {'/ peak':>6} | {'answered: p99':>13} ", end="")
        print(f"{'refused':>8} {'p99':>6} | {'late':>6}  {'no reply':>8}")
        _report_queue(folder / "queue", path)
        _report_deadline(folder / "deadline", path)


def _report_queue(folder: Path, path: Path) -> None:
    """A short queue, and clients that would wait: the rest must be refused at once."""
    rounds = _measure(folder, path, {"MMDAEMON_LIMITS_MAX_QUEUE": str(MAX_QUEUE)}, 30_000.0, "QUEUE_FULL", 0.0)
    _print(f"a queue of {MAX_QUEUE}", rounds)


def _report_deadline(folder: Path, path: Path) -> None:
    """The usual queue, and clients that stop waiting: the rest must be refused at the deadline, or earlier."""
    rounds = _measure(folder, path, {}, DEADLINE_MS, "DEADLINE_EXCEEDED", DEADLINE_MS)
    _print(f"a deadline of {DEADLINE_MS:.0f} ms", rounds)


def _measure(
    folder: Path, path: Path, settings: dict[str, str], deadline_ms: float, code: str, due_ms: float
) -> list[list[float]]:
    """Return the figures of each round; a refusal's time counts from ``due_ms`` after its request."""
    folder.mkdir()
    rounds = []
    with daemon(folder, settings=settings) as running:
        (running.models / path.name).write_bytes(path.read_bytes())
        with Client(str(running.socket)) as client:
            client.wait(path.stem, timeout=60)
        for _ in range(ROUNDS):
            peak = load(running.socket, path.stem, CLIENTS, SECONDS).rps
            replies = flood(running.socket, path.stem, FACTOR * peak, deadline_ms)
            answered = [reply.taken_ms for reply in replies if reply.code == "RESULT"]
            refused = [reply.taken_ms - due_ms for reply in replies if reply.code == code]
            others = {reply.code for reply in replies} - {"RESULT", code, "NONE"}
            assert not others, f"nothing else should come: {others}"
            good = [taken for taken in answered if taken <= deadline_ms]
            goodput = len(good) / SECONDS
            rounds.append(
                [
                    *(peak, goodput, goodput / peak, percentile(answered, 0.99)),
                    *(len(refused) / len(replies), percentile(refused, 0.99)),
                    *((len(answered) - len(good)) / len(answered), sum(reply.code == "NONE" for reply in replies)),
                ]
            )
    return rounds


def _print(name: str, rounds: list[list[float]]) -> None:
    peak, goodput, share, answered, refused, refusal, late, lost = map(statistics.median, zip(*rounds, strict=True))
    print(
        f"{name:26} {peak:8.0f} {goodput:8.0f} {share:6.2f} | {answered:13.1f} {refused:8.0%} {refusal:6.2f} | "
        f"{late:6.0%}  {lost:8.0f}"
    )


if __name__ == "__main__":
    report()
