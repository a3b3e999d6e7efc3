"""The sweep: a thread that drops clients that stall. Without clients it does not wake an idle box."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mmdaemon.listener.peer import Peer
from mmdaemon.log.logger import LOG

_PAUSE_S = 1.0
_SWEEPS_A_STALL = 8  # so a client that stalls is dropped at most an eighth of stall_s late


class Sweep:
    """Looks at every client from time to time.

    Args:
        peers: The connected clients by descriptor.
        stall_s: Seconds that a client may move nothing in the middle of a frame or with replies to read.
        on_sweep: Called after each sweep.

    Thread: any for every method.
    """

    def __init__(self, peers: dict[int, Peer], stall_s: float, on_sweep: Callable[[], object]) -> None:
        self._peers = peers
        self._stall_s = stall_s
        self._on_sweep = on_sweep
        self._is_stopping = threading.Event()
        self._has_work = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mm-sweep", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """End the thread, and wait ``wait_s`` for that."""
        self._is_stopping.set()
        self._has_work.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Sweep after the next pause, and from then on as long as there are clients."""
        self._has_work.set()

    def _run(self) -> None:
        pause_s = max(_PAUSE_S, self._stall_s / _SWEEPS_A_STALL)
        while not self._is_stopping.is_set():
            self._has_work.wait()
            if self._is_stopping.wait(pause_s):
                return
            self._has_work.clear()
            self._drop_stalled(time.monotonic() - self._stall_s)
            self._on_sweep()
            if self._peers:
                self._has_work.set()

    def _drop_stalled(self, limit: float) -> None:
        for peer in list(self._peers.values()):
            if peer.owes_progress and peer.last_progress < limit:
                LOG.info(
                    "client pid %d uid %d moved nothing for %g s and is dropped", peer.pid, peer.uid, self._stall_s
                )
                peer.hang_up()
