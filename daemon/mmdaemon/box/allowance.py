"""The cores and the memory that this process may use, by its affinity and its control groups."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_MIB = 1024 * 1024


def usable_cores(root: Path = Path("/")) -> int:
    """Return how many cores this process may use, by its affinity and the quotas of its control groups."""
    cores = len(os.sched_getaffinity(0))
    for text in _limits(root, "cpu.max"):
        quota, _, period = text.partition(" ")
        if quota.isdigit() and period.isdigit():
            cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores


def usable_memory_mb(root: Path = Path("/")) -> int:
    """Return the memory that this process may use, in MiB, by the box and the limits of its control groups."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for text in _limits(root, "memory.max"):
        if text.isdigit():
            memory = min(memory, int(text))
    return max(1, memory // _MIB)


def _limits(root: Path, name: str) -> list[str]:
    """Return the content of a file in the control group of this process, and in every group around it.

    Source: cgroups(7) on ``/proc/PID/cgroup``. The line of version 2 begins with ``0::``.
    """
    top = root / "sys/fs/cgroup"
    group = top
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        group = top / next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
    except (OSError, StopIteration):
        group = top
    found: list[str] = []
    for place in (group, *group.parents):
        with contextlib.suppress(OSError):
            found.append((place / name).read_text().strip())
        if place == top:
            break
    return found
