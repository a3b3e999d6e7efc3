"""What a trial may take, and how a process puts that on itself."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_NO_NEW_PRIVS = 38
_OPEN_FILES = 256
_CPU_GRACE_S = 5
_PAGE_BYTES = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """Of one trial.

    Attributes:
        wall_s: Then it is killed.
        cpu_s: Of all its threads together; then the kernel kills it.
        memory_bytes: Address space that it may add to what the warm helper has, besides the file's own size twice.
    """

    wall_s: float = 60.0
    cpu_s: int = 60
    memory_bytes: int = 4 * 1024**3

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    def with_more_memory(self) -> TrialLimits:
        """Return the same limits with four times the memory."""
        return replace(self, memory_bytes=4 * self.memory_bytes)


def confine(limits: TrialLimits, file_bytes: int, parent: int) -> None:
    """Confine this process for good: it dies with its parent, goes first when memory is short, writes no file.

    Args:
        limits: What it may take.
        file_bytes: Size of the model: it is mapped, and its weights may be repacked.
        parent: The process to die with.

    Raises:
        OSError: The kernel refuses.

    Source: prctl(2), setrlimit(2), proc(5) on ``oom_score_adj``.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _lower(resource.RLIMIT_CPU, limits.cpu_s, _CPU_GRACE_S)  # SIGXCPU, and only then SIGKILL
    _lower(resource.RLIMIT_AS, _address_bytes() + limits.memory_bytes + 2 * file_bytes)


def _lower(which: int, value: int, grace: int = 0) -> None:
    soft, hard = value, value + grace
    most = resource.getrlimit(which)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(which, (soft, hard))


def _address_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE_BYTES


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor of this process that is not in ``keep``."""
    low = 0
    for descriptor in sorted(set(keep)):
        if low < descriptor:  # closerange(0, 0) closes everything (Python 3.11, where -1 becomes the last descriptor)
            os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
