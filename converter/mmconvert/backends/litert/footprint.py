"""How much memory a model needs of its own: allocations, and pages of its file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from mmconvert.backends.litert.stopwatch import prepare

_KIB = 1024
_WEIGHINGS = 3
_RESET_PEAK = "5"  # written to clear_refs: the peak is the present size from here on; proc(5)
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")  # the first line of a mapping in smaps, which ends with a path


def measure_memory(models: Mapping[str, Path]) -> dict[str, int | None]:
    """Return the bytes that each model adds, at its peak, to a process that has run another one.

    None stands for a model that kills the process. The kernels' code is left out: all models share it, the kernel can
    drop it and read it again, and its 8 MiB would hide the differences between the forms of one model.
    """
    first = next(iter(models.values()), None)
    if first is not None:
        prepare(first, 1)  # allocations that only the first model makes must not count for any model
    found: dict[str, list[int | None]] = {name: [] for name in models}
    for _ in range(_WEIGHINGS):
        for name, path in models.items():
            found[name].append(_weigh(path))
    return {name: _middle(weights) for name, weights in found.items()}


def _middle(weights: list[int | None]) -> int | None:
    known = [weight for weight in weights if weight is not None]
    return int(median(known)) if len(known) == len(weights) else None


def _weigh(model: Path) -> int | None:
    """Return the bytes that a model adds to a copy of this process, None if the copy dies."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _forget_the_past()
            before = _status()
            kept = prepare(model, 1)
            after = _status()
            code = after["RssFile"] - before["RssFile"] - _pages_of(model)
            grown = max(after[name] - before[name] for name in ("VmHWM", "VmRSS")) - code
            os.write(writer, str(grown * _KIB).encode())
            del kept
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return int(text) if text else None


def _forget_the_past() -> None:
    """Give back free memory, which a new model would use without growing the process; restart the peak here."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    with contextlib.suppress(OSError):  # on a kernel without it, the growth of the resident set counts
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)


def _status() -> dict[str, int]:
    """Return this process's sizes in KiB; names as in proc(5)."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {line[0].rstrip(":"): int(line[1]) for line in lines if line[0].startswith(("Vm", "Rss"))}


def _pages_of(file: Path) -> int:
    """Return the KiB of a file that are mapped and resident."""
    total, is_ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if _MAPPING.match(line):
            is_ours = line.endswith(str(file.resolve()))
        elif is_ours and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total
