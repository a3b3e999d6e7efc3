"""An opened signature on one connection: the hot path."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmclient.answer import Answer
from mmclient.array import Array
from mmclient.encode import encode
from mmclient.quantization import dequantized
from mmclient.reach import lost
from mmclient.result import raw, read_outputs
from mmclient.transport import Transport, unfinished
from mmwire import message
from mmwire.errors import CapacityError, RequestError
from mmwire.frame import HEADER, HEADER_BYTES, MAGIC, PROTOCOL, Frame, FrameType
from mmwire.message import Opened, ResultHead
from mmwire.tensor import Shape

_META_BYTES = len(message.result_head(0, 0, 0, ResultHead(0, 0, 0, 0))) - HEADER_BYTES
_HEAD_BYTES = HEADER_BYTES + _META_BYTES  # of a RESULT whose shapes follow from the rows
# Plain integers: what the hot path packs and compares.
_INFER = int(FrameType.INFER)
_RESULT = int(FrameType.RESULT)
_pack, _unpack = HEADER.pack, HEADER.unpack_from


class Binding:
    """A handle, and everything about its signature that can be known before a request.

    Args:
        transport: The connection on which the signature was opened.
        handle: Names the signature in requests on this connection.
        opened: The daemon's description of the signature.
        forget: Called when the handle is no longer good, so that the next request opens the signature again.

    Thread: the one that uses the connection.
    """

    __slots__ = (
        "_dtype",
        "_forget",
        "_head",
        "_is_plain",
        "_names",
        "_outputs",
        "_tail",
        "_transport",
        "handle",
        "opened",
    )

    def __init__(self, transport: Transport, handle: int, opened: Opened, forget: Callable[[], object]) -> None:
        spec = opened.spec
        self.handle = handle
        self.opened = opened
        self._transport = transport
        self._forget = forget
        self._names = tuple(tensor.name for tensor in spec.outputs)
        self._head = bytearray(_HEAD_BYTES)
        # The common case: one input with rows, and outputs whose shapes follow from the rows.
        self._is_plain = len(spec.inputs) == 1 and spec.has_rows and spec.is_static
        self._dtype = np.dtype(spec.inputs[0].dtype) if spec.inputs else None
        self._tail = spec.inputs[0].shape[1:] if spec.inputs else ()
        self._outputs: tuple[tuple[Shape, bool, np.dtype[Any]], ...] | None = None
        if all(tensor.is_static for tensor in spec.outputs):
            self._outputs = tuple(
                (tensor.shape[1:] if tensor.has_rows else tensor.shape, tensor.has_rows, np.dtype(tensor.dtype))
                for tensor in spec.outputs
            )

    def run(self, x: Any, timeout_s: float, deadline: float) -> dict[str, Array]:
        """Ask for an inference and return the outputs by name, owned by the caller.

        Raises:
            RequestError: ``BAD_TENSOR``; nothing was sent.
            MmError: The daemon's refusal, or the connection failed.
        """
        if (
            self._is_plain
            and type(x) is np.ndarray
            and x.dtype is self._dtype
            and x.shape[1:] == self._tail
            and x.flags.c_contiguous
            and len(x)
        ):
            parts: Sequence[Any] = (x,)
            size = x.nbytes
            rows = len(x)
        else:
            parts, rows, shapes = encode(self.opened.spec, x)
            size = sum(array.nbytes for array in parts)
            if shapes is not None:
                return self._run_slowly(parts, rows, shapes, deadline)
        if self._outputs is None or size > self._transport.max_payload_bytes:
            return self._run_slowly(parts, rows, None, deadline)
        transport = self._transport
        if timeout_s != transport.timeout_s:
            transport.set_timeout(timeout_s)
        outputs: list[Any] = [
            np.empty((rows, *tail) if has_rows else tail, dtype) for tail, has_rows, dtype in self._outputs
        ]
        expected = 0
        for array in outputs:
            expected += array.nbytes
        transport.request_id = request_id = transport.request_id + 1
        head = self._head
        transport.is_busy = True
        try:
            request = _pack(MAGIC, PROTOCOL, _INFER, 0, 0, self.handle, transport.wait_us, request_id, 0, size)
            sent = transport.sock.sendmsg((request, *parts))
            if sent != HEADER_BYTES + size:
                # The header is less than a socket buffer: it went out whole.
                transport.send(unfinished([*map(raw, parts)], sent - HEADER_BYTES), request_id, deadline)
                transport.set_deadline(deadline)
            # Straight into the caller's arrays: no copy, and no memory that the next answer would overwrite.
            count = transport.sock.recvmsg_into((head, *outputs))[0]
        except (BlockingIOError, TimeoutError):
            raise transport.give_up(request_id) from None
        except OSError as error:
            raise lost(error) from None
        if count >= _HEAD_BYTES:
            magic, protocol, kind, flags, _, _, _, answered, meta_bytes, payload_bytes = _unpack(head)
            if (
                kind == _RESULT
                and answered == request_id
                and payload_bytes == expected
                and meta_bytes == _META_BYTES
                and flags == 0
                and magic == MAGIC
                and protocol == PROTOCOL
                and count <= _HEAD_BYTES + expected
            ):
                if count < _HEAD_BYTES + expected:
                    transport.fill(unfinished([*map(raw, outputs)], count - _HEAD_BYTES), request_id, deadline)
                transport.is_busy = False
                return dict(zip(self._names, outputs, strict=True))
        if count == 0:
            raise lost(None)
        transport.feed(b"".join((head, *outputs))[:count])
        return self._finish(request_id, deadline)

    def _run_slowly(
        self, parts: Sequence[Array], rows: int, shapes: Sequence[Shape] | None, deadline: float
    ) -> dict[str, Array]:
        """Ask in the general case: shapes may travel with the tensors."""
        transport = self._transport
        head = self.request_head(parts, shapes, request_id := transport.next_id(), deadline)
        transport.is_busy = True
        transport.send([memoryview(head), *map(raw, parts)], request_id, deadline)
        return self._finish(request_id, deadline)

    def request_head(
        self, parts: Sequence[Array], shapes: Sequence[Shape] | None, request_id: int, deadline: float
    ) -> bytes:
        """Return header and meta of an INFER.

        Raises:
            RequestError: ``BAD_TENSOR``: more bytes than the daemon takes in one request.
        """
        size = sum(array.nbytes for array in parts)
        limit = self._transport.max_payload_bytes
        if size > limit:
            raise RequestError(
                "BAD_TENSOR",
                f"expected at most {limit} bytes in one request, got {size}",
                "send fewer rows a request; predict_many does",
            )
        left_s = max(deadline - time.monotonic(), 1e-6)
        return message.infer_head(self.handle, request_id, size, message.remaining_us(min(left_s, 1e6)), shapes)

    def _finish(self, request_id: int, deadline: float) -> dict[str, Array]:
        """Receive an answer of any shape."""
        try:
            frame = self._transport.answer(request_id, deadline)
        except CapacityError as error:
            if error.code == "SPECS_CHANGED":
                self._forget()
            raise
        outputs = read_outputs(self.opened.spec, frame)[1]
        self._head[HEADER_BYTES:] = bytes(frame.meta[:_META_BYTES])
        return outputs

    def head(self) -> ResultHead:
        """Return the version and the times of the latest answer."""
        return message.read_result(Frame(FrameType.RESULT, meta=bytes(self._head[HEADER_BYTES:])), 0)

    def answer(self, outputs: dict[str, Array]) -> Answer:
        """Return the latest outputs with their version and times."""
        head = self.head()
        return Answer(outputs, head.version, head.queue_us, head.run_us)

    def dequantize(self, outputs: dict[str, Array]) -> dict[str, Array]:
        """Return the outputs as real values."""
        return {tensor.name: dequantized(tensor, outputs[tensor.name]) for tensor in self.opened.spec.outputs}
