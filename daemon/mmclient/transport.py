"""One connection to the daemon, used by one thread at a time: connect, greet, ask, give up in time."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from mmclient.reach import lost, reach, timed_out
from mmwire import message
from mmwire.connection import Connection, Role
from mmwire.errors import MmError, RemoteWireError, RequestError
from mmwire.frame import Frame, FrameLimits, FrameType
from mmwire.message import Hello

_SOFTWARE = "mmclient"
_LIMITS = FrameLimits(max_meta_bytes=1024 * 1024, max_payload_bytes=256 * 1024 * 1024)
_TIMEVAL = struct.Struct("ll")
MAX_TIMEOUT_S = 1e6
# The daemon keeps the deadline too. Its refusal says more and leaves the connection usable, so it should come first.
_GRACE_S = 0.02


class Transport:
    """One greeted connection.

    Timeouts are the kernel's (SO_RCVTIMEO on a blocking socket): set once, then they cost nothing. Measured on a
    ping-pong of 52 us, ``poll()`` before each receive adds 3.5 us and ``settimeout()`` 4 us. The price: when a signal
    handler returns during a wait, the wait starts anew.

    Attributes:
        sock: Blocking.
        is_busy: A request is not answered yet: the connection must not be used for another.
        is_leaving: The connection takes no further request: the daemon said GOAWAY, or its handles run out.
        max_payload_bytes: What the daemon takes in one request.

    Thread: one at a time.
    """

    __slots__ = (
        "_frames",
        "_wire",
        "is_busy",
        "is_leaving",
        "max_payload_bytes",
        "request_id",
        "sock",
        "timeout_s",
        "wait_us",
    )

    def __init__(self, path: str, deadline: float, patience_s: float) -> None:
        """Connect and greet; while the daemon's backlog is full, wait for at most ``patience_s``.

        Raises:
            ClientError: ``DAEMON_UNREACHABLE``, ``CONNECTION_LOST``, ``TIMEOUT``.
            MmError: The daemon's refusal.
        """
        self.sock = reach(path, patience_s)
        self.is_busy = True
        self.is_leaving = False
        self.request_id = 0
        self.timeout_s = -1.0
        self.wait_us = 0
        self._frames: deque[Frame] = deque()
        self._wire = Connection(Role.CLIENT, _LIMITS)
        try:
            self.max_payload_bytes = self._greet(deadline)
        except BaseException:
            self.close()
            raise
        self.is_busy = False

    def set_timeout(self, timeout_s: float) -> None:
        """Limit every send and receive from now on.

        Raises:
            RequestError: ``BAD_REQUEST``: not a positive number.
        """
        if not timeout_s > 0:
            raise RequestError("BAD_REQUEST", f"timeout: expected a positive number of seconds, got {timeout_s!r}")
        limit_s = min(timeout_s, MAX_TIMEOUT_S)
        seconds, rest = divmod(limit_s + _GRACE_S, 1)
        limit = _TIMEVAL.pack(int(seconds), int(rest * 1e6))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self.timeout_s = timeout_s
        self.wait_us = message.remaining_us(limit_s)

    def set_deadline(self, deadline: float) -> None:
        """End the next send or receive at a deadline.

        Raises:
            TimeoutError: The deadline has passed.
        """
        left_s = deadline - time.monotonic()
        if left_s <= -_GRACE_S:
            raise TimeoutError
        self.set_timeout(max(left_s, 1e-3))

    def next_id(self) -> int:
        """Return a request id that this connection has not used."""
        self.request_id += 1
        return self.request_id

    def call(self, request: Frame, expected: FrameType, deadline: float) -> Frame:
        """Send a request and return its answer.

        Raises:
            MmError: The daemon's refusal, or the connection failed.
        """
        self._wire.sending(request.type)
        self.is_busy = True
        self.send([memoryview(request.to_bytes())], request.request_id, deadline)
        frame = self.answer(request.request_id, deadline)
        if frame.type is not expected:
            raise RemoteWireError("BAD_FRAME", f"expected {expected.name}, got {frame.type.name}")
        return frame

    def send(self, parts: Sequence[memoryview], request_id: int, deadline: float) -> None:
        """Send bytes one after the other, all of them.

        Raises:
            ClientError: ``CONNECTION_LOST``, ``TIMEOUT``.
        """
        try:
            while parts:
                self.set_deadline(deadline)
                parts = unfinished(parts, self.sock.sendmsg(parts))
        except (BlockingIOError, TimeoutError):
            raise self.give_up(request_id) from None
        except OSError as error:
            raise lost(error) from None

    def fill(self, parts: Sequence[memoryview], request_id: int, deadline: float) -> None:
        """Receive the rest of an answer straight into the caller's memory.

        Raises:
            ClientError: ``CONNECTION_LOST``, ``TIMEOUT``.
        """
        try:
            while parts:
                self.set_deadline(deadline)
                count = self.sock.recvmsg_into(parts)[0]
                if count == 0:
                    raise lost(None)
                parts = unfinished(parts, count)
        except (BlockingIOError, TimeoutError):
            raise self.give_up(request_id) from None
        except OSError as error:
            raise lost(error) from None

    def answer(self, request_id: int, deadline: float) -> Frame:
        """Return the frame that answers a request; the connection is then free again.

        Raises:
            MmError: The error of an ERROR frame, or the connection failed.
        """
        while not self._frames:
            try:
                self.set_deadline(deadline)
                count = self.receive()
            except (BlockingIOError, TimeoutError):
                raise self.give_up(request_id) from None
            except OSError as error:
                raise lost(error) from None
            if count == 0:
                raise lost(None)
        frame = self._frames.popleft()
        if frame.type is FrameType.ERROR and frame.request_id in (0, request_id):
            self.is_busy = frame.request_id == 0
            raise self.refusal(frame)
        if frame.request_id != request_id:
            raise RemoteWireError("BAD_FRAME", f"expected the answer to {request_id}, got one to {frame.request_id}")
        self.is_busy = False
        return frame

    def receive(self, flags: int = 0) -> int:
        """Receive once and keep the frames that are whole; return the byte count, 0 at the end.

        Raises:
            OSError: The connection broke, or nothing came in time.
            RemoteWireError: The daemon broke the protocol.
        """
        count = self.sock.recv_into(self._wire.buffer(), 0, flags)
        self._wire.received(count)
        self._keep(iter(self._wire.next_frame, None))
        return count

    def feed(self, data: bytes) -> None:
        """Take bytes that were not received into the protocol's own buffer.

        Raises:
            RemoteWireError: The daemon broke the protocol.
        """
        self._keep(self._wire.feed(data))

    def take_frames(self) -> list[Frame]:
        """Return the frames that were received and not taken yet."""
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def refusal(self, frame: Frame) -> MmError:
        """Return the error of an ERROR frame, and leave the connection if the daemon is draining."""
        error = message.read_error(frame)
        if error.code == "DRAINING":
            self.is_leaving = True
        return error

    def give_up(self, request_id: int) -> MmError:
        """Cancel a request whose time is over and close: its late answer must never reach another request."""
        with contextlib.suppress(OSError):
            self.sock.send(message.cancel(request_id).to_bytes(), socket.MSG_DONTWAIT)
        self.close()
        return timed_out()

    def close(self) -> None:
        """Close the connection. In a forked child this leaves the parent's as it is."""
        self.is_busy = True
        self.sock.close()

    def _keep(self, frames: Any) -> None:
        for frame in frames:
            if frame.type is FrameType.GOAWAY:
                self.is_leaving = True
            else:
                self._frames.append(frame)

    def _greet(self, deadline: float) -> int:
        greeting = message.hello(Hello(_SOFTWARE, _LIMITS.max_meta_bytes, _LIMITS.max_payload_bytes))
        self._wire.sending(FrameType.HELLO)
        # A daemon that refuses a connection sends its reason and closes; the reason arrives although HELLO did not.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.send(greeting.to_bytes())
        return message.read_hello(self.answer(0, deadline)).max_payload_bytes


def unfinished(parts: Sequence[memoryview], done: int) -> list[memoryview]:
    """Return the buffers that remain after their first ``done`` bytes."""
    left: list[memoryview] = []
    for part in parts:
        if done >= len(part):
            done -= len(part)
        else:
            left.append(part[done:])
            done = 0
    return left
