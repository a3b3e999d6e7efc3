"""The content of frames: builds and reads the meta of each type. Structs on the hot path, JSON elsewhere."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mmwire.errors import MmError, RemoteWireError, error_from_dict
from mmwire.frame import FLAG_SHAPED, PROTOCOL, REMAINING_MAX_US, Frame, FrameType
from mmwire.tensor import Shape, SignatureSpec

# RESULT meta: version of the model, rows, microseconds in the queue, microseconds in the runtime.
_RESULT = struct.Struct("<QIII")
_MAX_RANK = 8  # LiteRT's own limit on ranks
_MAX_U32 = 0xFFFFFFFF
_MAX_TEXT = 2000  # characters; one takes at most 12 bytes of JSON

# Takes the document that answers an ADMIN frame, or the error. Called once, from any thread.
Reply = Callable[[dict[str, Any] | MmError], None]


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of both sides: who speaks, and how much it accepts in one frame."""

    software: str
    max_meta_bytes: int
    max_payload_bytes: int


@dataclass(frozen=True, slots=True)
class Open:
    """A request for a handle of a model's signature. ``version`` 0 = whichever serves."""

    model: str
    signature: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer with a handle. ``version`` serves now; after a swap the handle stands for the next one."""

    model: str
    version: int
    spec: SignatureSpec
    image_mean: float
    image_scale: float


@dataclass(frozen=True, slots=True)
class ResultHead:
    """The part of a RESULT besides its tensors. It has ``shapes`` only when they do not follow from the rows."""

    version: int
    rows: int
    queue_us: int
    run_us: int
    shapes: tuple[Shape, ...] | None = None


def remaining_us(seconds: float | None) -> int:
    """Return a header's remaining time for a wait of ``seconds``; 0 = no deadline, at least 1 otherwise."""
    if seconds is None:
        return 0
    return max(1, int(min(REMAINING_MAX_US, seconds * 1e6)))


def hello(message: Hello) -> Frame:
    """Build HELLO."""
    return Frame(
        FrameType.HELLO,
        meta=_json(
            {
                "protocol": PROTOCOL,
                "software": message.software,
                "max_meta_bytes": message.max_meta_bytes,
                "max_payload_bytes": message.max_payload_bytes,
            }
        ),
    )


def read_hello(frame: Frame) -> Hello:
    """Read HELLO.

    Raises:
        RemoteWireError: ``BAD_FRAME``.
    """
    fields = read_json(frame)
    return Hello(
        _get(fields, "software", str),
        _get(fields, "max_meta_bytes", int),
        _get(fields, "max_payload_bytes", int),
    )


def open_model(request_id: int, message: Open) -> Frame:
    """Build OPEN."""
    fields = {"model": message.model, "signature": message.signature, "version": message.version}
    return Frame(FrameType.OPEN, request_id=request_id, meta=_json(fields))


def read_open(frame: Frame) -> Open:
    """Read OPEN.

    Raises:
        RemoteWireError: ``BAD_FRAME``.
    """
    fields = read_json(frame)
    return Open(_get(fields, "model", str), _get(fields, "signature", str, ""), _get(fields, "version", int, 0))


def opened(request_id: int, handle: int, message: Opened) -> Frame:
    """Build OPENED."""
    fields = {
        "model": message.model,
        "version": message.version,
        **message.spec.as_dict(),
        "image": {"mean": message.image_mean, "scale": message.image_scale},
    }
    return Frame(FrameType.OPENED, handle=handle, request_id=request_id, meta=_json(fields))


def read_opened(frame: Frame) -> Opened:
    """Read OPENED.

    Raises:
        RemoteWireError: ``BAD_FRAME``.
    """
    fields = read_json(frame)
    image = _get(fields, "image", dict, {"mean": 0.0, "scale": 255.0})
    return Opened(
        _get(fields, "model", str),
        _get(fields, "version", int),
        SignatureSpec.from_dict(fields),
        _get_float(image, "mean"),
        _get_float(image, "scale"),
    )


def infer_head(
    handle: int,
    request_id: int,
    payload_bytes: int,
    wait_us: int,
    shapes: Sequence[Shape] | None = None,
) -> bytes:
    """Build the header and meta of INFER; ``payload_bytes`` of raw tensors in spec order follow it."""
    meta = b"" if shapes is None else pack_shapes(shapes)
    flags = 0 if shapes is None else FLAG_SHAPED
    frame = Frame(FrameType.INFER, flags, handle, wait_us, request_id, meta)
    return frame.head_for(payload_bytes)


def result_head(request_id: int, handle: int, payload_bytes: int, head: ResultHead) -> bytes:
    """Build the header and meta of RESULT; ``payload_bytes`` of raw tensors in spec order follow it."""
    queue_us, run_us = min(head.queue_us, _MAX_U32), min(head.run_us, _MAX_U32)
    meta = _RESULT.pack(head.version, head.rows, queue_us, run_us)
    flags = 0
    if head.shapes is not None:
        meta += pack_shapes(head.shapes)
        flags = FLAG_SHAPED
    return Frame(FrameType.RESULT, flags, handle, 0, request_id, meta).head_for(payload_bytes)


