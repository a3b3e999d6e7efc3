"""The README's first minutes: its block of commands, pasted as a whole into a real bash, prints what the page shows."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The environment of the tests stands in for the one that these lines make; they need a network.
INSTALLS = re.compile(r"(?:python3 -m venv|\. \S+/activate|pip install) ?.*\n")
RUNS = 10
LIMIT_S = 60.0


def blocks() -> tuple[str, str]:
    """Return the commands of the README's first minutes, and what it says they print."""
    section = (ROOT / "README.md").read_text().partition("## 60 seconds")[2].partition("\n## ")[0]
    commands, printed = re.findall(r"```(?:sh|text)\n(.*?)```", section, re.DOTALL)[:2]
    return commands, printed


def paste(text: str, folder: Path, environment: dict[str, str]) -> str:
    """Return what an interactive bash shows when the whole text arrives at once, as from a clipboard."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)
    try:
        os.write(terminal, text.encode() + b"echo the $((2 - 1))st end; kill %1; wait; exit\n")
        shown, deadline = b"", time.monotonic() + LIMIT_S
        while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # what a terminal says when its last process has gone
                return shown.decode().replace("\r", "")
        raise AssertionError(f"not over after {LIMIT_S:g} s:\n{shown.decode()}")
    finally:
        os.killpg(pid, signal.SIGKILL) if os.waitpid(pid, os.WNOHANG) == (0, 0) else None
        os.close(terminal)


@pytest.mark.parametrize("run", range(RUNS))
def test_the_first_minutes_work_when_they_are_pasted(run: int, tmp_path: Path) -> None:
    commands, printed = blocks()
    typed = INSTALLS.sub("", commands)
    assert "pip install" in commands and "mmdaemon" in typed
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    socket = str(tmp_path / "s")
    places = {"MM_SOCKET": socket, "MMDAEMON_PATHS_SOCKET": socket, "MMDAEMON_PATHS_STORE": str(tmp_path / "store")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shown = paste(typed, tmp_path, {**os.environ, **places, "PATH": path, "PS1": "$ ", "TERM": "dumb"})
    assert "the 1st end" in shown, shown
    rest = shown
    for line in filter(None, printed.splitlines()):
        assert line in rest, f"{line!r} is missing or comes too early in:\n{shown}"
        rest = rest.partition(line)[2]
