"""Telling a person at a terminal how far a conversion is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Stage lines and bars on stderr; silent when stderr is not a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()
        self._start = time.monotonic()
        self._stage = ""

    def on_stage(self, number: int, total: int, name: str) -> None:
        """Note that a stage begins; it is shown once it says what it does."""
        self._stage = f"[{number}/{total}] {name:<9}"

    def on_step(self, what: str) -> None:
        """Show what the stage does now."""
        if self._is_shown:
            seconds = time.monotonic() - self._start
            self._stream.write(f"{self._stage} {what} ({seconds:.1f} s)\n")
            self._stream.flush()

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar for many equal steps; the value is called after each of them."""
        from tqdm import tqdm

        with tqdm(
            total=total,
            desc=f"{self._stage} {what}",
            file=self._stream,
            disable=not self._is_shown,
            leave=False,
        ) as shown:

            def on_done() -> None:
                shown.update()

            yield on_done
