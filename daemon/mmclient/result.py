"""Reading the arrays of a RESULT whose layout is not known beforehand."""

from __future__ import annotations

import numpy as np

from mmclient.array import Array
from mmwire import message
from mmwire.errors import RemoteWireError
from mmwire.frame import Frame, FrameType
from mmwire.message import ResultHead
from mmwire.tensor import SignatureSpec


def read_outputs(spec: SignatureSpec, frame: Frame) -> tuple[ResultHead, dict[str, Array]]:
    """Return the head and the outputs by name, copied out of the frame.

    Raises:
        RemoteWireError: ``BAD_FRAME``: not a RESULT, or a payload that does not fit the signature.
    """
    if frame.type is not FrameType.RESULT:
        raise RemoteWireError("BAD_FRAME", f"expected RESULT, got {frame.type.name}")
    head = message.read_result(frame, len(spec.outputs))
    payload = memoryview(frame.payload)
    outputs: dict[str, Array] = {}
    position = 0
    for index, tensor in enumerate(spec.outputs):
        shape = tensor.with_rows(head.rows) if head.shapes is None else head.shapes[index]
        if -1 in shape:
            raise RemoteWireError("BAD_FRAME", f"output {tensor.name!r}: {tensor.describe()} came without a shape")
        dtype = np.dtype(tensor.dtype)
        count = 1
        for dim in shape:
            count *= dim
        end = position + count * dtype.itemsize
        if end > len(payload):
            raise _misfit(payload)
        # Copied: the array is aligned and writable, and the frame's memory can be freed.
        outputs[tensor.name] = np.frombuffer(payload[position:end], dtype).reshape(shape).copy()
        position = end
    if position != len(payload):
        raise _misfit(payload)
    return head, outputs


def raw(array: Array) -> memoryview:
    """Return a C-contiguous array's memory as bytes; memoryview cannot cast float16 by itself."""
    return array.reshape(-1).view(np.uint8).data


def _misfit(payload: memoryview) -> RemoteWireError:
    return RemoteWireError("BAD_FRAME", f"a RESULT of {len(payload)} bytes does not fit the signature's outputs")
