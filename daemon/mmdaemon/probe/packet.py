"""The packets between the daemon and the helper: one JSON object each, with descriptors attached."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from typing import Any

from mmdaemon.probe.limit import TrialLimits

_PACKET_BYTES = 4096
READY = b"ready"


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """The request to try one model. Attached: the file of the model, and the pipe for the trial result."""

    threads: int
    limits: TrialLimits


def send_request(control: socket.socket, request: TrialRequest, model: int, answer: int) -> None:
    """Send one request. A packet goes as a whole, so several threads may send at a time.

    Raises:
        OSError: The helper is gone.
    """
    socket.send_fds(control, [json.dumps(asdict(request)).encode()], [model, answer])


def receive_request(control: socket.socket) -> tuple[TrialRequest, int, int] | None:
    """Receive one request with its two descriptors; None when the daemon is gone.

    Raises:
        ValueError: The packet is not a request.
    """
    data, descriptors, _, _ = socket.recv_fds(control, _PACKET_BYTES, 2)
    if not data:
        return None
    fields: dict[str, Any] = json.loads(data)
    model, answer = descriptors
    return TrialRequest(int(fields["threads"]), TrialLimits(**fields["limits"])), model, answer
