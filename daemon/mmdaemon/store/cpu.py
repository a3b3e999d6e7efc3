"""Which CPU this is, as far as a model's kernels depend on it."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

# Lines of /proc/cpuinfo that choose kernels: x86 by name and flags, ARM by part and features. No clock, no serial.
_TELLING = {
    "vendor_id",
    "model name",
    "flags",
    "Features",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
    "CPU revision",
}


def cpu_identity(cpuinfo: str, machine: str) -> str:
    """Return a short text that is the same for the same kind of CPU only.

    Args:
        cpuinfo: The text of ``/proc/cpuinfo``; big and little cores both count, how many of them does not.
        machine: The architecture, as ``uname -m`` tells it.
    """
    lines: set[tuple[str, str]] = set()
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in _TELLING:
            lines.add((key.strip(), " ".join(sorted(value.split()))))
    return f"{machine}-{hashlib.sha256(repr(sorted(lines)).encode()).hexdigest()[:16]}"


def this_cpu() -> str:
    """Return the identity of the CPU this runs on; without ``/proc/cpuinfo`` the architecture alone tells."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        cpuinfo = ""
    return cpu_identity(cpuinfo, platform.machine())
