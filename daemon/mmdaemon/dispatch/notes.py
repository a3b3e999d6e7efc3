"""What the scheduler asked for while the monitor was held; done after it was left."""

from __future__ import annotations

from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.request import Request
from mmwire.errors import MmError


class Notes:
    """``Effects`` that only take note.

    Thread: under the monitor, until it is taken out of the dispatcher; then its taker's.
    """

    def __init__(self) -> None:
        self.is_empty = True
        self.wakes = False
        self.grown: list[Deployment] = []
        self.rejected: list[tuple[Request, MmError]] = []
        self.closed: list[Any] = []

    def wake(self) -> None:
        """One more thread is wanted."""
        self.is_empty = False
        self.wakes = True

    def grow(self, deployment: Deployment) -> None:
        """One more instance is wanted."""
        self.is_empty = False
        self.grown.append(deployment)

    def reject(self, request: Request, error: MmError) -> None:
        """A request is refused."""
        self.is_empty = False
        self.rejected.append((request, error))

    def close(self, instance: Any) -> None:
        """An instance is done with."""
        self.is_empty = False
        self.closed.append(instance)

    def take(self) -> Notes | None:
        """Return what was noted and start afresh; None when there is nothing."""
        if self.is_empty:
            return None
        taken = Notes.__new__(Notes)
        taken.__dict__.update(self.__dict__)
        self.__init__()  # type: ignore[misc]
        return taken
