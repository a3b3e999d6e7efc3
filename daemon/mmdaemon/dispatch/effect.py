"""The effects of scheduling: what the scheduler and its supply ask for, and somebody else does."""

from __future__ import annotations

from typing import Any, Protocol

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.request import Request
from mmwire.errors import MmError


class Effects(Protocol):
    """Takes what is asked for under the monitor; an implementation only notes it."""

    def wake(self) -> None:
        """Have one more thread call ``take``."""

    def reject(self, request: Request, error: MmError) -> None:
        """Reply with an error to a request that had been admitted."""

    def grow(self, deployment: Deployment) -> None:
        """Have one more instance loaded; ``on_grown`` or ``on_not_grown`` follows."""

    def close(self, instance: Any) -> None:
        """Have an instance closed that nobody will lease again."""
