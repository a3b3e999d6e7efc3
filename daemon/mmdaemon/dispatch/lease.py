"""The lease, which a thread holds while it runs a request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.request import Request


@dataclass(slots=True, eq=False)
class Lease:
    """One request on one instance, for one thread alone.

    Attributes:
        started: When its thread began to run it, in monotonic seconds; infinite before.
        invoked: When the present invocation began. Every row or batch of a request is one invocation.
    """

    request: Request
    deployment: Deployment
    instance: Any
    started: float = math.inf
    invoked: float = math.inf

    @property
    def expected_us(self) -> float:
        """Microseconds that it will take, judged by the rows before; infinite for the first request of a model."""
        return self.deployment.usage.row_us * self.request.rows
