"""The fake daemon of ``mmclient.testing``, with what only the client's own tests need.

It records every frame, lets any type of frame fail, answers verbs as a test says, and serves a model of each kind.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmclient import testing
from mmclient.testing import FakeModel, SignatureSpec, TensorSpec, drop, ignore, refuse
from mmclient.testing.fault import Fault
from mmclient.testing.peer import Peer
from mmwire import message
from mmwire.frame import Frame, FrameType

__all__ = ["FakeDaemon", "FakeModel", "Peer", "drop", "go_away", "ignore", "one", "refuse", "say", "standard_models"]


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


class FakeDaemon(testing.FakeDaemon):
    """``frames`` holds the frames that came, ``verbs`` the answers that a test gives instead of the usual ones."""

    def __init__(self, path: str | Path, models: Sequence[FakeModel] | None = None) -> None:
        super().__init__(standard_models() if models is None else models, path)
        self.frames: list[Frame] = []
        self.verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self._faults_by_type: dict[FrameType, deque[Fault]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> FakeDaemon:
        super().__enter__()
        return self

    def answer(self, peer: Peer, frame: Frame) -> None:
        """Answer as usual, inside a fault."""
        super()._on_frame(peer, frame)

    def _on_frame(self, peer: Peer, frame: Frame) -> None:
        self.frames.append(frame)
        with self._lock:
            faults = self._faults_by_type.get(frame.type)
            fault = faults.popleft() if faults else None
        if fault is None or not fault(peer, frame):
            self.answer(peer, frame)

    def _on_verb(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return self.verbs[verb](arguments) if verb in self.verbs else super()._on_verb(verb, arguments)

    def fault(self, kind: FrameType, *faults: Fault) -> None:
        with self._lock:
            self._faults_by_type.setdefault(kind, deque()).extend(faults)

    def count(self, kind: FrameType) -> int:
        return sum(frame.type is kind for frame in self.frames)

    def drop_all(self) -> None:
        for peer in self.peers:
            peer.drop()


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
