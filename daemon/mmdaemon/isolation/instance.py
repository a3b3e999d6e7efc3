"""A model in a process of its own, as an ``Instance`` that any worker may lease like one in the daemon."""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmdaemon.isolation.packet import Ran, Run, error_of
from mmdaemon.isolation.process import ChildProcess
from mmdaemon.runtime.interface import Outputs
from mmwire.errors import CapacityError, MmError
from mmwire.tensor import Shape, SignatureSpec

_LOOK_MS = 50  # between two checks whether somebody still waits for the answer
_LAST_WORDS_S = 2.0  # within this time the warden knows why a child ended


class ProcessInstance:
    """A child that has loaded its model.

    Attributes:
        facts: The facts of the model that the child found.

    Thread: one at a time, like every instance; ``interrupt`` any.
    """

    def __init__(self, child: ChildProcess, facts: Mapping[str, Any]) -> None:
        self._child = child
        self._answers = select.poll()
        self._answers.register(child.control, select.POLLIN)
        self.facts = facts
        specs = [SignatureSpec.from_dict(fields) for fields in facts["signatures"]]
        self.signatures: Mapping[str, SignatureSpec] = {spec.name: spec for spec in specs}

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def memory_bytes(self) -> int:
        """Return the memory that the process takes now."""
        return self._child.memory_bytes()

    def run(
        self,
        signature: str,
        payload: bytes | memoryview,
        rows: int,
        shapes: Sequence[Shape] | None,
        go_on: Callable[[], None],
    ) -> Outputs:
        """Compute; see ``Instance.run``.

        Raises:
            MmError: Also ``INSTANCE_LOST``: the process ended meanwhile, and the instance with it.
        """
        arena, child = self._child.arena, self._child
        size = len(payload)
        try:
            arena.reserve(size)[:size] = payload
            arena.invocations, arena.is_cancelled = 0, False
            child.send(Run(signature, size, rows, None if shapes is None else [list(shape) for shape in shapes]))
        except OSError:
            raise self._lost() from None
        gone = self._wait(go_on)
        message = child.receive()
        if message is None:
            raise self._lost()
        if gone is not None:
            raise gone
        error = error_of(message)
        if error is not None:
            raise error
        ran = Ran(**message)
        return Outputs(_copies(arena.reserve(ran.begin + sum(ran.sizes)), ran), ran.output_shapes())

    def interrupt(self) -> bool:
        """End the process; the run under way ends with ``INSTANCE_LOST``."""
        self._child.kill()
        return True

    def close(self) -> None:
        """End the process. Idempotent."""
        self._child.stop()
        self._child.close()

    def _wait(self, go_on: Callable[[], None]) -> MmError | None:
        """Wait for the answer; return why nobody waits for it any more, None if somebody does."""
        seen = 0
        gone: MmError | None = None
        while not self._answers.poll(_LOOK_MS):
            begun = self._child.arena.invocations
            if begun == seen or gone is not None:
                continue
            seen = begun  # now is the time between two invocations, as for an instance in the daemon
            try:
                go_on()
            except MmError as error:
                gone = error
                self._child.arena.is_cancelled = True
        return gone

    def _lost(self) -> CapacityError:
        self._child.ended.wait(_LAST_WORDS_S)
        how = self._child.how or "does not answer"
        hint = "try again; raise executor.memory_mb" if self._child.is_starved else "try again"
        return CapacityError("INSTANCE_LOST", f"the process of the model {how}", hint)


def _copies(memory: memoryview, ran: Ran) -> list[memoryview]:
    """Return copies of the outputs: the next request may overwrite the arena before the reply has gone out."""
    whole = memoryview(bytes(memory[ran.begin : ran.begin + sum(ran.sizes)]))
    parts: list[memoryview] = []
    at = 0
    for size in ran.sizes:
        parts.append(whole[at : at + size])
        at += size
    return parts
