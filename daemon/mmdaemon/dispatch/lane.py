"""One model in the scheduler: the deployment that serves it, or why none does, and the requests that wait."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.request import Request
from mmwire.errors import CapacityError, MmError, RequestError
from mmwire.tensor import SignatureSpec


@dataclass(slots=True, eq=False)
class Lane:
    """One model name, across its versions.

    Attributes:
        name: The model.
        absence: Why nothing serves; it counts only while ``deployment`` is None.
        max_queue: How many requests may wait, from the model's own options; 0 = the limit of the scheduler.
        deployment: What serves.
        waiting: The requests that wait, the next one first.
    """

    name: str
    absence: MmError
    max_queue: int = 0
    deployment: Deployment | None = None
    waiting: deque[Request] = field(default_factory=deque)

    def serving(self) -> Deployment:
        """Return the deployment that serves.

        Raises:
            MmError: Nothing serves, and why.
        """
        if self.deployment is None:
            absence = self.absence
            raise type(absence)(absence.code, absence.message, absence.hint, absence.retryable)
        return self.deployment

    def find(self, signature: str, version: int) -> tuple[Deployment, SignatureSpec]:
        """Return the deployment and the signature for an OPEN; an empty name means the default one, 0 any version.

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
        """Return the deployment that may run a request.

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
    """Check that the version of a request is the one that serves; 0 = any version.

    Raises:
        RequestError: ``VERSION_NOT_SERVED``.
    """
    if version and version != deployment.version:
        raise RequestError(
            "VERSION_NOT_SERVED",
            f"version {version} of {deployment.name!r} does not serve; version {deployment.version} does",
            "mmctl show lists the versions",
        )
