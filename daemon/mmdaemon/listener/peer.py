"""The connection of one client: its bytes in and out, without ever blocking on the client.

Flow control: a reply goes out at once, as far as the socket takes it. The rest waits in ``_out`` for EPOLLOUT. While
more than ``max_output_bytes`` wait, the leader reads nothing more from this client. Only the leader reads and closes;
any thread may send.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from mmdaemon.dispatch.request import Request
from mmdaemon.listener.handle import Handles
from mmwire.connection import Connection, Role, State
from mmwire.errors import LocalWireError
from mmwire.frame import Frame, FrameLimits
from mmwire.message import Reply

_JOIN_BYTES = 64 * 1024  # below it, one copy and send() beat sendmsg()
_IN = select.EPOLLIN | select.EPOLLRDHUP
_OUT = select.EPOLLOUT
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED


class Peer:
    """The shell around the protocol state of one connection.

    Args:
        sock: Connected, non-blocking.
        epoll: Watches the socket.
        limits: How much the client may send in a frame.
        max_output_bytes: Bytes of replies that the client may leave unread; above it the daemon stops reading from it.
    """

    def __init__(self, sock: socket.socket, epoll: select.epoll, limits: FrameLimits, max_output_bytes: int) -> None:
        self.wire = Connection(Role.SERVER, limits)
        self.handles = Handles()
        self.pending: dict[int, Request] = {}  # INFER requests without an answer, by their ids
        self.verbs: dict[int, Reply] = {}  # ADMIN requests without an answer
        self.fd = sock.fileno()
        self.pid, self.uid, _ = _CREDENTIALS.unpack(
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        self.last_progress = time.monotonic()
        self.is_closed = False
        self.is_behind = False  # whether frames that were read wait for the next turn
        self._sock = sock
        self._epoll = epoll
        self._max_output_bytes = max_output_bytes
        self._lock = threading.Lock()
        self._out: deque[memoryview] = deque()
        self._out_bytes = 0
        self._is_ending = False
        self._mask = _IN

    def register(self) -> None:
        """Begin to be watched for input."""
        self._epoll.register(self.fd, self._mask)

    @property
    def owes_progress(self) -> bool:
        """Whether the client must go on: its HELLO is missing, a frame is half sent, or replies are not read."""
        return bool(self._out) or self.wire.state is State.GREETING or not self.wire.is_between_frames

    def on_writable(self) -> bool:
        """Send what waits; return False when nothing is left and the connection is to be closed."""
        self.last_progress = time.monotonic()
        with self._lock:
            self._flush()
            self._arm()
            return not self._is_ending or bool(self._out)

    def receive(self) -> tuple[int, bool]:
        """Read once; return the number of bytes (-1 when none are there) and whether there may be more.

        Raises:
            OSError: The connection broke.
        """
        room = self.wire.buffer()
        try:
            count = self._sock.recv_into(room)
        except BlockingIOError:
            return -1, False
        if count:
            self.wire.received(count)
            self.last_progress = time.monotonic()
        return count, count == len(room)

    def send_frame(self, frame: Frame) -> None:
        """Send a frame, or keep it until the client reads. Before HELLO and after the end it is dropped."""
        parts = (frame.to_bytes(),)
        with self._lock:
            try:
                self.wire.sending(frame.type)
            except LocalWireError:
                return
            self._send(parts)

    def send(self, parts: Sequence[Any]) -> None:
        """Send C-contiguous buffers one after the other; keep what the socket does not take."""
        with self._lock:
            self._send(parts)

    def end(self) -> bool:
        """Read nothing more; return False when nothing is left to send and the connection is to be closed."""
        with self._lock:
            self._is_ending = True
            self._arm()
            return bool(self._out)

    def hang_up(self) -> None:
        """Break the connection from any thread; the leader then closes it."""
        with self._lock:
            if not self.is_closed:
                self._shut_down()

    def close(self) -> None:
        """Close the socket; called by the leader."""
        with self._lock:
            self.is_closed = True
            self._out.clear()
            self._out_bytes = 0
            self._sock.close()
        self.wire.close()

    @property
    def has_output(self) -> bool:
        """Whether replies wait for the client to read."""
        return bool(self._out)

    def _send(self, parts: Sequence[Any]) -> None:
        if self.is_closed:
            return
        if not self._out:
            sent, parts = self._send_now(parts)
            if sent is None:
                return
            if parts:
                self.last_progress = time.monotonic()  # the time that the client has to read begins now
        for part in parts:
            view = memoryview(part)
            if view.nbytes:
                self._out.append(view.cast("B"))
                self._out_bytes += view.nbytes
        self._arm()

    def _send_now(self, parts: Sequence[Any]) -> tuple[int | None, list[Any]]:
        """Send what the socket takes; return the number of bytes (None: the connection broke) and what is left."""
        try:
            if len(parts) == 1:
                data = parts[0]
                sent = self._sock.send(data)
            elif sum(part.nbytes if hasattr(part, "nbytes") else len(part) for part in parts) <= _JOIN_BYTES:
                data = b"".join(parts)
                sent = self._sock.send(data)
            else:
                return self._send_large(parts)
        except BlockingIOError:
            return 0, list(parts)
        except OSError:
            self._shut_down()
            return None, []
        return sent, [] if sent == len(data) else [memoryview(data)[sent:]]

    def _send_large(self, parts: Sequence[Any]) -> tuple[int, list[Any]]:
        views = [memoryview(part).cast("B") for part in parts if memoryview(part).nbytes]
        sent = left = self._sock.sendmsg(views)
        while views and left >= views[0].nbytes:
            left -= views.pop(0).nbytes
        if views:
            views[0] = views[0][left:]
        return sent, views

    def _flush(self) -> None:
        try:
            while self._out:
                sent = self._sock.send(self._out[0])
                self._out_bytes -= sent
                if sent == self._out[0].nbytes:
                    self._out.popleft()
                else:
                    self._out[0] = self._out[0][sent:]
        except BlockingIOError:
            return
        except OSError:
            self._out.clear()
            self._out_bytes = 0
            self._shut_down()

    def _arm(self) -> None:
        """Have the epoll watch for what is wanted now. On the hot path that has not changed, and nothing is called."""
        mask = _OUT if self._out else 0
        if not self._is_ending and self._out_bytes <= self._max_output_bytes:
            mask |= _IN
        if mask != self._mask:
            self._mask = mask
            self._epoll.modify(self.fd, mask)

    def _shut_down(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side was faster