def read_result(frame: Frame, outputs: int) -> ResultHead:
    """Read the meta of RESULT for a signature with ``outputs`` outputs.

    Raises:
        RemoteWireError: ``BAD_FRAME``.
    """
    meta = bytes(frame.meta)
    if len(meta) < _RESULT.size:
        raise RemoteWireError("BAD_FRAME", f"RESULT: expected {_RESULT.size} bytes of meta, got {len(meta)}")
    version, rows, queue_us, run_us = _RESULT.unpack_from(meta)
    shapes = unpack_shapes(meta[_RESULT.size :], outputs) if frame.flags & FLAG_SHAPED else None
    return ResultHead(version, rows, queue_us, run_us, shapes)


def error(request_id: int, failure: MmError) -> Frame:
    """Build ERROR; request id 0 means the connection itself. Texts are cut so that it fits the limits of every peer."""
    fields = failure.as_dict()
    texts = {key: fields[key][:_MAX_TEXT] for key in ("message", "hint")}
    return Frame(FrameType.ERROR, request_id=request_id, meta=_json(fields | texts))


def read_error(frame: Frame) -> MmError:
    """Read ERROR into the exception that it stands for.

    Raises:
        RemoteWireError: ``BAD_FRAME``.
    """
    return error_from_dict(read_json(frame))


def cancel(request_id: int) -> Frame:
    """Build CANCEL of the request with this id; that request's own answer follows."""
    return Frame(FrameType.CANCEL, request_id=request_id)


def goaway() -> Frame:
    """Build GOAWAY: no new request is accepted, those accepted are answered."""
    return Frame(FrameType.GOAWAY)


def admin(request_id: int, verb: str, arguments: dict[str, Any], wait_us: int = 0) -> Frame:
    """Build ADMIN: a verb and its arguments."""
    meta = _json({"verb": verb, "arguments": arguments})
    return Frame(FrameType.ADMIN, remaining_us=wait_us, request_id=request_id, meta=meta)


def read_admin(frame: Frame) -> tuple[str, dict[str, Any]]:
    """Read ADMIN.

    Raises:
        RemoteWireError: ``BAD_FRAME``.
    """
    fields = read_json(frame)
    return _get(fields, "verb", str), _get(fields, "arguments", dict, {})


def admin_result(request_id: int, document: dict[str, Any]) -> Frame:
    """Build ADMIN_RESULT; the document travels as payload, where there is room for it."""
    return Frame(FrameType.ADMIN_RESULT, request_id=request_id, payload=_json(document))


def read_admin_result(frame: Frame) -> dict[str, Any]:
    """Read ADMIN_RESULT.

    Raises:
        RemoteWireError: ``BAD_FRAME``.
    """
    return _object(frame.payload, "ADMIN_RESULT")


def pack_shapes(shapes: Sequence[Shape]) -> bytes:
    """Encode shapes: for each tensor its rank as u8, then its dimensions as u32."""
    return b"".join(struct.pack(f"<B{len(shape)}I", len(shape), *shape) for shape in shapes)


def unpack_shapes(meta: bytes | memoryview, tensors: int) -> tuple[Shape, ...]:
    """Decode exactly ``tensors`` shapes.

    Raises:
        RemoteWireError: ``BAD_FRAME``: cut short, too long, or a rank over 8.
    """
    shapes: list[Shape] = []
    position = 0
    for _ in range(tensors):
        rank = meta[position] if position < len(meta) else _MAX_RANK + 1
        if rank > _MAX_RANK or position + 1 + 4 * rank > len(meta):
            raise RemoteWireError("BAD_FRAME", f"expected the shapes of {tensors} tensors in the meta")
        shapes.append(struct.unpack_from(f"<{rank}I", meta, position + 1))
        position += 1 + 4 * rank
    if position != len(meta):
        raise RemoteWireError("BAD_FRAME", f"{len(meta) - position} bytes behind the shapes in the meta")
    return tuple(shapes)


def read_json(frame: Frame) -> dict[str, Any]:
    """Read a frame's meta as a JSON object.

    Raises:
        RemoteWireError: ``BAD_FRAME``.
    """
    return _object(frame.meta, frame.type.name)


def _object(data: bytes | memoryview, what: str) -> dict[str, Any]:
    try:
        fields = json.loads(bytes(data))
    except (ValueError, RecursionError):
        raise RemoteWireError("BAD_FRAME", f"{what}: expected JSON, got {bytes(data[:40])!r}") from None
    if not isinstance(fields, dict):
        raise RemoteWireError("BAD_FRAME", f"{what}: expected a JSON object")
    return fields


def _get(fields: dict[str, Any], key: str, kind: Any, default: Any = None) -> Any:
    value = fields.get(key, default)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RemoteWireError("BAD_FRAME", f"field {key!r} is missing or of the wrong type")
    return value


def _get_float(fields: dict[str, Any], key: str) -> float:
    try:
        return float(_get(fields, key, (int, float)))
    except OverflowError:
        raise RemoteWireError("BAD_FRAME", f"field {key!r} is too large a number") from None


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()
