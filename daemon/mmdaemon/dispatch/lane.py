"""One model's place in the scheduler: what serves it, or why nothing does, and who waits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.request import Request
from mmwire.errors import CapacityError, MmError, RequestError
from mmwire.tensor import SignatureSpec


@dataclass(slots=True, eq=False)
class Lane:
    """The queue of one model name, across its versions.

    Attributes:
        name: The model.
        absence: Why nothing serves; only read while ``deployment`` is None.
        max_queue: Most requests that wait, as the model's own options say; 0 = as the scheduler says.
    """

    name: str
    absence: MmError
    max_queue: int = 0
    deployment: Deployment | None = None
    waiting: deque[Request] = field(default_factory=deque)

    def serving(self) -> Deployment:
        """Return what serves.

        Raises:
            MmError: Nothing serves; says why.
        """
        if self.deployment is None:
            absence = self.absence
            raise type(absence)(absence.code, absence.message, absence.hint, absence.retryable)
        return self.deployment

    def find(self, signature: str, version: int) -> tuple[Deployment, SignatureSpec]:
        """Return what would serve an OPEN; an empty name means the default signature, 0 any version.

        Raises:
            MmError: ``SIGNATURE_NOT_FOUND``, ``VERSION_NOT_SERVED``, or why nothing serves.
        """
        deployment = self.serving()
        require_version(deployment, version)
        spec = deployment.signatures.get(signature) if signature else next(iter(deployment.signatures.values()), None)
        if spec is None:
            raise RequestError(
                "SIGNATURE_NOT_FOUND",
                f"model {self.name!r} has no signature {signature!r}",
                f"it has: {', '.join(deployment.signatures)}",
            )
        return deployment, spec

    def check(self, request: Request) -> Deployment:
        """Return what may serve a request.

        Raises:
            MmError: ``VERSION_NOT_SERVED``, ``SPECS_CHANGED``, or why nothing serves.
        """
        deployment = self.serving()
        if request.version:
            require_version(deployment, request.version)
        known = deployment.signatures.get(request.spec.name)
        if known is not request.spec and known != request.spec:
            raise CapacityError(
                "SPECS_CHANGED",
                f"version {deployment.version} of {self.name!r} has other tensors than the opened signature",
                "open the model again",
            )
        return deployment


def require_version(deployment: Deployment, version: int) -> None:
    """Check that a version asked for is the one that serves; 0 asks for none.

    Raises:
        RequestError: ``VERSION_NOT_SERVED``.
    """
    if version and version != deployment.version:
        raise RequestError(
            "VERSION_NOT_SERVED",
            f"version {version} of {deployment.name!r} does not serve; version {deployment.version} does",
            "mmctl show lists the versions",
        )
