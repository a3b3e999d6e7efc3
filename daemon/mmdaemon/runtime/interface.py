"""What a runtime is to the rest of the daemon: load a file, run bytes, close. No numpy in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mmwire.tensor import Shape, SignatureSpec
from mmwire.tflite import ModelState


@dataclass(slots=True)
class Outputs:
    """The outputs of one run, in spec order.

    Attributes:
        tensors: One an output, each with all its rows: C-contiguous memory with ``nbytes``, which stays as it is
            until its last reference is gone.
        shapes: Given only when they do not follow from the spec and the number of rows.
    """

    tensors: Sequence[Any]
    shapes: tuple[Shape, ...] | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """What a probe found out about a model that its file does not tell.

    Attributes:
        batch: Rows that one invocation may carry with gain; 1 = rows are run one by one.
        state: How the model remembers, and so how it is brought back to its beginning.
    """

    batch: int = 1
    state: ModelState = ModelState.NONE


class Instance(Protocol):
    """One loaded model, ready to run. Leased to one thread at a time; never shared."""

    @property
    def signatures(self) -> Mapping[str, SignatureSpec]:
        """The signatures by name; the first is the default one."""

    @property
    def pid(self) -> int:
        """The process that computes."""

    def run(
        self,
        signature: str,
        payload: bytes | memoryview,
        rows: int,
        shapes: Sequence[Shape] | None,
        go_on: Callable[[], None],
    ) -> Outputs:
        """Compute ``rows`` rows of raw little-endian tensors in spec order.

        Args:
            signature: A key of ``signatures``.
            payload: Exactly the bytes that the spec asks for; the caller has checked.
            rows: How many rows the payload holds; 1 for a signature without rows.
            shapes: The inputs' shapes, for a signature that is not static.
            go_on: Called between invocations; raises when nobody waits for the answer any more.

        Raises:
            MmError: ``INFERENCE_FAILED``, or whatever ``go_on`` raised.

        Thread: the one that holds the lease. State of the model is as after loading for every row.
        """

    def interrupt(self) -> bool:
        """End what it computes now, and itself with it; return whether it can.

        Thread: any.
        """

    def close(self) -> None:
        """Give the memory back. Idempotent."""


class Runtime(Protocol):
    """A way to run model files."""

    @property
    def name(self) -> str:
        """The distribution's name, as ``mmctl status`` shows it."""

    @property
    def version(self) -> str:
        """The distribution's version; part of the key of a trial result."""

    @property
    def caution(self) -> str:
        """What the one who chose it should know; empty for nothing."""

    def load(self, path: str, threads: int, traits: Traits) -> Instance:
        """Load a model and allocate its tensors.

        Args:
            path: A file that nobody changes while the instance lives.
            threads: Threads of one invocation.
            traits: What the probe found.

        Raises:
            MmError: ``MODEL_INVALID``: the runtime refuses the file.

        Thread: any; several loads may go on at the same time.
        """


def describe(runtime: Runtime, reason: str) -> dict[str, Any]:
    """Return what ``mmctl status`` says of the runtime in use and why it is this one."""
    document = {"name": runtime.name, "version": runtime.version, "reason": reason}
    return document | ({"caution": runtime.caution} if runtime.caution else {})
