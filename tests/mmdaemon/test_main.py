"""The command line of the daemon, as far as it refuses to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MMDAEMON = Path(sys.executable).parent / "mmdaemon"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models"], "expected options only, got 'models'; the model folder is --models models"),
        (["--models", __file__], "expected the folder that holds the models, got the file"),
        (
            ["--models", "/nowhere"],
            "mmdaemon: the model folder /nowhere is not there\nhint: make it: mkdir -p /nowhere\n",
        ),
        (["--socket"], "requires an argument"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str], says: str) -> None:
    done = subprocess.run([MMDAEMON, *arguments], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
