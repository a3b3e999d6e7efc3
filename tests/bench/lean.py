"""Load without a client of ours: prepared bytes, sent by C processes where there is a compiler, by Python elsewhere."""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mmwire import message
from mmwire.connection import Connection, Role
from mmwire.frame import HEADER_BYTES, Frame, FrameLimits
from mmwire.message import Hello, Open

_RESULT_META_BYTES = 20
_PATIENCE_US = 30_000_000


class Load(NamedTuple):
    """What some clients saw: requests per second over all, latencies of one in microseconds."""

    rps: float
    p50_us: float
    p99_us: float


class LeanClient:
    """One connection with one opened model; nothing is checked."""

    def __init__(self, path: Path, model: str, deadline_us: int = _PATIENCE_US) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self._wire = Connection(Role.CLIENT, FrameLimits())
        hello, ask = message.hello(Hello("lean", 1 << 16, 1 << 26)), message.open_model(1, Open(model))
        self.greeting = hello.to_bytes() + ask.to_bytes()
        greeted = self._ask(hello), self._ask(ask)
        self.greeted_bytes = sum(len(frame.to_bytes()) for frame in greeted)
        spec = message.read_opened(greeted[1]).spec
        payload = bytes(sum(tensor.row_bytes for tensor in spec.inputs))
        self.request = message.infer_head(greeted[1].handle, 2, len(payload), deadline_us) + payload
        self.answer_bytes = HEADER_BYTES + _RESULT_META_BYTES + sum(tensor.row_bytes for tensor in spec.outputs)
        self._buffer = bytearray(max(1 << 16, self.answer_bytes))

    def call(self) -> None:
        """Send one request and read its answer."""
        self.sock.sendall(self.request)
        left = self.answer_bytes
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


def program(name: str) -> Path | None:
    """Return a C program of this folder, built once; None without a compiler."""
    source = Path(__file__).with_name(f"{name}.c")
    built = Path(tempfile.gettempdir()) / f"mmdaemon-bench-{name}"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        subprocess.run([compiler, "-O2", "-o", built, source], check=True)
    return built


def floor(payload_bytes: int, seconds: float) -> Load | None:
    """Return a C ping-pong over a Unix socket; None without a compiler."""
    binary = program("floor")
    if binary is None:
        return None
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        path, greeting, request = folder / "s", folder / "greeting", folder / "request"
        greeting.write_bytes(b"")
        request.write_bytes(bytes(payload_bytes))
        with subprocess.Popen([binary, "serve", path, str(payload_bytes)], stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            server.stdout.readline()
            asking = [binary, "ask", path, greeting, request, "0", str(payload_bytes), str(seconds)]
            return _load_of(_run([asking]), seconds)


def load(path: Path, model: str, clients: int, seconds: float) -> Load:
    """Let some clients call one after the other for a while, each in a process of its own."""
    return _load_of(latencies_us(path, model, clients, seconds), seconds)


def latencies_us(path: Path, model: str, clients: int, seconds: float) -> list[float]:
    """Return how long each call of such clients took."""
    client = LeanClient(path, model)
    for _ in range(50):
        client.call()
    client.sock.close()
    with tempfile.TemporaryDirectory() as text:
        greeting, request = Path(text) / "greeting", Path(text) / "request"
        greeting.write_bytes(client.greeting)
        request.write_bytes(client.request)
        sizes = [str(client.greeted_bytes), str(client.answer_bytes)]
        command: list[object] = [program("floor"), "ask", path, greeting, request, *sizes, str(seconds)]
        if command[0] is None:
            command = [sys.executable, "-m", "tests.bench.lean", path, model, str(seconds)]
        return _run([command] * clients)


def _load_of(taken_us: list[float], seconds: float) -> Load:
    """Put together what clients saw."""
    return Load(len(taken_us) / seconds, statistics.median(taken_us), sorted(taken_us)[int(len(taken_us) * 0.99)])


def _run(commands: Iterable[Iterable[object]]) -> list[float]:
    """Run clients; return how long each call took, in microseconds."""
    return [int(line) / 1e3 for line in start_together(commands)]


def start_together(commands: Iterable[Iterable[object]]) -> list[str]:
    """Start clients, let them go at the same moment, and return the lines that they print at their end."""
    pipe = subprocess.PIPE
    processes = [subprocess.Popen([str(word) for word in words], stdin=pipe, stdout=pipe) for words in commands]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    return [line for process in processes for line in process.communicate()[0].decode().splitlines()]


def main() -> None:
    """Be one client, as ``floor ask`` is."""
    client, seconds = LeanClient(Path(sys.argv[1]), sys.argv[2]), float(sys.argv[3])
    print("ready", flush=True)
    sys.stdin.readline()
    taken: list[int] = []
    now = time.perf_counter_ns()
    end = now + int(seconds * 1e9)
    while now < end:
        before = now
        client.call()
        now = time.perf_counter_ns()
        taken.append(now - before)
    print("\n".join(map(str, taken)))


if __name__ == "__main__":
    main()
