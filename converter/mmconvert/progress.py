"""Telling a person at a terminal how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

STAGES = ("inspect", "calibrate", "float", "gate", "search", "verify", "pack", "publish")


class Progress:
    """Stage lines and bars on stderr; silent when that is no terminal."""

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

    @contextmanager
    def bar(self, stage: str, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar for a stage of many equal steps; the value is called after each of them."""
        from tqdm import tqdm

        number = STAGES.index(stage) + 1
        with tqdm(
            total=total,
            desc=f"[{number}/{len(STAGES)}] {stage:<9} {what}",
            file=self._stream,
            disable=not self._is_shown,
            leave=False,
        ) as shown:

            def on_step() -> None:
                shown.update()

            yield on_step
