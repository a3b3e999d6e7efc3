"""What a thread holds while it computes a request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.request import Request


@dataclass(slots=True, eq=False)
class Lease:
    """One request on one instance, exclusively.

    Attributes:
        started: In monotonic seconds; set anew when it really runs.
        invoked: When its present invocation began: every row or batch of a request is one.
    """

    request: Request
    deployment: Deployment
    instance: Any
    started: float
    invoked: float = math.inf

    @property
    def expected_us(self) -> float:
        """How long it will take, from what its deployment's rows took lately; infinite for the first."""
        return self.deployment.usage.row_us * self.request.rows
