"""A daemon process to measure, on folders of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mmclient import Client

BIN = Path(sys.executable).parent
# As an installed product runs: its byte code is on disk, wherever this environment forbids to write it.
INSTALLED = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"mmdaemon-bench-{os.getuid()}"),
}


class Daemon:
    """A running daemon and where it listens."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.models = folder / "models"
        self.store = folder / "store"
        self.socket = folder / "s"
        self.models.mkdir(exist_ok=True)
        self.ready_s = 0.0
        self._settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, models: int = 0) -> None:
        """Start it and wait until it says READY to systemd, which is us; ``models`` models must serve then."""
        notify = self.models.parent / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(str(notify))
            began = time.perf_counter()
            self._process = subprocess.Popen(
                [BIN / "mmdaemon", "--models", self.models, "--store", self.store, "--socket", self.socket],
                stderr=subprocess.DEVNULL,
                env={**INSTALLED, **self._settings, "NOTIFY_SOCKET": str(notify)},
            )
            while not heard.recv(4096).startswith(b"READY=1"):
                pass
            self.ready_s = time.perf_counter() - began
        with Client(str(self.socket)) as client:
            assert client.status()["models"].get("ready", 0) == models

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    @property
    def rss_mb(self) -> float:
        """Its resident memory, without the probe's helper."""
        assert self._process is not None
        return _rss_mb(self._process.pid)

    @property
    def helper_rss_mb(self) -> float:
        """The resident memory of the probe's helper; 0 while there is none."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        pids = children.read_text().split() if children.exists() else []
        return sum(_rss_mb(int(pid)) for pid in pids)


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def daemon(folder: Path, models: int = 0, settings: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """Run a daemon, with these variables in its environment, until the block ends."""
    running = Daemon(folder, settings)
    running.start(models)
    try:
        yield running
    finally:
        running.stop()
