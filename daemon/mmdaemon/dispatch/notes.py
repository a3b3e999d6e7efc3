"""Notes of what the scheduler asks for under the monitor; the dispatcher does it after it left the monitor."""

from __future__ import annotations

from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.request import Request
from mmwire.errors import MmError


class Notes:
    """``Effects`` that only note what is asked for.

    Thread: under the monitor. What ``take`` returns belongs to its caller.
    """

    def __init__(self) -> None:
        self.is_empty = True
        self.wakes = False
        self.grown: list[Deployment] = []
        self.rejected: list[tuple[Request, MmError]] = []
        self.closed: list[Any] = []

    def wake(self) -> None:
        """Note that one more thread is wanted."""
        self.is_empty = False
        self.wakes = True

    def grow(self, deployment: Deployment) -> None:
        """Note that one more instance is wanted."""
        self.is_empty = False
        self.grown.append(deployment)

    def reject(self, request: Request, error: MmError) -> None:
        """Note that a request is refused."""
        self.is_empty = False
        self.rejected.append((request, error))

    def close(self, instance: Any) -> None:
        """Note that an instance is to be closed."""
        self.is_empty = False
        self.closed.append(instance)

    def take(self) -> Notes | None:
        """Return what was noted and begin again; None when nothing was noted."""
        if self.is_empty:
            return None
        taken = Notes.__new__(Notes)
        taken.__dict__.update(self.__dict__)
        self.__init__()  # type: ignore[misc]
        return taken
