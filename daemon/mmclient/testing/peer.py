"""One client's connection to the fake daemon."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from mmwire.connection import Connection, Role
from mmwire.frame import Frame, FrameLimits
from mmwire.tensor import SignatureSpec


class Peer:
    """Reads frames on a thread of its own, and hands each to ``on_frame``."""

    def __init__(self, sock: socket.socket, on_frame: Callable[[Peer, Frame], None]) -> None:
        self.sock = sock
        self.handles: dict[int, tuple[str, SignatureSpec]] = {}
        self.ended = threading.Event()
        self._wire = Connection(Role.SERVER, FrameLimits())
        self._on_frame = on_frame

    def start(self) -> None:
        """Start to read."""
        threading.Thread(target=self._run, name="fake-peer", daemon=True).start()

    def send(self, frame: Frame) -> None:
        """Send a frame."""
        self.sock.sendall(frame.to_bytes())

    def drop(self) -> None:
        """Break the connection."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self.ended.set)
            stack.enter_context(self.sock)
            stack.enter_context(contextlib.suppress(OSError))
            while (count := self.sock.recv_into(self._wire.buffer())) > 0:
                self._wire.received(count)
                while (frame := self._wire.next_frame()) is not None:
                    self._on_frame(self, frame)
