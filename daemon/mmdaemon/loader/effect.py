"""Effects: what the state of a name asks for. The comparison applies them, in their order."""

from __future__ import annotations

from dataclasses import dataclass

from mmdaemon.loader.arrived import Arrived
from mmdaemon.loader.candidate import Candidate
from mmwire.errors import MmError
from mmwire.manifest import ModelOptions


@dataclass(frozen=True, slots=True)
class StartLoad:
    """Bring a candidate up as a version, elsewhere; the result comes back by itself."""

    candidate: Candidate
    number: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Let a loaded version serve from the next request on.

    Attributes:
        reason: Why its changed file does not serve, where older bytes do.
    """

    arrived: Arrived
    reason: MmError | None = None


@dataclass(frozen=True, slots=True)
class Discard:
    """Close a loaded version that will not serve."""

    arrived: Arrived


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Let nothing serve the name; requests are told why."""

    absence: MmError


@dataclass(frozen=True, slots=True)
class Explain:
    """Tell requests why nothing serves the name, if nothing does."""

    absence: MmError


@dataclass(frozen=True, slots=True)
class Retire:
    """Forget the name: requests are told that there is no such model."""


@dataclass(frozen=True, slots=True)
class NoteUnloaded:
    """Remember over a restart whether the owner took the name out of memory."""

    unloaded: bool


@dataclass(frozen=True, slots=True)
class NoteServing:
    """Remember over a restart which version serves, and with which options."""

    version: int
    options: ModelOptions


@dataclass(frozen=True, slots=True)
class Tell:
    """Write a line to the log: the name, then this text."""

    text: str
    version: int = 0
    error: MmError | None = None
    is_warning: bool = True


Effect = StartLoad | Publish | Discard | Withdraw | Explain | Retire | NoteUnloaded | NoteServing | Tell
