"""A connection, and the signatures that were opened on it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from mmclient.transport import MAX_TIMEOUT_S, Transport
from mmwire import message
from mmwire.errors import RequestError
from mmwire.frame import FrameType
from mmwire.message import Open

if TYPE_CHECKING:
    from mmclient.binding import Binding

_MAX_OPENED = 1000  # older daemons give a connection 1024 handles and reuse none: leave it before that


class Link(Transport):
    """A connection to the daemon with its open signatures.

    Attributes:
        bindings: The signatures that were opened here, by name, signature and version.

    Thread: one at a time.
    """

    __slots__ = ("_opened", "bindings")

    def __init__(self, path: str, deadline: float, patience_s: float) -> None:
        """Connect and greet, as ``Transport``."""
        self.bindings: dict[tuple[str, str, int | None], Binding] = {}
        self._opened = 0
        super().__init__(path, deadline, patience_s)

    def open(self, name: str, signature: str, version: int | None, deadline: float) -> Binding:
        """Return the signature's binding, opened by the first caller.

        Raises:
            MmError: The daemon's refusal, or the connection failed.
        """
        from mmclient.binding import Binding  # loads numpy

        key = (name, signature, version)
        binding = self.bindings.get(key)
        if binding is None:
            _require_key(name, signature, version)
            request = message.open_model(self.next_id(), Open(name, signature, version or 0))
            frame = self.call(request, FrameType.OPENED, deadline)
            forget = partial(self.bindings.pop, key, None)
            binding = Binding(self, frame.handle, message.read_opened(frame), forget)
            self.bindings[key] = binding
            self._opened += 1
            self.is_leaving |= self._opened >= _MAX_OPENED
        return binding

    def admin(self, verb: str, arguments: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Ask an ADMIN verb.

        Raises:
            MmError: The daemon's refusal, or the connection failed.
        """
        wait_us = message.remaining_us(min(max(deadline - time.monotonic(), 0), MAX_TIMEOUT_S))
        request = message.admin(self.next_id(), verb, arguments, wait_us)
        return message.read_admin_result(self.call(request, FrameType.ADMIN_RESULT, deadline))


def _require_key(name: Any, signature: Any, version: Any) -> None:
    """Check the parts that name a signature.

    Raises:
        RequestError: ``BAD_REQUEST``.
    """
    for what, value in (("model", name), ("signature", signature)):
        if not isinstance(value, str):
            raise RequestError("BAD_REQUEST", f"{what}: expected text, got {value!r}")
    if version is not None and (type(version) is not int or version < 1):
        raise RequestError("BAD_REQUEST", f"version: expected a positive integer, got {version!r}")
