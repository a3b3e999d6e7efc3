"""What the daemon and a child say to each other: one JSON object a packet, the tensors beside it in the arena.

::

    daemon -> child   Order (attached: the model)     child -> daemon   {"facts": ...} or {"error": MmError.as_dict()}
    daemon -> child   Run                             child -> daemon   Ran, or {"error": ...}
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from typing import Any

from mmwire.errors import MmError, error_from_dict
from mmwire.tensor import Shape

_PACKET_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """Load one model.

    Attributes:
        opener: ``module:function`` that loads it; see ``child.Opener``.
        threads: Threads of one invocation.
        batch: ``Traits.batch``.
        state: ``Traits.state``.
        device: Where TensorFlow computes: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``.
        scratch: An empty folder for the files of a SavedModel; the daemon removes it.
        memory_bytes: Memory that the child may take; 0 = no limit of its own.
    """

    opener: str
    threads: int
    batch: int
    state: str
    device: str
    scratch: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """Compute one request, whose inputs lie at the start of the arena.

    Attributes:
        size: Bytes of the inputs.
    """

    signature: str
    size: int
    rows: int
    shapes: list[list[int]] | None


@dataclass(frozen=True, slots=True)
class Ran:
    """The outputs of one request.

    Attributes:
        begin: Where the first one lies in the arena; the others follow it.
        sizes: Bytes of each.
        shapes: Their shapes, when they do not follow from the spec and the rows.
    """

    begin: int
    sizes: list[int]
    shapes: list[list[int]] | None

    def answer_shapes(self) -> tuple[Shape, ...] | None:
        """Return the shapes as ``Answer`` has them."""
        return None if self.shapes is None else tuple(tuple(shape) for shape in self.shapes)


def send(
    control: socket.socket, message: Order | Run | Ran | dict[str, Any], descriptors: tuple[int, ...] = ()
) -> None:
    """Send one packet.

    Raises:
        OSError: The other side is gone.
    """
    fields = message if isinstance(message, dict) else asdict(message)
    data = json.dumps(fields, separators=(",", ":")).encode()
    if descriptors:
        socket.send_fds(control, [data], list(descriptors))
    else:
        control.send(data)


def receive(control: socket.socket) -> dict[str, Any] | None:
    """Receive one packet; None when the other side is gone.

    Raises:
        OSError: The connection broke.
        ValueError: Not a message.
    """
    data = control.recv(_PACKET_BYTES)
    if not data:
        return None
    fields = json.loads(data)
    if not isinstance(fields, dict):
        raise ValueError("a message is an object")
    return fields


def receive_order(control: socket.socket) -> tuple[Order, int] | None:
    """Receive an order with the descriptor of its model; None when the daemon is gone.

    Raises:
        OSError, ValueError: See ``receive``.
    """
    data, descriptors, _, _ = socket.recv_fds(control, _PACKET_BYTES, 1)
    if not data:
        return None
    [model] = descriptors
    return Order(**json.loads(data)), model


def error_of(message: dict[str, Any]) -> MmError | None:
    """Return the error that a reply carries, None for a good one."""
    return error_from_dict(message["error"]) if "error" in message else None
