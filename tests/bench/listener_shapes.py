"""Three shapes of a listener beside each other, on a runtime that does nothing: docs/decisions/0001.

Run: ``python -m tests.bench.listener_shapes``. Ours keeps all its rules; the other two have none of them (they block on
their peers, know no deadline and no bound), which flatters them.
"""

from __future__ import annotations

import math
import queue
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from tests.bench.lean import load

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.dispatch.lease import Lease
from mmdaemon.listener.handler import Handler
from mmdaemon.listener.loop import ClientLimits, Loop
from mmdaemon.listener.peer import Peer
from mmwire import message
from mmwire.connection import Connection, Role
from mmwire.frame import Frame, FrameLimits, FrameType
from mmwire.message import Hello, Opened, ResultHead
from mmwire.tensor import SignatureSpec, TensorSpec

ROW = TensorSpec("x", "int8", (-1, 640))
SPEC = SignatureSpec("serving_default", (ROW,), (TensorSpec("y", "int8", (-1, 640)),))
_ZEROS = memoryview(bytes(640))
CORES = 2
CLIENTS = ClientLimits(FrameLimits(), 256, 1 << 23, 30.0)


class FakeAnswer:
    tensors = (_ZEROS,)
    shapes = None


class FakeInstance:
    """Answers at once."""

    signatures: ClassVar = {SPEC.name: SPEC}

    def run(self, *_: Any) -> FakeAnswer:
        return FakeAnswer()

    def close(self) -> None:
        return None


class NoVerbs:
    def withdraw(self, _: Any) -> bool:
        return False

    def start_verb(self, *_: Any) -> None:
        raise AssertionError("no verb is asked here")


def _dispatcher() -> Dispatcher:
    dispatcher = Dispatcher(
        CORES, 1024, 1 << 28, lambda deployment, on_grown: on_grown(deployment, FakeInstance()), lambda _: None
    )
    with dispatcher.scheduler() as scheduler:
        scheduler.publish(Deployment("m", 1, FakeInstance.signatures, 1, CORES, [FakeInstance()]))
    return dispatcher


def leader_and_workers(listening: socket.socket) -> Callable[[], None]:
    """Ours."""
    dispatcher = _dispatcher()
    listening.setblocking(False)
    handler = Handler(dispatcher, NoVerbs(), FrameLimits(), "bench")
    loop = Loop(listening, dispatcher, handler, CLIENTS, CORES)
    dispatcher.start(loop.wake)
    loop.start()

    def stop() -> None:
        loop.stop(True)
        dispatcher.stop()

    return stop


class HandingOver(Handler):
    """Never runs a request on the thread that read it."""

    def on_frame(self, peer: Peer, frame: Frame, may_run: bool) -> Lease | None:
        return super().on_frame(peer, frame, False)


def reader_and_workers(listening: socket.socket) -> Callable[[], None]:
    """Our parts and rules in the other shape: one thread reads, as many as cores run and write."""
    dispatcher = _dispatcher()
    listening.setblocking(False)
    loop = Loop(
        listening,
        dispatcher,
        HandingOver(dispatcher, NoVerbs(), FrameLimits(), "bench"),
        CLIENTS,
        1,
    )
    work = threading.Semaphore(0)
    is_stopping = threading.Event()

    def worker() -> None:
        while not is_stopping.is_set():
            work.acquire()
            dispatcher.work(dispatcher.take())

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(CORES)]
    for thread in threads:
        thread.start()
    dispatcher.start(work.release)
    loop.start()

    def stop() -> None:
        is_stopping.set()
        work.release(CORES)
        loop.stop(True)
        dispatcher.stop()

    return stop


def _answers(frame: Frame) -> bytes:
    if frame.type is FrameType.HELLO:
        return message.hello(Hello("bench", 1 << 16, 1 << 26)).to_bytes()
    if frame.type is FrameType.OPEN:
        return message.opened(frame.request_id, 1, Opened("m", 1, SPEC, 0.0, 255.0)).to_bytes()
    head = message.result_head(frame.request_id, 1, 640, ResultHead(1, 1, 0, 0))
    return b"".join((head, FakeInstance().run().tensors[0]))


def _frames(sock: socket.socket, wire: Connection) -> list[Frame] | None:
    count = sock.recv_into(wire.buffer())
    if not count:
        return None
    wire.received(count)
    frames: list[Frame] = []
    while (frame := wire.next_frame()) is not None:
        frames.append(frame)
    return frames


def thread_per_connection(listening: socket.socket) -> Callable[[], None]:
    """One blocking thread a client."""

    def serve(sock: socket.socket) -> None:
        wire = Connection(Role.SERVER, FrameLimits())
        while (frames := _frames(sock, wire)) is not None:
            for frame in frames:
                sock.sendall(_answers(frame))

    def accept() -> None:
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return lambda: listening.shutdown(socket.SHUT_RDWR)


def loop_and_workers(listening: socket.socket) -> Callable[[], None]:
    """One thread reads for all, as many workers as cores compute and write."""
    work: queue.SimpleQueue[tuple[socket.socket, Frame] | None] = queue.SimpleQueue()
    is_stopping = threading.Event()

    def worker() -> None:
        while (item := work.get()) is not None:
            item[0].sendall(_answers(item[1]))

    def reader() -> None:
        epoll = select.epoll()
        epoll.register(listening.fileno(), select.EPOLLIN)
        peers: dict[int, tuple[socket.socket, Connection]] = {}
        while not is_stopping.is_set():
            for fd, _ in epoll.poll(0.2):
                if fd == listening.fileno():
                    sock, _ = listening.accept()
                    peers[sock.fileno()] = (sock, Connection(Role.SERVER, FrameLimits()))
                    epoll.register(sock.fileno(), select.EPOLLIN)
                    continue
                frames = _frames(*peers[fd])
                if frames is None:
                    epoll.unregister(fd)
                    peers.pop(fd)[0].close()
                for frame in frames or ():
                    work.put((peers[fd][0], frame))

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(CORES)]
    threads.append(threading.Thread(target=reader, daemon=True))
    for thread in threads:
        thread.start()

    def stop() -> None:
        is_stopping.set()
        for _ in range(CORES):
            work.put(None)

    return stop


SHAPES: dict[str, Callable[[socket.socket], Callable[[], None]]] = {
    "leader + workers, all rules": leader_and_workers,
    "event loop + workers, all rules": reader_and_workers,
    "thread per connection, no rules": thread_per_connection,
    "event loop + workers, no rules": loop_and_workers,
}


def main() -> None:
    rounds, seconds = 3, 2.0
    print(f"{'shape':34} {'p50 us':>8} {'p99 us':>8} {'rps, 1':>8} {'rps, 4':>8}   medians of {rounds} rounds")
    seen: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in SHAPES}
    for _ in range(rounds):
        for name, start in SHAPES.items():
            with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
                path = Path(folder) / "s"
                listening.bind(str(path))
                listening.listen(64)
                stop = start(listening)
                one, four = load(path, "m", 1, seconds), load(path, "m", 4, seconds)
                stop()
                seen[name].append((one.p50_us, one.p99_us, one.rps, four.rps))
    for name, rows in seen.items():
        middle = [sorted(column)[math.floor(len(column) / 2)] for column in zip(*rows, strict=True)]
        print(f"{name:34} {middle[0]:8.1f} {middle[1]:8.1f} {middle[2]:8.0f} {middle[3]:8.0f}")


if __name__ == "__main__":
    sys.exit(main())
