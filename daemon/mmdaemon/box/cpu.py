"""The identity of the CPU, as far as the kernels of a model depend on it."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

# The lines of /proc/cpuinfo that decide on kernels: name and flags on x86, part and features on ARM.
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
    """Return a short text that is the same only for the same kind of CPU.

    Args:
        cpuinfo: The text of ``/proc/cpuinfo``. All kinds of cores in it count, but not their number.
        machine: The architecture, from ``uname -m``.
    """
    lines: set[tuple[str, str]] = set()
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in _TELLING:
            lines.add((key.strip(), " ".join(sorted(value.split()))))
    return f"{machine}-{hashlib.sha256(repr(sorted(lines)).encode()).hexdigest()[:16]}"


def this_cpu() -> str:
    """Return the identity of the CPU of this box. Without ``/proc/cpuinfo`` only the architecture counts."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        cpuinfo = ""
    return cpu_identity(cpuinfo, platform.machine())
