"""The idle connections of one client: a call takes one, and gives it back after the answer."""

from __future__ import annotations

import os
import time

from mmclient.address import resolve
from mmclient.link import Link
from mmwire.errors import ClientError

_MAX_IDLE = 64
_PATIENCE_S = 1.0  # how long a first connection waits while the daemon's backlog is full
_LONG_PATIENCE_S = 3600.0  # a later connection waits for its deadline, which comes sooner


class Pool:
    """A stack of idle connections: the latest one given back is the first one taken.

    Attributes:
        was_connected: Whether a daemon has ever answered this client.

    Thread: any. There is no lock: appending to a list and popping from it are atomic. A child of ``fork`` notices its
    new process id and starts with an empty stack; the parent keeps its connections.
    """

    def __init__(self, socket_path: str | os.PathLike[str] | None) -> None:
        self._socket_path = socket_path
        self._idle: list[Link] = []
        self._pid = os.getpid()
        self._is_closed = False
        self.was_connected = False

    def take(self) -> Link | None:
        """Return an idle connection, None when there is none."""
        if os.getpid() != self._pid:
            inherited, self._idle, self._pid = self._idle, [], os.getpid()
            _close_all(inherited)
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def connect(self, deadline: float) -> Link:
        """Return a new connection.

        Raises:
            ClientError: ``CLIENT_CLOSED``, ``DAEMON_UNREACHABLE``, ``TIMEOUT``.
            MmError: The daemon's refusal.
        """
        if self._is_closed:
            raise ClientError("CLIENT_CLOSED", "this client was closed", "make another Client")
        left_s = deadline - time.monotonic()
        patience_s = min(left_s, _LONG_PATIENCE_S if self.was_connected else _PATIENCE_S)
        link = Link(resolve(self._socket_path), deadline, patience_s)
        self.was_connected = True
        return link

    def give(self, link: Link) -> None:
        """Take a connection back, or close it if a request is under way on it or it takes no more requests."""
        if link.is_busy or link.is_leaving or len(self._idle) >= _MAX_IDLE:
            link.close()
            return
        self._idle.append(link)
        if self._is_closed:
            self.forget()

    def forget(self) -> None:
        """Close the idle connections, after their daemon has gone."""
        _close_all(self._idle)

    def close(self) -> None:
        """Close for good; calls under way still end as usual."""
        self._is_closed = True
        self.forget()


def _close_all(links: list[Link]) -> None:
    while links:
        try:
            link = links.pop()
        except IndexError:
            return
        link.close()
