"""The entrance: accepts new clients, and refuses those that are too many."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable

from mmdaemon.listener.peer import Peer
from mmdaemon.log.logger import LOG
from mmwire import message
from mmwire.errors import CapacityError
from mmwire.frame import SEND_BUFFER_BYTES

_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Entrance:
    """The listening socket, while clients may come in.

    Args:
        listening: The listening socket, non-blocking.
        epoll: Watches it.
        peers: The connected clients by descriptor; a new one is added.
        max_peers: How many clients may be connected; the next one is refused with an error.
        make_peer: Makes the shell of a new connection.

    Thread: ``accept`` the leader; the rest any.
    """

    def __init__(
        self,
        listening: socket.socket,
        epoll: select.epoll,
        peers: dict[int, Peer],
        max_peers: int,
        make_peer: Callable[[socket.socket], Peer],
    ) -> None:
        self._listening = listening
        self._epoll = epoll
        self._peers = peers
        self._max_peers = max_peers
        self._make_peer = make_peer
        self._is_open = True

    @property
    def fd(self) -> int:
        """The descriptor of the listening socket."""
        return self._listening.fileno()

    def open(self) -> None:
        """Begin to watch the socket."""
        self._epoll.register(self.fd, select.EPOLLIN)

    def close(self) -> None:
        """Let nobody in from now on; those that connect wait for the next daemon."""
        self._is_open = False
        self._rest()

    def reopen(self) -> None:
        """Go on after a rest, unless the entrance was closed."""
        if self._is_open:
            self._epoll.modify(self.fd, select.EPOLLIN)

    def accept(self) -> None:
        """Let in everybody who waits. While descriptors or memory are short the entrance rests until ``reopen``."""
        if not self._is_open:
            self._rest()  # a ``reopen`` may have met ``close`` half-way
            return
        try:
            while True:
                sock, _ = self._listening.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
                self._welcome(sock)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in _NO_DESCRIPTORS:
                LOG.warning("a new connection must wait until a descriptor is free: %s", os.strerror(error.errno))
                self._rest()
            elif error.errno != errno.ECONNABORTED:
                raise

    def _welcome(self, sock: socket.socket) -> None:
        peer = self._make_peer(sock)
        if len(self._peers) >= self._max_peers:
            error = CapacityError(
                "TOO_MANY_CONNECTIONS",
                f"expected at most {self._max_peers} clients, got one more",
                "close a client, or raise limits.max_connections",
            )
            peer.send((message.error(0, error).to_bytes(),))
            peer.close()
            return
        peer.register()
        self._peers[peer.fd] = peer

    def _rest(self) -> None:
        self._epoll.modify(self.fd, 0)
