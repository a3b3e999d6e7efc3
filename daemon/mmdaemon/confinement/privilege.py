"""The privileges that a process gives up, for good, before it touches a model.

Source: prctl(2), setrlimit(2), proc(5) on ``oom_score_adj``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_NO_NEW_PRIVS = 38


def give_up(oom_score: int) -> None:
    """Gain no privilege from now on, leave no core file, and go early when the box is short of memory.

    Args:
        oom_score: 1000 for the first process that the kernel kills, 0 for one like any other.

    Raises:
        OSError: The kernel refuses.
    """
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with contextlib.suppress(OSError):  # a container may not let it; everything else still holds
        Path("/proc/self/oom_score_adj").write_text(str(oom_score))
    lower(resource.RLIMIT_CORE, 0)


def lower(which: int, value: int, grace: int = 0) -> None:
    """Set a limit, or keep the lower one that somebody set before.

    Args:
        which: One of ``resource.RLIMIT_*``.
        value: The soft limit.
        grace: How much higher the hard limit is.

    Raises:
        OSError: The kernel refuses.
    """
    soft, hard = value, value + grace
    most = resource.getrlimit(which)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(which, (soft, hard))


def die_with(parent: int) -> None:
    """End when the parent does. Only where the parent's thread that started this process lives as long as the parent.

    Args:
        parent: The process id that the parent had when this process began.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before the line above
        os._exit(1)
