"""The releases of this product that tests hold against each other: this tree, and the wheel of an earlier one.

A wheel is a zip file of pure Python here, so unpacking it installs it: ``PYTHONPATH`` puts it before this tree, for a
process and for all that it starts. Both sides share numpy, LiteRT and the other packages of this environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.daemon_process import QUICK, DaemonProcess
from rig.waiting import LIMIT_S

ROOT = Path(__file__).parents[2]
OLD_WHEEL = ROOT / "tests/compatibility/old/mmdaemon-0.1.0-py3-none-any.whl"
TREES = (ROOT / "daemon", ROOT / "converter")
_MMCTL = "import sys; from mmclient.cli.main import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Release:
    """One release.

    Attributes:
        name: In the names of tests.
        places: Folders that hold its packages.
    """

    name: str
    places: tuple[Path, ...]

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a Python process imports this release and no other."""
        return {"PYTHONPATH": os.pathsep.join(map(str, self.places)), "PYTHONDONTWRITEBYTECODE": "1"}

    def require(self) -> None:
        """Fail unless a process really imports this release."""
        names = ("mmwire", "mmdaemon", "mmclient")
        told = self.run("-c", f"import {', '.join(names)}; print(*({', '.join(f'{name}.__file__' for name in names)}))")
        assert all(Path(path).is_relative_to(self.places[0]) for path in told.stdout.split()), told.stdout

    def run(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Python with this release to its end."""
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env={**os.environ, **self.environment},
        )
        assert not check or done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"
        return done

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start Python with this release."""
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment},
        )

    def mmctl(self, daemon: DaemonProcess, *arguments: str) -> tuple[int, Any]:
        """Run its ``mmctl --json``; return the exit status and the document on stdout, or the error on stderr."""
        done = self.run("-c", _MMCTL, "--socket", daemon.socket, "--json", *arguments, check=False)
        return done.returncode, json.loads(done.stdout or done.stderr)


class ReleaseDaemon(DaemonProcess):
    """The daemon of a release on folders that it may share with another one, one after the other."""

    def __init__(self, release: Release, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, environment={**QUICK, **release.environment, **(environment or {})})

    def command(self) -> list[str]:
        return [sys.executable, "-m", "mmdaemon", *super().command()[1:]]


def this_release() -> Release:
    return Release("new", TREES)


def old_release(folder: Path) -> Release:
    """Unpack the old wheel into a folder."""
    with zipfile.ZipFile(OLD_WHEEL) as wheel:
        wheel.extractall(folder)
    return Release("old", (folder,))
