"""A listener on a real socket with a runtime that computes only when told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.listener.handler import AdminVerbs, Handler
from mmdaemon.listener.loop import ClientLimits, Loop
from mmwire import message
from mmwire.connection import Connection, Role
from mmwire.errors import MmError
from mmwire.frame import Frame, FrameLimits, FrameType
from mmwire.message import Hello, Open
from mmwire.tensor import SignatureSpec, TensorSpec
from rig.waiting import LIMIT_S, wait_for

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))


def error_of(frame: Frame) -> MmError:
    """Return the error that a frame carries; any other frame fails the test."""
    assert frame.type is FrameType.ERROR, frame.type
    return message.read_error(frame)


class Answer:
    def __init__(self, data: bytes) -> None:
        self.tensors = (memoryview(data),)
        self.shapes = None


class Gate:
    """Lets instances through; counts who is inside."""

    def __init__(self, is_open: bool) -> None:
        self._changed = threading.Condition()
        self._is_open = is_open
        self._permits = 0
        self.inside = 0
        self.most_inside = 0
        self.passed: list[bytes] = []

    def pass_through(self, payload: bytes) -> None:
        with self._changed:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._is_open or self._permits > 0, LIMIT_S)
            self._permits -= not self._is_open
            self.inside -= 1
            self.passed.append(payload)
            self._changed.notify_all()

    def wait_inside(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.inside >= count, LIMIT_S), f"{self.inside} of {count} inside"

    def admit_one(self) -> None:
        with self._changed:
            self._permits += 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_open = False

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()


class EchoInstance:
    """Gives its input back, behind a gate."""

    def __init__(self, gate: Gate, factor: int = 1) -> None:
        self.signatures = {SPEC.name: SPEC}
        self._gate = gate
        self._factor = factor

    def run(self, _: str, payload: bytes | memoryview, rows: int, *__: Any) -> Answer:
        self._gate.pass_through(bytes(payload[:4]))
        return Answer(bytes(payload) * self._factor)

    def close(self) -> None:
        return None


class NoVerbs:
    def start_verb(self, verb: str, arguments: dict[str, Any], deadline: float, reply: Callable[[Any], None]) -> None:
        reply({"verb": verb})

    def withdraw(self, reply: Callable[[Any], None]) -> bool:
        return False


class SlowVerbs:
    """Answers ``now`` at once, and any other verb never; remembers who waits."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[Any], None]] = []

    def start_verb(self, verb: str, arguments: dict[str, Any], deadline: float, reply: Callable[[Any], None]) -> None:
        if verb == "now":
            reply({"verb": verb})
        else:
            self.waiting.append(reply)

    def withdraw(self, reply: Callable[[Any], None]) -> bool:
        if reply not in self.waiting:
            return False
        self.waiting.remove(reply)
        return True


class Client:
    """One side of the protocol on a blocking socket; what it does not expect fails the test."""

    def __init__(self, path: Path, greet: bool = True) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(str(path))
        self._wire = Connection(Role.CLIENT, FrameLimits(max_meta_bytes=1 << 20))
        self._frames: list[Frame] = []
        self._sent = 0
        if greet:
            self.send(message.hello(Hello("test", 1 << 16, 1 << 26)))
            assert self.read().type is FrameType.HELLO

    def send(self, frame: Frame) -> None:
        self.sock.sendall(frame.to_bytes())

    def open(self, model: str = "m") -> int:
        self.send(message.open_model(9_999, Open(model)))
        frame = self.read()
        assert frame.type is FrameType.OPENED, message.read_error(frame)
        return frame.handle

    def infer(self, handle: int, payload: bytes, request_id: int = 0, wait_us: int = 0) -> int:
        self._sent += 1
        request_id = request_id or self._sent
        self.sock.sendall(message.infer_head(handle, request_id, len(payload), wait_us) + payload)
        return request_id

    def read(self) -> Frame:
        while not self._frames:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError("the daemon closed the connection")
            self._frames = self._wire.feed(data)
        return self._frames.pop(0)

    def close(self) -> None:
        self.sock.close()


class Rig:
    """Listener, dispatcher and gate of one test."""

    def __init__(self, path: Path, dispatcher: Dispatcher, loop: Loop, gate: Gate) -> None:
        self.path = path
        self.dispatcher = dispatcher
        self.loop = loop
        self.gate = gate
        self.clients: list[Client] = []

    def client(self, greet: bool = True) -> Client:
        client = Client(self.path, greet)
        self.clients.append(client)
        return client

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        wait_for("what the test waits for", condition)

    def queued(self) -> int:
        with self.dispatcher.scheduler() as scheduler:
            return scheduler.backlog.requests


@contextmanager
def rig(
    folder: Path,
    *,
    is_open: bool = True,
    cores: int = 2,
    max_queue: int = 1024,
    max_connections: int = 256,
    max_output_bytes: int = 1 << 20,
    stall_s: float = 30.0,
    factor: int = 1,
    limits: FrameLimits | None = None,
    models: Sequence[str] = ("m",),
    verbs: AdminVerbs | None = None,
) -> Iterator[Rig]:
    """Run a listener until the block ends."""
    gate = Gate(is_open)
    limits = limits or FrameLimits()

    def grow(deployment: Deployment, on_grown: Callable[[Deployment, Any], None]) -> None:
        on_grown(deployment, EchoInstance(gate, factor))

    dispatcher = Dispatcher(cores, max_queue, 1 << 26, grow, lambda _: None)
    with dispatcher.scheduler() as scheduler:
        for name in models:
            instance = EchoInstance(gate, factor)
            scheduler.publish(Deployment(name, 1, instance.signatures, 1, cores, [instance]))
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(128)
        listening.setblocking(False)
        handler = Handler(dispatcher, verbs or NoVerbs(), limits, "test")
        clients = ClientLimits(limits, max_connections, max_output_bytes, stall_s)
        loop = Loop(listening, dispatcher, handler, clients, cores)
        dispatcher.start(loop.wake)
        loop.start()
        made = Rig(path, dispatcher, loop, gate)
        try:
            yield made
        finally:
            gate.open()
            for client in made.clients:
                client.close()
            loop.stop(True)
            dispatcher.stop()
