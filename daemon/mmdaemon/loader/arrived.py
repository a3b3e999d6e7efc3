"""What comes of bringing a source up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.folder.snapshot import Source
from mmwire.errors import MmError
from mmwire.manifest import ModelOptions


@dataclass(frozen=True, slots=True)
class Arrived:
    """A loaded and warmed-up version, ready to serve.

    Attributes:
        sha256: Of its bytes.
        labels: One an index; empty when it has none.
        traits: What was found out about it, for people.
        runtime: What runs it: the name of a distribution.
    """

    deployment: Deployment
    sha256: str
    labels: Sequence[str]
    options: ModelOptions
    traits: dict[str, Any] = field(default_factory=dict)
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A version that cannot be served; a retryable error means not now.

    Attributes:
        version: Its number.
        sha256: Of its bytes; empty when they were not stored.
    """

    error: MmError
    version: int
    sha256: str = ""


class Arrivals(Protocol):
    """Brings sources up and writes down what serves; see ``loader.arrival``."""

    def next_version(self, name: str) -> int:
        """Return the number that a new flat file of this name gets."""

    def is_stored(self, source: Source) -> bool:
        """Return whether a source was copied before, and has not changed since."""

    def is_unloaded(self, name: str) -> bool:
        """Return whether a name is to stay out of memory."""

    def set_unloaded(self, name: str, unloaded: bool) -> None:
        """Note whether a name is to stay out of memory."""

    def is_kept(self, name: str, version: int) -> bool:
        """Return whether the store keeps the bytes of a version."""

    def bring_up(self, source: Source, number: int) -> Arrived | Refused:
        """Store, try, load and warm up: slow, and never raises for what a file is.

        Args:
            source: What lies in the folder.
            number: The version that it is, unless its bytes have one already.
        """

    def last_served(self, name: str) -> int:
        """Return the version that serves or served last, 0 for none."""

    def on_serving(self, name: str, version: int, options: ModelOptions) -> None:
        """Note what serves, and with which options."""

    def write_down(self) -> None:
        """Write down what was noted and let go of what nobody needs any more: slow, when there is anything."""

    def discard(self, arrived: Arrived) -> None:
        """Close what was loaded and will not serve."""
