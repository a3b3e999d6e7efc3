"""Who waits for a model: ``mmctl wait`` and ``load``, answered when the registry says how it stands."""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from mmdaemon.loader.absence import quarantined
from mmdaemon.registry.registry import Registry, Standing
from mmwire.errors import CapacityError, MmError

Reply = Callable[[dict[str, Any] | MmError], None]
Answer = tuple[Reply, dict[str, Any] | MmError]


@dataclass(slots=True, eq=False)
class Wait:
    """One who waits.

    Attributes:
        after_look: The number of the first look that it may be answered from: one that began after it asked.
    """

    name: str
    version: int
    sha256: str
    deadline: float
    after_look: int
    reply: Reply


class Waiting:
    """All who wait.

    Thread: under the loader's monitor; ``due`` returns the answers for the caller to give outside of it.
    """

    def __init__(self) -> None:
        self._waits: list[Wait] = []

    def add(self, wait: Wait) -> None:
        """Let one wait."""
        self._waits.append(wait)

    def next_deadline(self) -> float:
        """Return when the next one stops waiting, in monotonic seconds."""
        return min((wait.deadline for wait in self._waits), default=math.inf)

    def due(self, registry: Registry, looks: int, undecided: Container[str], now: float) -> list[Answer]:
        """Return the answers that can be given now, and forget who waited for them.

        Args:
            registry: How the models stand.
            looks: How many looks were taken.
            undecided: Names of which something may serve soon that does not yet.
            now: Monotonic seconds.
        """
        answers: list[Answer] = []
        for wait in list(self._waits):
            is_newest_open = wait.name in undecided and not wait.version and not wait.sha256
            answer = self._answer(wait, registry, looks >= wait.after_look and not is_newest_open, now)
            if answer is not None:
                self._waits.remove(wait)
                answers.append((wait.reply, answer))
        return answers

    def _answer(self, wait: Wait, registry: Registry, is_known: bool, now: float) -> dict[str, Any] | MmError | None:
        if is_known:
            standing, reason = registry.standing(wait.name, wait.version, wait.sha256)
            if standing is Standing.SERVES:
                return registry.document(wait.name)
            if standing is Standing.REFUSED:
                return quarantined(wait.name, reason, registry.model(wait.name).serving)
        if now < wait.deadline:
            return None
        return _too_late(wait, registry)


def _too_late(wait: Wait, registry: Registry) -> CapacityError:
    state = registry.document(wait.name)["state"] if wait.name in registry else "not in the folder"
    model = f"model {wait.name!r}"
    if wait.version:
        what = f"version {wait.version} of {model} does not serve yet: the model is {state}"
    elif wait.sha256:
        what = f"the file {wait.sha256[:12]} of {model} does not serve yet: the model is {state}"
    else:
        what = f"{model} does not serve yet: it is {state}"
    return CapacityError("DEADLINE_EXCEEDED", what, "give it more time")
