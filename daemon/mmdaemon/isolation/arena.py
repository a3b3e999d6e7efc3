"""The arena: memory that the daemon and one child share. It holds the tensors of one request at a time."""

from __future__ import annotations

import fcntl
import mmap
import os

# Before the tensors lie two words of 64 bits. They have a page of their own, so that tensors are aligned for any
# kernel.
_HEAD_BYTES = mmap.PAGESIZE
_INVOCATIONS, _CANCELLED = 0, 1
_FIRST_BYTES = 256 * 1024


def open_arena() -> int:
    """Return the descriptor of a new arena. It can grow but never shrink, so no mapping of it faults.

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
    """An arena as one side sees it.

    Args:
        descriptor: The descriptor of the arena; this object closes it.

    Thread: one at a time on each side. ``invocations`` and ``is_cancelled`` are single words of memory: each side sees
    what the other one wrote.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map()

    def reserve(self, size: int) -> memoryview:
        """Return the memory for tensors, at least ``size`` bytes; its content stays.

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
        """How many invocations of the present request have begun. The child writes it."""
        return self._head[_INVOCATIONS]

    @invocations.setter
    def invocations(self, count: int) -> None:
        self._head[_INVOCATIONS] = count

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the present request any more. The daemon writes it."""
        return bool(self._head[_CANCELLED])

    @is_cancelled.setter
    def is_cancelled(self, cancelled: bool) -> None:
        self._head[_CANCELLED] = cancelled

    def close(self) -> None:
        """Close it. Views that were given out stay valid while a reference to them exists. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _map(self) -> None:
        # The old mapping ends with the last view of it, which a runtime may still hold.
        self._memory = mmap.mmap(self._descriptor, 0)
        whole = memoryview(self._memory)
        self._head = whole[:_HEAD_BYTES].cast("Q")
        self._tensors = whole[_HEAD_BYTES:]
