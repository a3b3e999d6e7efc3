"""A real ``mmdaemon`` as a process, and waiting for what it does without guessing how long that takes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmclient import Client
from rig.waiting import LIMIT_S, wait_for

BIN = Path(sys.executable).parent
# A settle time that tests need not wait for, and a grace that they need not either.
QUICK = {
    "MMDAEMON_MODELS_SETTLE_MS": "50",
    "MMDAEMON_MODELS_UNFINISHED_S": "0.3",
    "MMDAEMON_MODELS_RETIRE_GRACE_S": "0.3",
    "MMDAEMON_MODELS_RESCAN_S": "1",
}


class DaemonProcess:
    """One daemon on folders of its own."""

    def __init__(
        self,
        folder: Path,
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        launcher: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.store = folder / "store"
        self.socket = folder / "s"
        self.log = folder / "log"
        self.models.mkdir(parents=True, exist_ok=True)
        self._arguments = arguments
        self._launcher = launcher
        self._environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        places = ["--models", self.models, "--store", self.store, "--socket", self.socket]
        return [*self._launcher, str(BIN / "mmdaemon"), *map(str, places), *self._arguments]

    def start(self, **popen: Any) -> DaemonProcess:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stderr=log, env=self._environment, **popen)
        wait_for("the daemon serves", self._serves)
        return self

    def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the daemon ended: {self.text()}"
        if not self.socket.exists():
            return False
        with self.client() as client:
            try:
                return bool(client.status())
            except Exception:
                return False

    def client(self, **more: Any) -> Client:
        return Client(str(self.socket), **more)

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def show(self, name: str) -> dict[str, Any]:
        with self.client() as client:
            return dict(client.show(name))

    def names(self) -> list[str]:
        with self.client() as client:
            return [model["name"] for model in client.models()]

    def drop(self, name: str, data: bytes) -> Path:
        """Put a file into the folder in one step."""
        part = self.models / f".{name.replace('/', '_')}.part"
        part.write_bytes(data)
        target = self.models / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return part.rename(target)

    def deploy(self, name: str, data: bytes, version: int | None = None) -> None:
        """Drop a file and wait until it serves."""
        self.drop(f"{name}.tflite", data)
        with self.client() as client:
            client.wait(name, version=version, timeout=LIMIT_S)

    def children(self) -> list[int]:
        """Return the daemon's child processes, whichever of its threads started them."""
        assert self.process is not None
        found: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread that has ended since
                found += map(int, (task / "children").read_text().split())
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    def kill(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
