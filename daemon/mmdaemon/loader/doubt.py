"""Problems in the folder that may pass by themselves: they count once they have lasted."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mmwire.errors import MmError


class Doubts:
    """Remembers since when each retryable problem stands. install(1) and others give a file its rights last.

    Args:
        settle_s: How long a problem must last before it counts.

    Thread: under the loader's monitor.
    """

    def __init__(self, settle_s: float) -> None:
        self.settle_s = settle_s
        self._since: dict[tuple[str, str], float] = {}

    def on_look(self, problems: Mapping[str, MmError], now: float) -> None:
        """Take in the problems of one look, by name; those that are gone are forgotten."""
        found = [(name, problem.message) for name, problem in problems.items() if problem.retryable]
        self._since = {key: self._since.get(key, now) for key in found}

    def counts_from(self, name: str, problem: MmError) -> float:
        """Return from when on a problem of the last look counts, in monotonic seconds."""
        since = self._since.get((name, problem.message))
        return -math.inf if since is None else since + self.settle_s
