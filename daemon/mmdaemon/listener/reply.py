"""The replies to a client: each sends one answer, from any thread, unless nobody waits for it any more."""

from __future__ import annotations

from typing import Any

from mmdaemon.dispatch.request import Request
from mmdaemon.listener.peer import Peer
from mmwire import message
from mmwire.errors import MmError
from mmwire.message import ResultHead


class InferReply:
    """``ReplyTo`` for the requests on one handle of a peer."""

    __slots__ = ("_handle", "_peer")

    def __init__(self, peer: Peer, handle: int) -> None:
        self._peer = peer
        self._handle = handle

    def on_answer(self, request: Request, version: int, answer: Any, queue_us: int, run_us: int) -> None:
        """Send RESULT."""
        if self._peer.pending.pop(request.request_id, None) is None:
            return
        size = 0
        for tensor in answer.tensors:
            size += tensor.nbytes
        head = ResultHead(version, request.rows, queue_us, run_us, answer.shapes)
        self._peer.send((message.result_head(request.request_id, self._handle, size, head), *answer.tensors))

    def on_error(self, request: Request, error: MmError) -> None:
        """Send ERROR."""
        if self._peer.pending.pop(request.request_id, None) is not None:
            self._peer.send_frame(message.error(request.request_id, error))


class VerbReply:
    """``Reply`` to one ADMIN request of a peer."""

    __slots__ = ("_peer", "_request_id")

    def __init__(self, peer: Peer, request_id: int) -> None:
        self._peer = peer
        self._request_id = request_id

    def __call__(self, document: dict[str, Any] | MmError) -> None:
        """Send ADMIN_RESULT or ERROR."""
        if self._peer.verbs.pop(self._request_id, None) is None:
            return
        if isinstance(document, MmError):
            self._peer.send_frame(message.error(self._request_id, document))
        else:
            self._peer.send_frame(message.admin_result(self._request_id, document))
