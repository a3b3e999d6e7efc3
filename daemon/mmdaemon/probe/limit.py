"""The limits of a trial, and how a process confines itself to them."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mmdaemon.confinement.memory import too_large
from mmdaemon.confinement.privilege import die_with, give_up, lower
from mmwire.errors import ModelError

_OOM_SCORE = 1000  # the kernel kills a trial before anything else
_OPEN_FILES = 256
_CPU_GRACE_S = 5
_PAGE_BYTES = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """The limits of one trial.

    Attributes:
        wall_s: How long it may take; then the helper kills it.
        cpu_s: Processor time of all its threads together; then the kernel kills it.
        memory_bytes: Address space that it may take, besides that of the helper and twice the size of the file.
    """

    wall_s: float = 60.0
    cpu_s: int = 60
    memory_bytes: int = 4 * 1024**3

    def with_more_memory(self) -> TrialLimits:
        """Return the same limits with four times the memory."""
        return replace(self, memory_bytes=4 * self.memory_bytes)

    def too_large(self) -> ModelError:
        """Return the error of a model that needs more memory than this."""
        return too_large("trying", "probe.memory_mb", self.memory_bytes)


def confine(limits: TrialLimits, file_bytes: int, parent: int) -> None:
    """Confine this process for good: it dies with its parent, goes first when memory is short, and writes no file.

    Args:
        limits: What it may take.
        file_bytes: The size of the model. The runtime maps the file and may copy its weights into another order.
        parent: The process to die with.

    Raises:
        OSError: The kernel refuses.

    Source: setrlimit(2).
    """
    die_with(parent)
    give_up(_OOM_SCORE)
    lower(resource.RLIMIT_FSIZE, 0)
    lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    lower(resource.RLIMIT_CPU, limits.cpu_s, _CPU_GRACE_S)  # the kernel sends SIGXCPU, and later SIGKILL
    lower(resource.RLIMIT_AS, _address_bytes() + limits.memory_bytes + 2 * file_bytes)


def _address_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE_BYTES


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor of this process that is not in ``keep``."""
    low = 0
    for descriptor in sorted(set(keep)):
        if low < descriptor:  # closerange(0, 0) closes everything in Python 3.11, where -1 becomes the last descriptor
            os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
