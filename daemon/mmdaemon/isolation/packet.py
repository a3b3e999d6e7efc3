"""The packets between the daemon and a child: one JSON object each; the tensors lie in the arena.

::

    daemon -> child   Order (attached: the model)     child -> daemon   {"facts": ...} or {"error": MmError.as_dict()}
    daemon -> child   Run                             child -> daemon   Ran, or {"error": ...}
"""

from __future__ import annotations

import json
import mmap
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmwire.errors import MmError, error_from_dict
from mmwire.tensor import Shape

MEMORY_KEY = "executor.memory_mb"  # the key of the configuration behind ``Order.memory_bytes``
_PACKET_BYTES = 256 * 1024  # the kernel takes at most 208 KB in one packet
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Order:
    """The order to load one model.

    Attributes:
        opener: ``module:function`` that loads it; see ``child.Opener``.
        threads: Threads of one invocation.
        batch: ``Traits.batch``.
        state: ``Traits.state``.
        device: The device that TensorFlow computes on: ``auto``, ``cpu``, ``gpu`` or ``gpu:N``.
        scratch: An empty folder for the files of a SavedModel; the daemon removes it.
        memory_bytes: The memory that the child may take; 0 = no limit.
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
    """The order to compute one request, whose inputs lie at the start of the arena.

    Attributes:
        size: The bytes of the inputs.
    """

    signature: str
    size: int
    rows: int
    shapes: list[list[int]] | None


@dataclass(frozen=True, slots=True)
class Ran:
    """The outputs of one request.

    Attributes:
        begin: The offset of the first one in the arena; the others follow it.
        sizes: The bytes of each.
        shapes: Their shapes, when they do not follow from the spec and the rows.
    """

    begin: int
    sizes: list[int]
    shapes: list[list[int]] | None

    def output_shapes(self) -> tuple[Shape, ...] | None:
        """Return the shapes as ``Outputs`` has them."""
        return None if self.shapes is None else tuple(tuple(shape) for shape in self.shapes)


class Channel:
    """One end of the connection between the daemon and a child.

    Args:
        sock: A sequenced-packet socket; this object closes it.

    Thread: one at a time; ``shut_down`` any.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # recv() with so many bytes would allocate them each time: 17 us a packet, and several times that with cold
        # caches.
        self._room = mmap.mmap(-1, _PACKET_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def fileno(self) -> int:
        """Return the descriptor. It is readable when a packet has come, or the other side is gone."""
        return self._sock.fileno()

    def send(self, message: Order | Run | Ran | Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send one packet.

        Raises:
            OSError: The other side is gone.
        """
        if not isinstance(message, Mapping):
            message = {name: getattr(message, name) for name in message.__slots__}
        data = _encode(message).encode()
        if descriptors:
            socket.send_fds(self._sock, [data], descriptors)
        else:
            self._sock.send(data)

    def receive(self) -> dict[str, Any] | None:
        """Receive one packet; None when the other side is gone.

        Raises:
            OSError: The connection broke.
            ValueError: The packet is not a message.
        """
        size = self._sock.recv_into(self._room)
        if not size:
            return None
        fields = json.loads(self._room[:size].decode())
        if not isinstance(fields, dict):
            raise ValueError("a message is an object")
        return fields

    def receive_order(self) -> tuple[Order, int] | None:
        """Receive an order with the descriptor of its model; None when the daemon is gone.

        Raises:
            OSError, ValueError: See ``receive``.
        """
        data, descriptors, _, _ = socket.recv_fds(self._sock, _PACKET_BYTES, 1)
        if not data:
            return None
        [model] = descriptors
        return Order(**json.loads(data)), model

    def shut_down(self) -> None:
        """End the conversation for both sides.

        Raises:
            OSError: It had ended already.
        """
        self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._sock.close()


def error_of(message: dict[str, Any]) -> MmError | None:
    """Return the error in a reply, None when it has none."""
    return error_from_dict(message["error"]) if "error" in message else None
