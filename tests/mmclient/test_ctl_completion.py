"""Completion as somebody meets it: the installed script in an interactive bash on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.fake_daemon import FakeDaemon

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


class Bash:
    """An interactive bash that has loaded the completion of mmctl."""

    def __init__(self, folder: Path, script: Path, socket: str) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {"PATH": path, "MM_SOCKET": socket, "PS1": "READY>", "TERM": "dumb", "HOME": str(folder)}
        self._screen, terminal = pty.openpty()
        with os.fdopen(terminal, "wb", buffering=0) as theirs:
            self._process = subprocess.Popen(
                ["bash", "--norc", "--noprofile", "-i"],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        self._read_until("READY>")
        os.write(self._screen, f"source {script}\n".encode())
        self._read_until("\nREADY>")

    def completed(self, line: str, expected: str) -> None:
        """Type a line, press the tab key, and wait until the line has become what is expected."""
        os.write(self._screen, f"{line}\t".encode())
        self._read_until(expected)
        os.write(self._screen, b"\x15")  # Ctrl-U empties the line

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def _read_until(self, expected: str) -> None:
        shown = ""
        deadline = time.monotonic() + LIMIT_S
        while expected not in shown.replace("\r", ""):
            left_s = deadline - time.monotonic()
            assert left_s > 0 and select.select([self._screen], [], [], left_s)[0], f"no {expected!r} in {shown!r}"
            shown += re.sub(r"\x1b\[\?2004[hl]|\x07", "", os.read(self._screen, 4096).decode())


@pytest.fixture
def bash(daemon: FakeDaemon, tmp_path: Path) -> Iterator[Bash]:
    subprocess.run([sys.executable, "docs/man/make.py", tmp_path / "prefix"], cwd=ROOT, check=True, timeout=60)
    folder = tmp_path / "work"
    (folder / "pictures").mkdir(parents=True)
    for name in ("cat.png", "readings.npy"):
        (folder / name).touch()
    made = Bash(folder, tmp_path / "prefix/share/bash-completion/completions/mmctl", daemon.path)
    yield made
    made.close()


def test_files_and_models_and_options_are_completed(bash: Bash) -> None:
    bash.completed("mmctl predict digits -i ca", "-i cat.png ")
    bash.completed("mmctl predict digits --input=re", "--input=readings.npy ")
    bash.completed("mmctl predict digits -i x=re", "-i x=readings.npy ")
    bash.completed("mmctl predict digits re", "digits readings.npy ")
    bash.completed("mmctl predict digits pic", "digits pictures/")
    bash.completed("mmctl predict digits -o re", "-o readings.npy ")
    bash.completed("mmctl --socket re", "--socket readings.npy ")
    bash.completed("mmctl predict dig", "predict digits ")
    bash.completed("mmctl show ech", "show echo8 ")
    bash.completed("mmctl predict --keep", "predict --keep-going ")
    bash.completed("mmctl unl", "mmctl unload ")
