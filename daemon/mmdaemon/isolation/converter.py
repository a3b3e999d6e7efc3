"""Converts on the box: runs mmconvert as a process of low priority, so that models that serve are not slowed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdaemon.log.logger import LOG, about
from mmwire.errors import ModelError

_NICE = 10


class Converter:
    """Converts SavedModel folders, one at a time.

    Args:
        scratch: A folder for results.
        most_s: Seconds that one conversion may take.

    Thread: any; further callers wait.
    """

    def __init__(self, scratch: Path, most_s: float) -> None:
        self._scratch = scratch
        self._most_s = most_s
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def convert(self, source: Path, name: str) -> Iterator[Path]:
        """Give the ``.tflite`` file or FULL_TF folder that mmconvert makes of a SavedModel; it is removed afterwards.

        Raises:
            ModelError: ``MODEL_INVALID``: mmconvert rejects it, with the reason. ``MODEL_TOO_SLOW``. ``STORE_FAILED``.
        """
        with self._turn:
            try:
                folder = Path(tempfile.mkdtemp(prefix="conversion-", dir=self._scratch))
            except OSError as error:
                raise ModelError(
                    "STORE_FAILED", f"there is no room to convert {name}: {error.strerror}", retryable=True
                ) from None
            try:
                LOG.info("%s is being converted", name, extra=about(name))
                outcome = self._run(source, name, folder)
                LOG.info("%s is converted: %s, %s", name, outcome["verdict"], outcome["reason"], extra=about(name))
                yield Path(outcome["published"])
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _run(self, source: Path, name: str, folder: Path) -> dict[str, Any]:
        command = ["nice", "-n", str(_NICE), sys.executable, "-m", "mmconvert", str(source), "--name", name]
        command += ["--publish", str(folder), "--no-cache", "--json"]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=self._most_s,
                env=os.environ | {"TMPDIR": str(folder)},
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise ModelError(
                "MODEL_TOO_SLOW", f"converting {name} took more than {self._most_s:g} s", _BY_HAND
            ) from None
        try:
            outcome: dict[str, Any] = json.loads(done.stdout)
            verdict, reason = outcome["verdict"], outcome["reason"]
        except (ValueError, KeyError, TypeError):
            said = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise ModelError(
                "MODEL_INVALID", f"mmconvert ended with status {done.returncode}: {said}", _BY_HAND
            ) from None
        if not outcome.get("published"):
            raise ModelError("MODEL_INVALID", f"mmconvert says {verdict}: {reason}", _BY_HAND)
        return outcome


_BY_HAND = "run mmconvert by hand to see more"
