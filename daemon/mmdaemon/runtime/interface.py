"""A runtime, as the rest of the daemon sees it: it loads a file, runs bytes, and closes. No numpy here."""

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
        tensors: One for each output, with all its rows: C-contiguous memory with ``nbytes``, which nobody changes
            while a reference to it exists.
        shapes: The shapes, when they do not follow from the spec and the number of rows.
    """

    tensors: Sequence[Any]
    shapes: tuple[Shape, ...] | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of a model that a trial found and its file does not tell.

    Attributes:
        batch: Rows that gain from running together; 1 = rows run one by one.
        state: Where the model keeps state, and therefore how that is reset.
    """

    batch: int = 1
    state: ModelState = ModelState.NONE


class Instance(Protocol):
    """One loaded model, ready to run. One thread at a time leases it."""

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
            payload: Exactly the bytes that the spec asks for; the caller checks that.
            rows: How many rows the payload holds; 1 for a signature without rows.
            shapes: The inputs' shapes, for a signature that is not static.
            go_on: Called between invocations; it raises when nobody waits for the answer any more.

        Raises:
            MmError: ``INFERENCE_FAILED``, or whatever ``go_on`` raised.

        Thread: the one that holds the lease. Before every row the state of the model is as it was after loading.
        """

    def interrupt(self) -> bool:
        """End the run under way, and the instance with it; return whether that is possible.

        Thread: any.
        """

    def close(self) -> None:
        """Give the memory back. Idempotent."""


class Runtime(Protocol):
    """A way to run model files."""

    @property
    def name(self) -> str:
        """The name of the distribution, as ``mmctl status`` shows it."""

    @property
    def version(self) -> str:
        """The version of the distribution; part of the key of a trial result."""

    @property
    def caution(self) -> str:
        """A warning for the person who chose it; empty for none."""

    def load(self, path: str, threads: int, traits: Traits) -> Instance:
        """Load a model and allocate its tensors.

        Args:
            path: A file that nobody changes while the instance exists.
            threads: Threads of one invocation.
            traits: What the trial found.

        Raises:
            MmError: ``MODEL_INVALID``: the runtime refuses the file.

        Thread: any; several threads may load at the same time.
        """


def describe(runtime: Runtime, reason: str) -> dict[str, Any]:
    """Return what ``mmctl status`` shows of the runtime in use, and the reason for it."""
    document = {"name": runtime.name, "version": runtime.version, "reason": reason}
    return document | ({"caution": runtime.caution} if runtime.caution else {})
