"""Notes of what the scheduler asks for under the monitor; the dispatcher does it after it left the monitor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.request import Request
from mmwire.errors import MmError


@dataclass(slots=True)
class Notes:
    """What the scheduler asked for since the last ``take``.

    Attributes:
        wakes: Whether one more thread is wanted.
        grown: The deployments that want one more instance.
        rejected: The requests that are refused, with the reason.
        closed: The instances that are to be closed.
    """

    wakes: bool = False
    grown: list[Deployment] = field(default_factory=list)
    rejected: list[tuple[Request, MmError]] = field(default_factory=list)
    closed: list[Any] = field(default_factory=list)


class Notebook:
    """``Effects`` that only note what is asked for.

    Thread: under the monitor. The notes that ``take`` returns belong to its caller.
    """

    def __init__(self) -> None:
        self._is_empty = True
        self._page = Notes()

    def wake(self) -> None:
        """Note that one more thread is wanted."""
        self._is_empty = False
        self._page.wakes = True

    def grow(self, deployment: Deployment) -> None:
        """Note that one more instance is wanted."""
        self._is_empty = False
        self._page.grown.append(deployment)

    def reject(self, request: Request, error: MmError) -> None:
        """Note that a request is refused."""
        self._is_empty = False
        self._page.rejected.append((request, error))

    def close(self, instance: Any) -> None:
        """Note that an instance is to be closed."""
        self._is_empty = False
        self._page.closed.append(instance)

    def take(self) -> Notes | None:
        """Return what was noted and begin a new page; None when nothing was noted."""
        if self._is_empty:
            return None
        self._is_empty = True
        taken, self._page = self._page, Notes()
        return taken
