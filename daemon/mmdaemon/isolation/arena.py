"""The arena: memory that the daemon and one child share. The tensors of one request at a time lie in it."""

from __future__ import annotations

import fcntl
import mmap
import os

# Ahead of the tensors: two words of 64 bits, on a page of their own so that tensors are aligned for any kernel.
_HEAD_BYTES = mmap.PAGESIZE
_INVOCATIONS, _CANCELLED = 0, 1
_FIRST_BYTES = 256 * 1024


def open_arena() -> int:
    """Return the descriptor of a new arena. It can grow and never shrinks, so that no mapping of it faults.

    Raises:
        OSError: No memory, no descriptor.
    """
    descriptor = os.memfd_create("mmdaemon-arena", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, _HEAD_BYTES + _FIRST_BYTES)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class Arena:
    """One side's view of an arena.

    Args:
        descriptor: Of the arena; this object's to close.

    Thread: one at a time on each side. ``invocations`` and ``is_cancelled`` are single words of memory: what the other
    side writes is seen by the next look.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map()

    def reserve(self, size: int) -> memoryview:
        """Return the memory for tensors, at least ``size`` bytes of it; what was in it stays.

        Raises:
            OSError: No memory.
        """
        if _HEAD_BYTES + size > len(self._memory):
            wanted = max(_HEAD_BYTES + size, 2 * len(self._memory) - _HEAD_BYTES)
            if os.fstat(self._descriptor).st_size < wanted:
                os.ftruncate(self._descriptor, wanted)
            self._map()
        return self._tensors

    @property
    def invocations(self) -> int:
        """How many invocations of the present request have begun; the child counts."""
        return self._head[_INVOCATIONS]

    @invocations.setter
    def invocations(self, count: int) -> None:
        self._head[_INVOCATIONS] = count

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the present request any more; the daemon says so."""
        return bool(self._head[_CANCELLED])

    @is_cancelled.setter
    def is_cancelled(self, cancelled: bool) -> None:
        self._head[_CANCELLED] = cancelled

    def close(self) -> None:
        """Let go of it; views that were given out stay valid until their last reference is gone. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _map(self) -> None:
        # The old mapping goes with the last view of it: a runtime may still hold one.
        self._memory = mmap.mmap(self._descriptor, 0)
        whole = memoryview(self._memory)
        self._head = whole[:_HEAD_BYTES].cast("Q")
        self._tensors = whole[_HEAD_BYTES:]
