"""A client without comfort: one connection, prepared bytes, nothing checked. Measures the daemon, not our client."""

from __future__ import annotations

import multiprocessing
import socket
import statistics
import time
from pathlib import Path
from typing import NamedTuple

from mmwire import message
from mmwire.connection import Connection, Role
from mmwire.frame import HEADER_BYTES, Frame, Limits
from mmwire.message import Hello, Open

_RESULT_META_BYTES = 20


class Load(NamedTuple):
    """What some clients saw: requests per second over all, latencies of one in microseconds."""

    rps: float
    p50_us: float
    p99_us: float


class LeanClient:
    """One connection with one opened model."""

    def __init__(self, path: Path, model: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self._wire = Connection(Role.CLIENT, Limits())
        self._ask(message.hello(Hello("lean", 1 << 16, 1 << 26)))
        opened = self._ask(message.open_model(1, Open(model)))
        self._handle = opened.handle
        spec = message.read_opened(opened).spec
        self._payload = bytes(sum(tensor.row_bytes for tensor in spec.inputs))
        self.answer_bytes = HEADER_BYTES + _RESULT_META_BYTES + sum(tensor.row_bytes for tensor in spec.outputs)
        self._buffer = bytearray(max(1 << 16, self.answer_bytes))
        self._sent = 1

    def request(self) -> bytes:
        """Return the next request's bytes."""
        self._sent += 1
        return message.infer_head(self._handle, self._sent, len(self._payload), 30_000_000) + self._payload

    def call(self) -> None:
        """Send one request and read its answer."""
        self.sock.sendall(self.request())
        self.read_answers(1)

    def read_answers(self, count: int) -> None:
        """Read so many answers."""
        left = count * self.answer_bytes
        while left > 0:
            got = self.sock.recv_into(self._buffer, min(left, len(self._buffer)))
            if not got:
                raise ConnectionError("the server closed the connection")
            left -= got

    def _ask(self, frame: Frame) -> Frame:
        self.sock.sendall(frame.to_bytes())
        while True:
            frames = self._wire.feed(self.sock.recv(1 << 16))
            if frames:
                return frames[0]


def _client(path: Path, model: str, seconds: float, start: object, results: object) -> None:
    client = LeanClient(path, model)
    for _ in range(50):
        client.call()
    start.wait()  # type: ignore[attr-defined]
    taken: list[int] = []
    end = time.perf_counter_ns() + int(seconds * 1e9)
    now = time.perf_counter_ns()
    while now < end:
        before = now
        client.call()
        now = time.perf_counter_ns()
        taken.append(now - before)
    results.put(taken)  # type: ignore[attr-defined]


def load(path: Path, model: str, clients: int, seconds: float) -> Load:
    """Let some clients call one after the other for a while, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(clients + 1)
    results = context.Queue()
    processes = [context.Process(target=_client, args=(path, model, seconds, start, results)) for _ in range(clients)]
    for process in processes:
        process.start()
    start.wait()
    taken = [results.get() for _ in processes]
    for process in processes:
        process.join()
    everything = sorted(value for values in taken for value in values)
    return Load(
        len(everything) / seconds,
        statistics.median(everything) / 1e3,
        everything[int(len(everything) * 0.99)] / 1e3,
    )
