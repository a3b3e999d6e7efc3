"""The protocol state of one connection, for either side: which frame may come or go when. No I/O."""

from __future__ import annotations

from enum import Enum

from mmwire.errors import LocalWireError, RemoteWireError
from mmwire.frame import Frame, FrameLimits, FrameReader, FrameType


class Role(Enum):
    """Which side of the connection this is."""

    CLIENT = "client"
    SERVER = "server"


class State(Enum):
    """How far the connection is."""

    GREETING = "greeting"  # this peer's HELLO has not come yet
    OPEN = "open"
    CLOSED = "closed"


_REQUESTS = frozenset({FrameType.OPEN, FrameType.INFER, FrameType.CANCEL, FrameType.ADMIN})
_ANSWERS = frozenset({FrameType.OPENED, FrameType.RESULT, FrameType.ERROR, FrameType.GOAWAY, FrameType.ADMIN_RESULT})
# The types that a peer in this role may send in this state. A server may refuse a connection before its HELLO.
ALLOWED: dict[tuple[Role, State], frozenset[FrameType]] = {
    (Role.CLIENT, State.GREETING): frozenset({FrameType.HELLO}),
    (Role.CLIENT, State.OPEN): _REQUESTS,
    (Role.CLIENT, State.CLOSED): frozenset(),
    (Role.SERVER, State.GREETING): frozenset({FrameType.HELLO, FrameType.ERROR}),
    (Role.SERVER, State.OPEN): _ANSWERS,
    (Role.SERVER, State.CLOSED): frozenset(),
}


class Connection:
    """Receives the frames of one peer and holds both sides to the order of the protocol.

    Args:
        role: The side that this object plays; its peer plays the other.
        limits: How much this side accepts in a frame.

    Thread: one at a time for everything that receives; ``sending`` by any one other thread.
    """

    __slots__ = ("_allowed", "_allowed_out", "_peer", "_reader", "role", "state")

    def __init__(self, role: Role, limits: FrameLimits) -> None:
        self.role = role
        self.state = State.GREETING
        self._peer = Role.CLIENT if role is Role.SERVER else Role.SERVER
        self._reader = FrameReader(limits)
        self._allowed = ALLOWED[self._peer, State.GREETING]
        self._allowed_out = ALLOWED[role, State.GREETING]

    @property
    def is_between_frames(self) -> bool:
        """Whether the last byte received was the last one of a frame."""
        return self._reader.is_between_frames

    def buffer(self) -> memoryview:
        """Return the memory for the next received bytes."""
        return self._reader.buffer()

    def received(self, count: int) -> None:
        """Account for ``count`` bytes written to the start of the last ``buffer()``."""
        self._reader.received(count)

    def next_frame(self) -> Frame | None:
        """Return the next frame that the peer was allowed to send, None when more bytes are needed.

        Raises:
            RemoteWireError: The peer broke the protocol; the connection is closed for good.
        """
        try:
            frame = self._reader.next_frame()
            if frame is not None and frame.type not in self._allowed:
                raise RemoteWireError(
                    "BAD_FRAME",
                    f"{frame.type.name} from a {self._peer.value} is not expected while {self.state.value}",
                )
        except RemoteWireError:
            self.close()
            raise
        if frame is not None and self.state is State.GREETING and frame.type is FrameType.HELLO:
            self.state = State.OPEN
            self._allowed = ALLOWED[self._peer, State.OPEN]
        return frame

    def feed(self, data: bytes) -> list[Frame]:
        """Take ``data`` and return the frames that it completes. This copies; a caller in a hurry fills ``buffer()``.

        Raises:
            RemoteWireError: As ``next_frame``.
        """
        frames: list[Frame] = []
        rest = memoryview(data)
        while True:
            while (frame := self.next_frame()) is not None:
                frames.append(frame)
            if not rest:
                return frames
            room = self.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.received(count)
            rest = rest[count:]

    def sending(self, kind: FrameType) -> None:
        """Note that this side sends a frame of this type.

        Raises:
            LocalWireError: ``PROTOCOL_MISUSE``: this side may not send that now.
        """
        if kind not in self._allowed_out:
            raise LocalWireError("PROTOCOL_MISUSE", f"{kind.name} must not be sent by a {self.role.value} now")
        if kind is FrameType.HELLO:
            self._allowed_out = ALLOWED[self.role, State.OPEN]

    def close(self) -> None:
        """End the connection: nothing more may come or go."""
        self.state = State.CLOSED
        self._allowed = self._allowed_out = ALLOWED[self.role, State.CLOSED]
