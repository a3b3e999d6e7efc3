import subprocess
import sys


def test_limits_are_only_ever_lowered():
    code = (
        "import os, resource; from mmconvert.backends.process.limit import apply_limits;"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 3 << 30));"
        "apply_limits(16 << 30, 50, os.getppid());"
        "print(resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CPU))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{(3 << 30, 3 << 30)} (50, 51)\n"
