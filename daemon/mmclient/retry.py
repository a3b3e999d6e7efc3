"""Decides whether a failed request goes out again, and when."""

from __future__ import annotations

import random
import time

from mmclient.reach import DaemonAbsentError
from mmwire.errors import MmError

_FIRST_S = 0.002
_LONGEST_S = 0.25
# A request that crashes the daemon must not crash it again and again until its deadline.
_MAX_LOSSES = 5
_AT_ONCE = frozenset({"CONNECTION_LOST", "SPECS_CHANGED"})
_AFTER_A_WHILE = frozenset({"DRAINING", "MODEL_LOADING"})


class Retry:
    """The failures of one request so far.

    A request is retried inside its deadline after a broken connection, a draining daemon, changed specs, or while its
    model loads. Inference has no side effects, so sending twice does no harm. A full queue is the caller's to handle.

    Args:
        deadline: When to give up.
        also: More codes after which to retry.
        awaits_daemon: Whether to wait for a daemon that has never answered: it may be starting.

    Thread: one at a time.
    """

    def __init__(self, deadline: float, also: frozenset[str] = frozenset(), *, awaits_daemon: bool = False) -> None:
        self._deadline = deadline
        self._awaits_daemon = awaits_daemon
        self._also = also
        self._again: set[str] = set()
        self._losses = 0
        self._delay_s = _FIRST_S

    def after(self, error: MmError, was_connected: bool) -> None:
        """Wait, and return when the request should go out again.

        Args:
            error: The request's latest failure.
            was_connected: Whether a daemon has answered this client before: a missing one may be restarting.

        Raises:
            MmError: ``error``, if a retry cannot help or the deadline is too near.
        """
        code = error.code
        if not (
            code in _AT_ONCE
            or code in _AFTER_A_WHILE
            or code in self._also
            or (code == "DAEMON_UNREACHABLE" and was_connected)
            or (isinstance(error, DaemonAbsentError) and self._awaits_daemon)
        ):
            raise error
        if code == "CONNECTION_LOST":
            self._losses += 1
            if self._losses > _MAX_LOSSES:
                raise error
        if code in _AT_ONCE and code not in self._again:
            self._again.add(code)
            delay_s = 0.0
        else:
            delay_s = self._delay_s * random.uniform(0.5, 1.0)
            self._delay_s = min(self._delay_s * 2, _LONGEST_S)
        if time.monotonic() + delay_s >= self._deadline:
            raise error
        time.sleep(delay_s)
