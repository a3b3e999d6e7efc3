"""Telling a person at a terminal how far it is."""

from __future__ import annotations

import sys
import time
from typing import TextIO

STAGES = ("inspect", "calibrate", "repair", "float", "parity", "quantize", "verify", "pack", "publish")


class Progress:
    """Stage lines on stderr; silent when that is no terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()
        self._start = time.monotonic()

    def on_stage(self, stage: str, what: str) -> None:
        """Say that a stage begins."""
        if self._is_shown:
            seconds = time.monotonic() - self._start
            number = STAGES.index(stage) + 1
            self._stream.write(f"[{number}/{len(STAGES)}] {stage:<9} {what} ({seconds:.1f} s)\n")
            self._stream.flush()
