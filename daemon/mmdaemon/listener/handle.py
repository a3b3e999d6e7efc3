"""The handles of one connection: short numbers for signatures that the client opened."""

from __future__ import annotations

from mmwire.errors import CapacityError, RequestError
from mmwire.tensor import SignatureSpec

MAX_HANDLES = 1024  # of one connection; docs/protocol.md says so


class Handle:
    """An opened signature. ``row_bytes`` spares the hot path some arithmetic; it is -1 for a signature with shapes."""

    __slots__ = ("last_used", "model", "number", "row_bytes", "spec", "version")

    def __init__(self, number: int, model: str, spec: SignatureSpec, version: int, now: float) -> None:
        self.number = number
        self.model = model
        self.spec = spec
        self.version = version
        self.last_used = now
        self.row_bytes = sum(tensor.row_bytes for tensor in spec.inputs) if spec.is_static else -1


class Handles:
    """The handles of one connection, at most ``MAX_HANDLES`` of them. No number is used twice.

    A signature that is opened again keeps its number while its tensors stay the same. Otherwise it gets a new number
    and the old handle is let go. When there are too many handles, the least recently used one is let go.

    Thread: one at a time.
    """

    def __init__(self) -> None:
        self._by_number: dict[int, Handle] = {}
        self._by_target: dict[tuple[str, str, int], Handle] = {}
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def open(self, model: str, spec: SignatureSpec, version: int, now: float) -> Handle:
        """Return the handle of a signature.

        Args:
            model: The model's name.
            spec: The signature, as it is served now.
            version: The version that the client asked for; 0 = whichever serves.
            now: Monotonic seconds.
        """
        target = (model, spec.name, version)
        known = self._by_target.get(target)
        if known is not None and known.spec == spec:
            known.spec = spec  # the same object as the deployment has: the scheduler compares by identity first
            known.last_used = now
            return known
        if known is not None:
            self._let_go(known)
        elif len(self._by_number) >= MAX_HANDLES:
            self._let_go(min(self._by_number.values(), key=lambda handle: handle.last_used))
        self._last_number += 1
        handle = Handle(self._last_number, model, spec, version, now)
        self._by_number[handle.number] = self._by_target[target] = handle
        return handle

    def use(self, number: int, now: float) -> Handle:
        """Return the handle with a number, for one more request.

        Raises:
            CapacityError: ``SPECS_CHANGED``: it was let go.
            RequestError: ``BAD_REQUEST``: it was never given to this connection.
        """
        handle = self._by_number.get(number)
        if handle is not None:
            handle.last_used = now
            return handle
        if 0 < number <= self._last_number:
            raise CapacityError(
                "SPECS_CHANGED",
                f"handle {number} was let go: the model's tensors changed, or {MAX_HANDLES} others were used since",
                "open the model again",
            )
        raise RequestError("BAD_REQUEST", f"handle {number} was not opened on this connection", "send OPEN first")

    def _let_go(self, handle: Handle) -> None:
        del self._by_number[handle.number]
        del self._by_target[handle.model, handle.spec.name, handle.version]
