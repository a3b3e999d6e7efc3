"""A daemon for the client's tests: real Unix sockets, the real protocol, models that are functions, faults at will.

``tests/mmclient/test_fake_daemon.py`` holds its answers to those of a real daemon.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from mmwire import message
from mmwire.connection import Connection, Role
from mmwire.errors import CapacityError, MmError, RequestError
from mmwire.frame import FLAG_SHAPED, Frame, FrameLimits, FrameType
from mmwire.manifest import ModelOptions
from mmwire.message import Hello, Opened, ResultHead
from mmwire.tensor import SignatureSpec, TensorSpec, rows_in

# What a fault does with a frame; True when the frame must not be handled as usual.
Fault = Callable[["Peer", Frame], bool]


@dataclass
class FakeModel:
    """A model: its tensors, and a function from input arrays to output arrays."""

    name: str
    spec: SignatureSpec
    compute: Callable[..., Any]
    version: int = 1
    labels: list[str] = field(default_factory=list)
    image: tuple[float, float] = (0.0, 255.0)
    queue_us: int = 7
    run_us: int = 50

    state: str = "ready"
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """Return the model as ``ls`` lists it."""
        reason = {"reason": self.reason} if self.state == "quarantined" else {}
        version = {"version": self.version, "sha256": "ab" * 32, "state": self.state} | reason
        signatures = [] if reason else [self.spec.as_dict()]
        return {"name": self.name, "runtime": "fake", **version, "versions": [version], "signatures": signatures}

    def details(self) -> dict[str, Any]:
        """Return what ``show`` adds."""
        options = ModelOptions(image_mean=self.image[0], image_scale=self.image[1])
        traits = {"bytes": 544, "batch": 1, "state": "none", "load_ms": 1.5, "run_us": 21.3, "memory_bytes": 9060352}
        return {
            "labels": self.labels,
            "options": options.as_dict(),
            "traits": {} if self.state == "quarantined" else traits,
        }

    def require_ready(self) -> None:
        """Refuse a request as the daemon does while nothing of the model serves."""
        if self.state == "unloaded":
            raise RequestError("MODEL_UNLOADED", f"model {self.name!r} was unloaded", f"mmctl load {self.name}")
        if self.state == "quarantined":
            raise RequestError("MODEL_QUARANTINED", f"model {self.name!r}: {self.reason}")


def one(dtype: str, tail: Sequence[int], out: str, out_tail: Sequence[int], **quantization: Any) -> SignatureSpec:
    """Return the spec of one input ``x`` and one output ``y`` with rows."""
    return SignatureSpec(
        "serving_default",
        (TensorSpec("x", dtype, (-1, *tail), **quantization),),
        (TensorSpec("y", out, (-1, *out_tail), **quantization if out == dtype else {}),),
    )


def standard_models() -> list[FakeModel]:
    """Return a model of each kind."""
    two = SignatureSpec(
        "serving_default",
        (TensorSpec("a", "float32", (-1, 2)), TensorSpec("b", "float32", (-1, 2))),
        (TensorSpec("sum", "float32", (-1, 2)), TensorSpec("first", "float32", (-1,))),
    )
    dynamic = one("float32", [-1], "float32", [-1])
    fixed = SignatureSpec("once", (TensorSpec("x", "float32", (3,)),), (TensorSpec("y", "float32", (3,)),))
    return [
        FakeModel("double", one("float32", [4], "float32", [4]), lambda x: x * 2),
        FakeModel("two", two, lambda a, b: (a + b, a[:, 0].copy())),
        FakeModel("echo8", one("int8", [640], "int8", [640], scale=0.5, zero_point=-3), lambda x: x),
        FakeModel("dynamic", dynamic, lambda x: x + 1),
        FakeModel("fixed", fixed, lambda x: x + 1),
        FakeModel("half", one("float16", [2], "float16", [2]), lambda x: x),
        FakeModel("ints", one("int32", [2], "int32", [2]), lambda x: x),
        FakeModel(
            "digits",
            one("uint8", [8, 8, 1], "float32", [3]),
            lambda x: np.eye(3, dtype=np.float32)[x[:, 0, 0, 0] % 3] * 0.8 + 0.1 * (1 - np.eye(3)[x[:, 0, 0, 0] % 3]),
            labels=["zero", "one", "two"],
        ),
    ]


class Peer:
    """One client's connection, served by a thread of its own."""

    def __init__(self, daemon: FakeDaemon, sock: socket.socket) -> None:
        self.daemon = daemon
        self.sock = sock
        self.wire = Connection(Role.SERVER, FrameLimits())
        self.handles: dict[int, tuple[str, SignatureSpec]] = {}
        self.ended = threading.Event()

    def send(self, frame: Frame) -> None:
        self.sock.sendall(frame.to_bytes())

    def run(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self.ended.set)
            stack.enter_context(self.sock)
            stack.enter_context(contextlib.suppress(OSError))
            while (count := self.sock.recv_into(self.wire.buffer())) > 0:
                self.wire.received(count)
                while (frame := self.wire.next_frame()) is not None:
                    self.daemon.frames.append(frame)
                    with self.daemon.lock:
                        faults = self.daemon.faults.get(frame.type)
                        fault = faults.popleft() if faults else None
                    if fault is None or not fault(self, frame):
                        self.on_frame(frame)

    def on_frame(self, frame: Frame) -> None:
        try:
            if frame.type is FrameType.HELLO:
                self.send(message.hello(Hello("fake", 1 << 16, self.daemon.max_payload_bytes)))
            elif frame.type is FrameType.OPEN:
                self.open(frame)
            elif frame.type is FrameType.INFER:
                self.infer(frame)
            elif frame.type is FrameType.ADMIN:
                verb, arguments = message.read_admin(frame)
                self.send(message.admin_result(frame.request_id, self.daemon.admin(verb, arguments)))
        except MmError as error:
            self.send(message.error(frame.request_id, error))

    def open(self, frame: Frame) -> None:
        wanted = message.read_open(frame)
        if len(self.handles) >= 1024:  # as in daemons that do not let old handles go yet
            raise RequestError("BAD_REQUEST", "a connection opens at most 1024 handles", "reuse them")
        model = self.daemon.find(wanted.model)
        model.require_ready()
        if wanted.version not in (0, model.version):
            raise RequestError("VERSION_NOT_SERVED", f"version {wanted.version} does not serve")
        if wanted.signature not in ("", model.spec.name):
            raise RequestError("SIGNATURE_NOT_FOUND", f"no signature {wanted.signature!r}")
        handle = len(self.handles) + 1
        self.handles[handle] = (model.name, model.spec)
        self.send(message.opened(frame.request_id, handle, Opened(model.name, model.version, model.spec, *model.image)))

    def infer(self, frame: Frame) -> None:
        name, spec = self.handles[frame.handle]
        model = self.daemon.find(name)
        model.require_ready()
        if spec != model.spec:
            raise CapacityError("SPECS_CHANGED", "other tensors now")
        shapes = message.unpack_shapes(frame.meta, len(spec.inputs)) if frame.flags & FLAG_SHAPED else None
        rows = rows_in(spec, len(frame.payload)) if shapes is None else shapes[0][0]
        arrays, position = [], 0
        for index, tensor in enumerate(spec.inputs):
            shape = tensor.with_rows(rows) if shapes is None else shapes[index]
            dtype = np.dtype(tensor.dtype)
            end = position + int(np.prod(shape)) * dtype.itemsize
            arrays.append(np.frombuffer(frame.payload[position:end], dtype).reshape(shape))
            position = end
        result = model.compute(*arrays)
        outputs = list(result) if isinstance(result, tuple) else [result]
        outputs = [np.asarray(array, tensor.dtype) for array, tensor in zip(outputs, spec.outputs, strict=True)]
        given = None if all(tensor.is_static for tensor in spec.outputs) else tuple(array.shape for array in outputs)
        payload = b"".join(array.tobytes() for array in outputs)
        head = ResultHead(model.version, rows, model.queue_us, model.run_us, given)
        self.sock.sendall(message.result_head(frame.request_id, frame.handle, len(payload), head) + payload)


