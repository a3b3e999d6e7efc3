"""The one way in which tests wait for something that tells nobody: look again, with one limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

LIMIT_S = 60.0
_PAUSE_S = 0.005


def wait_for(what: str, condition: Callable[[], Found]) -> Found:
    """Look again until the condition gives something true, and return that; fail after ``LIMIT_S``."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(_PAUSE_S)
    return found
