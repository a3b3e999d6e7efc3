"""The request threads: the leader reads for all clients, the workers run long requests.

The leader waits on the epoll, accepts, and reads. It runs a request itself if that can run at once and is expected to
take less than ``_SHORT_US``. It hands any other to the worker that ran last, whose core is still warm. Every thread
writes its own replies. The leader never runs a long request, so it is always free to read
(docs/decisions/0001-leader-and-workers.md).
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.dispatch.lease import Lease
from mmdaemon.listener.crew import Crew
from mmdaemon.listener.entrance import Entrance
from mmdaemon.listener.handler import Handler
from mmdaemon.listener.peer import Peer
from mmdaemon.listener.sweep import Sweep
from mmdaemon.log.logger import LOG, about, log_bug
from mmwire import message
from mmwire.errors import RemoteWireError
from mmwire.frame import FrameLimits

_INPUT = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_EVENTS_A_WAIT = 64
# The cost of a hand-over to another thread: a wake-up, and the waits for the interpreter lock.
_SHORT_US = 50.0
_READS_A_TURN = 4  # then the leader reads from the others
_FRAMES_A_TURN = 32  # of one read; then the others have their turn, and the rest waits for the next one
_STOP_S = 5.0
_STOP_STEP_S = 0.05
_LEADER = "mm-leader"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How much clients may use.

    Attributes:
        frame: How much a client may send in a frame.
        connections: How many clients may be connected; the next one is refused with an error.
        output_bytes: Bytes of replies that a client may leave unread; above it the daemon stops reading from it.
        stall_s: Seconds that a client may move nothing in the middle of a frame or with replies to read.
    """

    frame: FrameLimits
    connections: int
    output_bytes: int
    stall_s: float


class Loop:
    """Accepts, reads, runs, replies.

    Args:
        listening: The listening socket, non-blocking.
        dispatcher: Admits requests and runs leases.
        handler: Handles frames.
        limits: What clients may take.
        workers: How many workers there are: as many as cores.
    """

    def __init__(
        self,
        listening: socket.socket,
        dispatcher: Dispatcher,
        handler: Handler,
        limits: ClientLimits,
        workers: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._handler = handler
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._crew = Crew(workers, dispatcher.work)
        self._peers: dict[int, Peer] = {}
        self._pings: deque[Callable[[str], object]] = deque()
        self._behind: set[int] = set()  # descriptors of the peers that are behind
        self._is_working = False
        self._is_stopping = threading.Event()
        self._entrance = Entrance(
            listening,
            self._epoll,
            self._peers,
            limits.connections,
            lambda sock: Peer(sock, self._epoll, limits.frame, limits.output_bytes),
        )
        self._sweep = Sweep(self._peers, limits.stall_s, self._entrance.reopen)
        self._thread = threading.Thread(target=self._run_leader, name=_LEADER, daemon=True)

    def start(self) -> None:
        """Start to accept and to serve."""
        # Edge-triggered and never read: each write to it is one event.
        self._epoll.register(self._wake_fd, select.EPOLLIN | select.EPOLLET)
        self._entrance.open()
        self._crew.start()
        self._sweep.start()
        self._thread.start()

    def wake(self) -> None:
        """Let the leader take a waiting request."""
        os.eventfd_write(self._wake_fd, 1)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._peers)

    @property
    def owes_output(self) -> bool:
        """Whether a client has replies to read."""
        return any(peer.has_output for peer in list(self._peers.values()))

    def start_drain(self) -> None:
        """Accept no new client, and tell every client that this daemon takes no new requests."""
        self._entrance.close()
        for peer in list(self._peers.values()):
            peer.send_frame(message.goaway())

    @property
    def is_alive(self) -> bool:
        """Whether every thread runs."""
        return self._crew.is_alive and self._sweep.is_alive and self._thread.is_alive()

    @property
    def answering(self) -> tuple[str, ...]:
        """The names of the threads that answer pings."""
        return (_LEADER, *self._crew.names)

    def ping(self, on_pong: Callable[[str], object]) -> None:
        """Have every idle thread call ``on_pong`` with its name.

        For a thread that computes this method calls it: the time limit of its lease watches that thread.
        """
        if self._is_working:
            on_pong(_LEADER)
        else:
            self._pings.append(on_pong)
            self.wake()
        self._crew.ping(on_pong)

    def stop(self, wait: bool) -> None:
        """Close every connection and end the threads; without ``wait`` leave behind those that still compute."""
        self._is_stopping.set()
        deadline = time.monotonic() + (_STOP_S if wait else 0)
        while self._thread.is_alive() and time.monotonic() <= deadline:
            self.wake()
            self._thread.join(_STOP_STEP_S)
        self._sweep.stop(max(0.0, deadline - time.monotonic()))
        self._crew.stop(max(0.0, deadline - time.monotonic()))
        for peer in list(self._peers.values()):
            self._close(peer)

    def _run_leader(self) -> None:
        poll, peers, behind = self._epoll.poll, self._peers, self._behind
        while not self._is_stopping.is_set():
            turns = poll(0 if behind else None, _EVENTS_A_WAIT)
            if behind:
                turns += [(fd, select.EPOLLIN) for fd in behind]
                behind.clear()
            for fd, events in turns:
                peer = peers.get(fd)
                try:
                    lease = self._on_event(fd, events, peer)
                    if lease is not None:
                        self._lead_work(lease)
                except Exception as error:
                    log_bug("serving", error)

    def _lead_work(self, lease: Lease) -> None:
        """Run a short lease here, and have a worker run a long one."""
        self._is_working = True
        try:
            long = self._dispatcher.work(lease, _SHORT_US)
        finally:
            self._is_working = False
        if long is not None:
            self._crew.run(long)

    def _on_event(self, fd: int, events: int, peer: Peer | None) -> Lease | None:
        if peer is not None:
            return self._on_peer(peer, events)
        if fd == self._wake_fd:
            while self._pings:
                self._pings.popleft()(_LEADER)
            return self._dispatcher.take()
        if fd == self._entrance.fd:
            self._entrance.accept()
            self._sweep.wake()
        return None

    def _on_peer(self, peer: Peer, events: int) -> Lease | None:
        """Read from a client; return the lease of its first request that can run. The others wait in the dispatcher."""
        lease: Lease | None = None
        try:
            if events & select.EPOLLOUT and not peer.on_writable():
                self._close(peer)
            elif events & _INPUT:
                for _ in range(_READS_A_TURN):
                    more = peer.is_behind
                    if not more:
                        count, more = peer.receive()
                        if count == 0:
                            self._close(peer)
                            break
                    peer.is_behind = False
                    for _ in range(_FRAMES_A_TURN):
                        if (frame := peer.wire.next_frame()) is None:
                            break
                        lease = self._handler.on_frame(peer, frame, lease is None) or lease
                    else:
                        peer.is_behind = True
                        self._behind.add(peer.fd)
                        break
                    if not more:
                        break
        except RemoteWireError as error:
            LOG.info(
                "client pid %d uid %d broke the protocol: %s",
                peer.pid,
                peer.uid,
                error.message,
                extra=about(error=error),
            )
            peer.send((message.error(0, error).to_bytes(),))
            if not peer.end():
                self._close(peer)
        except OSError as error:
            LOG.debug("the connection of client pid %d uid %d broke: %s", peer.pid, peer.uid, error)
            self._close(peer)
        except Exception as error:
            log_bug("serving a connection", error)
            self._close(peer)  # a lease from before still runs, else its instance would be lost
        return lease

    def _close(self, peer: Peer) -> None:
        self._peers.pop(peer.fd, None)
        peer.close()
        self._handler.on_gone(peer)
