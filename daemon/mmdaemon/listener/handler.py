"""The handler of frames: one function for each type of frame; ``_HANDLERS`` is the table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.dispatch.lease import Lease
from mmdaemon.dispatch.request import Request
from mmdaemon.listener.handle import Handle
from mmdaemon.listener.peer import Peer
from mmdaemon.listener.reply import InferReply, VerbReply
from mmwire import message
from mmwire.errors import CapacityError, MmError, RemoteWireError, RequestError
from mmwire.frame import FLAG_SHAPED, Frame, FrameLimits, FrameType
from mmwire.message import Hello, Opened, Reply
from mmwire.tensor import DTYPE_BYTES, Shape, rows_in, shape_mismatch, size_mismatch

MAX_VERBS = 64  # ADMIN requests that one connection may have open; docs/protocol.md says so


class AdminVerbs(Protocol):
    """The verbs that ADMIN frames ask for."""

    def start_verb(self, verb: str, arguments: dict[str, Any], deadline: float, reply: Reply) -> None:
        """Begin to answer, and return at once. ``reply`` may be called later, from another thread.

        Raises:
            MmError: The verb or its arguments cannot be used.
        """

    def withdraw(self, reply: Reply) -> bool:
        """Forget a request that still waits for its answer; return whether it did. ``reply`` is then never called."""


class Handler:
    """Handles the frames of all peers.

    Thread: the leader.
    """

    def __init__(self, dispatcher: Dispatcher, verbs: AdminVerbs, limits: FrameLimits, software: str) -> None:
        self._dispatcher = dispatcher
        self._verbs = verbs
        self._hello = message.hello(Hello(software, limits.max_meta_bytes, limits.max_payload_bytes))

    def on_frame(self, peer: Peer, frame: Frame, may_run: bool) -> Lease | None:
        """Handle one frame; return a lease when the calling thread is to run it.

        Raises:
            RemoteWireError: The frame breaks the protocol.
        """
        if frame.type is FrameType.INFER:
            return self._on_infer(peer, frame, may_run)
        try:
            _HANDLERS[frame.type](self, peer, frame)
        except RemoteWireError:
            raise
        except MmError as error:
            peer.send_frame(message.error(frame.request_id, error))
        return None

    def on_gone(self, peer: Peer) -> None:
        """Withdraw the requests of a peer that is gone."""
        for request in list(peer.pending.values()):
            self._dispatcher.withdraw(request)
        peer.pending.clear()
        for reply in list(peer.verbs.values()):
            self._verbs.withdraw(reply)
        peer.verbs.clear()

    def _on_hello(self, peer: Peer, frame: Frame) -> None:
        message.read_hello(frame)
        peer.send_frame(self._hello)

    def _on_open(self, peer: Peer, frame: Frame) -> None:
        wanted = message.read_open(frame)
        with self._dispatcher.scheduler() as scheduler:
            deployment, spec = scheduler.lane(wanted.model).find(wanted.signature, wanted.version)
        handle = peer.handles.open(wanted.model, spec, wanted.version, time.monotonic())
        answer = Opened(wanted.model, deployment.version, spec, deployment.image_mean, deployment.image_scale)
        peer.send_frame(message.opened(frame.request_id, handle.number, answer))

    def _on_infer(self, peer: Peer, frame: Frame, may_run: bool) -> Lease | None:
        now = time.monotonic()
        request_id = frame.request_id
        try:
            handle = peer.handles.use(frame.handle, now)
            if request_id in peer.pending:
                raise _under_way(request_id)
            rows, shapes = _measure(handle, frame)
            request = Request(
                InferReply(peer, frame.handle),
                request_id,
                handle.model,
                handle.spec,
                frame.payload,
                now,
                handle.version,
                rows,
                shapes,
                now + frame.remaining_us / 1e6 if frame.remaining_us else math.inf,
            )
            peer.pending[request_id] = request
            try:
                return self._dispatcher.submit(request, now, may_run)
            except MmError:
                del peer.pending[request_id]
                raise
        except RemoteWireError:
            raise
        except MmError as error:
            peer.send_frame(message.error(request_id, error))
            return None

    def _on_cancel(self, peer: Peer, frame: Frame) -> None:
        request = peer.pending.get(frame.request_id)
        if request is not None and self._dispatcher.withdraw(request):
            peer.pending.pop(frame.request_id, None)
            raise RequestError("CANCELLED", "the caller cancelled the request")
        reply = peer.verbs.get(frame.request_id)
        if reply is not None and self._verbs.withdraw(reply):
            peer.verbs.pop(frame.request_id, None)
            raise RequestError("CANCELLED", "the caller cancelled the request")

    def _on_admin(self, peer: Peer, frame: Frame) -> None:
        verb, arguments = message.read_admin(frame)
        deadline = time.monotonic() + frame.remaining_us / 1e6 if frame.remaining_us else math.inf
        request_id = frame.request_id
        if request_id in peer.verbs:
            raise _under_way(request_id)
        if len(peer.verbs) >= MAX_VERBS:
            raise CapacityError(
                "QUEUE_FULL",
                f"expected at most {MAX_VERBS} ADMIN requests without an answer on one connection, got one more",
                "wait for an answer, or cancel a request",
            )
        reply = peer.verbs[request_id] = VerbReply(peer, request_id)
        try:
            self._verbs.start_verb(verb, arguments, deadline, reply)
        except MmError:
            peer.verbs.pop(request_id, None)
            raise


def _under_way(request_id: int) -> RequestError:
    return RequestError("BAD_REQUEST", f"request {request_id} is under way", "give each request an id of its own")


def _measure(handle: Handle, frame: Frame) -> tuple[int, tuple[Shape, ...] | None]:
    """Return the rows of a payload, and its shapes where they do not follow from the spec.

    Raises:
        RequestError: ``BAD_TENSOR``: the bytes or the shapes do not fit the spec.
        RemoteWireError: ``BAD_FRAME``: the shapes cannot be read.
    """
    spec, size = handle.spec, len(frame.payload)
    if not frame.flags & FLAG_SHAPED:
        if size == handle.row_bytes:
            return 1, None
        if handle.row_bytes < 0:
            raise RequestError(
                "BAD_TENSOR", "an input has a free dimension: expected the shapes with the request, got none"
            )
        return rows_in(spec, size), None
    shapes = message.unpack_shapes(frame.meta, len(spec.inputs))
    expected = 0
    for tensor, shape in zip(spec.inputs, shapes, strict=True):
        if not tensor.accepts(shape) or 0 in shape:
            raise shape_mismatch(tensor, shape)
        expected += math.prod(shape) * DTYPE_BYTES[tensor.dtype]
    if expected != size:
        raise size_mismatch(spec, size)
    rows = shapes[0][0] if spec.has_rows else 1
    if spec.has_rows and any(shape[0] != rows for shape in shapes):
        raise RequestError("BAD_TENSOR", f"expected the same number of rows in every input, got {list(shapes)}")
    return rows, None if spec.is_static else shapes


_HANDLERS: dict[FrameType, Callable[[Handler, Peer, Frame], None]] = {
    FrameType.HELLO: Handler._on_hello,
    FrameType.OPEN: Handler._on_open,
    FrameType.CANCEL: Handler._on_cancel,
    FrameType.ADMIN: Handler._on_admin,
}
