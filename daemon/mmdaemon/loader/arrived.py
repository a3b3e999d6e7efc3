"""The result of bringing a candidate up."""

from __future__ import annotations

from dataclasses import dataclass

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.registry.model import ServingFacts
from mmwire.errors import MmError


@dataclass(frozen=True, slots=True)
class Arrived:
    """A loaded and warmed-up version, ready to serve.

    Attributes:
        sha256: The SHA-256 of its bytes in hex.
        facts: What people are shown of it.
    """

    deployment: Deployment
    sha256: str
    facts: ServingFacts


@dataclass(frozen=True, slots=True)
class Refused:
    """A version that cannot be served; a retryable error means not now.

    Attributes:
        version: Its number.
        sha256: The SHA-256 of its bytes in hex; empty when they were not stored.
        detail: The last words of the process that tried it, when that process died.
    """

    error: MmError
    version: int
    sha256: str = ""
    detail: str = ""


Result = Arrived | Refused