class FakeDaemon:
    """Listens on a path; ``frames`` holds the frames that came, and ``fault`` queues faults for the next ones."""

    def __init__(self, path: str | Path, models: Sequence[FakeModel] | None = None) -> None:
        self.path = str(path)
        self.models = {model.name: model for model in (standard_models() if models is None else models)}
        self.max_payload_bytes = 1 << 26
        self.frames: list[Frame] = []
        self.faults: dict[FrameType, deque[Fault]] = {}
        self.verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.peers: list[Peer] = []
        self.lock = threading.Lock()
        self.start()

    def start(self) -> None:
        Path(self.path).unlink(missing_ok=True)
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listening.bind(self.path)
        self.listening.listen(64)
        self.thread = threading.Thread(target=self._accept, args=(self.listening,), daemon=True)
        self.thread.start()

    def __enter__(self) -> FakeDaemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and drop every client."""
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join()
        self.drop_all()
        Path(self.path).unlink(missing_ok=True)

    def drop_all(self) -> None:
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)

    def fault(self, kind: FrameType, *faults: Fault) -> None:
        with self.lock:
            self.faults.setdefault(kind, deque()).extend(faults)

    def count(self, kind: FrameType) -> int:
        return sum(frame.type is kind for frame in self.frames)

    def find(self, name: str) -> FakeModel:
        if name not in self.models:
            raise RequestError("MODEL_NOT_FOUND", f"no model named {name!r}", "mmctl ls lists the models")
        return self.models[name]

    def admin(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if verb in self.verbs:
            return self.verbs[verb](arguments)
        if verb == "ls":
            return {"models": [model.document() for model in self.models.values()]}
        if verb == "ps":
            loaded = [model for model in self.models.values() if model.state == "ready"]
            counts = {"instances": 1, "busy": 0, "queued": 0, "pids": [], "requests": 3, "rows": 9, "errors": 0}
            rows = [{"name": model.name, "version": model.version, **counts, "run_us_mean": 44} for model in loaded]
            return {"models": rows, "workers": {"cores": 2, "busy": 0}}
        if verb == "status":
            return {
                "state": "ready",
                "pid": 1,
                "uptime_s": 3.5,
                "models": dict(Counter(model.state for model in self.models.values())),
                "queued": 0,
                "busy": 0,
                "software": "fake 1",
                "runtime": {"name": "fake", "version": "1", "reason": "a test"},
                "paths": {"models": "/models", "store": "/store"},
            }
        if verb not in ("show", "wait", "load", "unload"):
            raise RequestError(
                "BAD_REQUEST", f"unknown verb {verb!r}", "known: ls, show, ps, status, wait, load, unload"
            )
        name = str(arguments["model"])
        if verb == "wait" and name not in self.models and not get_close_matches(name, self.models):
            raise CapacityError("DEADLINE_EXCEEDED", f"{name!r} does not serve", "mmctl ls lists the models")
        return self.admin_model(verb, self.find(name), arguments)

    def admin_model(self, verb: str, model: FakeModel, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer a verb that is about one model."""
        if verb == "show":
            return model.document() | model.details()
        if verb == "unload":
            model.state = "unloaded"
            return model.document()
        if verb == "load" and model.state == "unloaded":
            model.state = "ready"
        model.require_ready()
        is_other_file = not ("ab" * 32).startswith(arguments.get("sha256", ""))
        if is_other_file or arguments.get("version", model.version) != model.version:
            raise CapacityError(
                "DEADLINE_EXCEEDED", f"model {model.name!r} does not serve that yet", "give it more time"
            )
        return model.document()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer = Peer(self, listening.accept()[0])
                self.peers.append(peer)
                threading.Thread(target=peer.run, daemon=True).start()


def drop(peer: Peer, frame: Frame) -> bool:
    """Break the connection instead of answering."""
    peer.sock.shutdown(socket.SHUT_RDWR)
    return True


def ignore(peer: Peer, frame: Frame) -> bool:
    """Never answer."""
    return True


def refuse(error: MmError) -> Fault:
    """Answer with an error."""

    def fault(peer: Peer, frame: Frame) -> bool:
        peer.send(message.error(frame.request_id, error))
        return True

    return fault


def say(data: bytes) -> Fault:
    """Answer with these bytes."""

    def fault(peer: Peer, frame: Frame) -> bool:
        peer.sock.sendall(data)
        return True

    return fault


def go_away(peer: Peer, frame: Frame) -> bool:
    """Announce the end, then answer as usual."""
    peer.send(message.goaway())
    return False
