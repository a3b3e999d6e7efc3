from __future__ import annotations

import os
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


def test_a_process_whose_parent_is_gone_does_not_go_on() -> None:
    code = (
        "import os; from mmdaemon.probe.limit import TrialLimits, confine\n"
        "confine(TrialLimits(), 0, os.getpid())\nprint('went on')"  # its parent is not itself
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (1, b"")


def test_limits_and_their_json_form() -> None:
    limits = TrialLimits(1.0, 2, 3)
    assert TrialLimits(**limits.as_dict()) == limits
    assert limits.with_more_memory() == TrialLimits(1.0, 2, 12)
    assert os.sysconf("SC_OPEN_MAX") > 0
