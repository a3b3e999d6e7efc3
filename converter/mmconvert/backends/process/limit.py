"""The limits of a child process, and how it takes them on before it imports anything large."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1  # Source: prctl(2)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the child processes.

    Attributes:
        memory_bytes: Address space of one child (RLIMIT_AS). TensorFlow alone reserves a few GiB of it.
        wall_s: Wall time of the whole conversion.
    """

    memory_bytes: int = 16 << 30
    wall_s: float = 1800.0


def apply_limits(memory_bytes: int, cpu_s: int, parent_pid: int) -> None:
    """Limit this process's address space and CPU time, write no core file, and die with the parent."""
    _lower(resource.RLIMIT_AS, memory_bytes, memory_bytes)
    _lower(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)  # SIGXCPU, then SIGKILL
    _lower(resource.RLIMIT_CORE, 0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # the parent died before the line above
        os._exit(1)


def _lower(kind: int, soft: int, hard: int) -> None:
    """Set a limit, or keep the lower one that a shell or a unit has already set; only root could raise it."""
    allowed = resource.getrlimit(kind)[1]
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(kind, (soft, hard))
