from __future__ import annotations

import subprocess
import sys

from mmdaemon.probe.limit import TrialLimits

CLOSE = """
import os, sys
from mmdaemon.probe.limit import close_all_but
for number in range(3, 40):
    os.dup2(1, number)
close_all_but({*map(int, sys.argv[1:])})
alive = []
for number in range(60):
    try:
        os.fstat(number)
        alive.append(number)
    except OSError:
        pass
os.write(int(sys.argv[1]), repr(alive).encode())
"""


def alive_after(*keep: int) -> str:
    done = subprocess.run([sys.executable, "-c", CLOSE, *map(str, keep)], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def test_exactly_the_named_descriptors_stay_open() -> None:
    assert alive_after(1, 0, 2) == "[0, 1, 2]"
    assert alive_after(17, 5, 6) == "[5, 6, 17]"
    assert alive_after(39) == "[39]"


def test_a_second_try_has_four_times_the_memory_and_the_error_names_the_key() -> None:
    limits = TrialLimits(1.0, 2, 3 << 20)
    assert limits.with_more_memory() == TrialLimits(1.0, 2, 12 << 20)
    error = limits.too_large()
    assert (error.code, error.retryable) == ("MODEL_TOO_LARGE", True)
    assert "more memory than the 3 MiB of probe.memory_mb" in error.message and "raise probe.memory_mb" in error.hint
