"""Frames: a fixed header of 32 bytes, then meta, then payload; and the reader that cuts them out of received bytes.

Header, little-endian, naturally aligned (docs/protocol.md)::

    offset  0  2  magic        "MM"
            2  1  protocol     version of this format
            3  1  type         FrameType
            4  2  flags        FLAG_*
            6  2  reserved     0; ignored by the reader
            8  4  handle       of an opened model
           12  4  remaining    microseconds until the sender stops waiting; 0 = no deadline
           16  8  request      id that the client chooses and the answer repeats
           24  4  meta length
           28  4  payload length
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum

from mmwire.errors import RemoteWireError

MAGIC = b"MM"
PROTOCOL = 1
HEADER = struct.Struct("<2sBBHHIIQII")
HEADER_BYTES = HEADER.size
FLAG_SHAPED = 1  # meta holds an explicit shape for every tensor of the payload
REMAINING_MAX_US = 0xFFFFFFFF
# The send buffer that each side asks the kernel for. With the usual 208 KB a larger tensor crosses in pieces, and each
# piece wakes up both sides. Source: unix(7), SO_SNDBUF; the kernel gives at most the box's net.core.wmem_max.
SEND_BUFFER_BYTES = 1024 * 1024
_PAGED_BYTES = 4 * 1024 * 1024  # below it malloc gives memory that it had before, which is 4 times as fast


class FrameType(IntEnum):
    """The types of frames. 16 to 31 are reserved for tensors in sealed memory that a client attaches."""

    HELLO = 1
    OPEN = 2
    OPENED = 3
    INFER = 4
    RESULT = 5
    ERROR = 6
    CANCEL = 7
    GOAWAY = 8
    ADMIN = 9
    ADMIN_RESULT = 10


_TYPES: dict[int, FrameType] = {int(kind): kind for kind in FrameType}


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """How much one side accepts in a frame. The reader checks the header before it allocates a byte."""

    max_meta_bytes: int = 64 * 1024
    max_payload_bytes: int = 64 * 1024 * 1024


@dataclass(slots=True)
class Frame:
    """One whole frame. ``meta`` and ``payload`` belong to it: nobody overwrites them."""

    type: FrameType
    flags: int = 0
    handle: int = 0
    remaining_us: int = 0
    request_id: int = 0
    meta: bytes | memoryview = b""
    payload: bytes | memoryview = b""

    def head_for(self, payload_bytes: int) -> bytes:
        """Return header and meta; a payload of so many bytes follows them on the wire."""
        header = HEADER.pack(
            MAGIC,
            PROTOCOL,
            self.type,
            self.flags,
            0,
            self.handle,
            self.remaining_us,
            self.request_id,
            len(self.meta),
            payload_bytes,
        )
        return header + self.meta if self.meta else header

    def to_bytes(self) -> bytes:
        """Return the whole frame."""
        return b"".join((self.head_for(len(self.payload)), self.payload))


class FrameReader:
    """Cuts frames out of received bytes, without I/O: fill ``buffer()``, call ``received(n)``, take the frames.

    Small frames pass through one fixed buffer and are copied out of it. A frame that does not fit into the buffer gets
    memory of its own, once its header has passed the limits; the rest of it is received straight into that memory.

    Thread: one at a time.
    """

    __slots__ = ("_buffer", "_end", "_large", "_large_end", "_limits", "_start", "_view")

    def __init__(self, limits: FrameLimits, buffer_bytes: int = 32 * 1024) -> None:
        self._limits = limits
        self._buffer = bytearray(buffer_bytes)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._large: Frame | None = None
        self._large_end = 0

    @property
    def is_between_frames(self) -> bool:
        """Whether the last byte received was the last one of a frame."""
        return self._large is None and self._start == self._end

    def buffer(self) -> memoryview:
        """Return the memory for the next bytes; never empty after all frames were taken."""
        if self._large is not None:
            body = self._large.payload
            assert isinstance(body, memoryview)
            return body[self._large_end :]
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == len(self._buffer):
            kept = self._end - self._start
            self._buffer[:kept] = self._buffer[self._start : self._end]
            self._start, self._end = 0, kept
        return self._view[self._end :]

    def received(self, count: int) -> None:
        """Account for ``count`` bytes written to the start of the last ``buffer()``."""
        if self._large is not None:
            self._large_end += count
        else:
            self._end += count

    def next_frame(self) -> Frame | None:
        """Return the next whole frame, None when more bytes are needed.

        Raises:
            RemoteWireError: ``BAD_FRAME``, ``FRAME_TOO_LARGE`` or ``UNSUPPORTED_PROTOCOL``. The reader cannot go on
                after that.
        """
        if self._large is not None:
            return self._next_large()
        start = self._start
        available = self._end - start
        if available < HEADER_BYTES:
            self._check_magic(bytes(self._buffer[start : self._end]))
            return None
        magic, protocol, kind, flags, _, handle, remaining_us, request_id, meta_bytes, payload_bytes = (
            HEADER.unpack_from(self._buffer, start)
        )
        self._check_magic(magic)
        if protocol != PROTOCOL:
            raise RemoteWireError(
                "UNSUPPORTED_PROTOCOL",
                f"expected protocol {PROTOCOL}, the peer speaks {protocol}",
                "upgrade the older side",
            )
        frame_type = _TYPES.get(kind)
        if frame_type is None:
            raise RemoteWireError("BAD_FRAME", f"unknown frame type {kind}")
        self._check_size("meta", meta_bytes, self._limits.max_meta_bytes)
        self._check_size("payload", payload_bytes, self._limits.max_payload_bytes)
        frame = Frame(frame_type, flags, handle, remaining_us, request_id)
        body = start + HEADER_BYTES
        end = body + meta_bytes + payload_bytes
        if end - start > len(self._buffer):
            return self._begin_large(frame, meta_bytes, payload_bytes)
        if end > self._end:
            return None
        if meta_bytes:
            frame.meta = bytes(self._view[body : body + meta_bytes])
        frame.payload = bytes(self._view[body + meta_bytes : end])
        self._start = end
        return frame

    def _check_magic(self, got: bytes) -> None:
        """Refuse another protocol at its first byte, not after 32 of them."""
        if got[:2] != MAGIC[: len(got)]:
            raise RemoteWireError(
                "BAD_FRAME",
                f"expected a frame starting with {MAGIC!r}, got {got[:8]!r}",
                "is this mmdaemon's socket?",
            )

    def _check_size(self, part: str, announced: int, limit: int) -> None:
        if announced > limit:
            raise RemoteWireError(
                "FRAME_TOO_LARGE",
                f"expected a frame with at most {limit} bytes of {part}, got one that announces {announced}",
                "send fewer rows in a request, or raise limits.max_request_mb in the daemon's configuration",
            )

    def _begin_large(self, frame: Frame, meta_bytes: int, payload_bytes: int) -> Frame | None:
        """Begin a frame that is larger than the buffer: move its first bytes into memory of its own."""
        body = _memory(meta_bytes + payload_bytes)
        here = self._view[self._start + HEADER_BYTES : self._end]
        body[: len(here)] = here
        frame.meta = body[:meta_bytes]
        frame.payload = body
        self._large, self._large_end = frame, len(here)
        self._start = self._end = 0
        return self._next_large()

    def _next_large(self) -> Frame | None:
        frame = self._large
        assert frame is not None and isinstance(frame.payload, memoryview)
        if self._large_end < len(frame.payload):
            return None
        self._large = None
        frame.payload = frame.payload[len(frame.meta) :]
        return frame


def _memory(size: int) -> memoryview:
    """Return fresh memory. A large piece takes up room only where it is written, so a header alone costs nothing."""
    if size < _PAGED_BYTES:
        return memoryview(bytearray(size))
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE))
