"""One request for inference, from its frame to its reply."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mmwire.errors import MmError
from mmwire.tensor import Shape, SignatureSpec


class ReplyTo(Protocol):
    """Where the reply to a request goes, outside of the monitor. Only the first call counts."""

    def on_answer(self, request: Request, version: int, answer: Any, queue_us: int, run_us: int) -> None:
        """Take the outputs, and the version that computed them."""

    def on_error(self, request: Request, error: MmError) -> None:
        """Take the reason why there are no outputs."""


@dataclass(slots=True, eq=False)
class Request:
    """A request of a caller, with the time that the caller waits.

    Attributes:
        reply_to: Gets the reply.
        request_id: The caller's own number.
        model: The model's name.
        version: The version that must answer; 0 = whichever serves.
        spec: The signature as the caller knows it. After a swap to other tensors the request is refused.
        payload: The bytes of the inputs, in spec order; their size fits the spec.
        rows: How many rows they hold.
        shapes: The inputs' shapes, for a signature that is not static.
        arrived: When it was read, in monotonic seconds.
        deadline: When the caller stops waiting, in monotonic seconds.
        is_waiting: Whether it waits in a lane.
        is_gone: Whether the caller no longer waits for the answer.
    """

    reply_to: ReplyTo
    request_id: int
    model: str
    spec: SignatureSpec
    payload: bytes | memoryview
    arrived: float
    version: int = 0
    rows: int = 1
    shapes: Sequence[Shape] | None = None
    deadline: float = math.inf
    is_waiting: bool = False
    is_gone: bool = False
