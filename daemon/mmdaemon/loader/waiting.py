"""Waits for a model: ``mmctl wait`` and ``load`` are answered once the registry says how the model stands."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmdaemon.loader.absence import quarantined, unloaded
from mmdaemon.registry.registry import Registry, Standing
from mmwire.errors import CapacityError, MmError
from mmwire.manifest import unknown_model
from mmwire.message import Reply
from mmwire.spelling import nearest


@dataclass(slots=True, eq=False)
class Wait:
    """One wait.

    Attributes:
        name: The model.
        version: The version waited for, 0 for the newest.
        sha256: The hash waited for, or its first digits; empty for any.
        deadline: When it ends, in monotonic seconds.
        after_look: The number of the first look that it may be answered from: one that began after it.
        reply: Takes the model's document or the error; each wait has its own.
        near: The known name that ``name`` resembles, if any.
        is_compared: Whether ``name`` was compared with the known names.
    """

    name: str
    version: int
    sha256: str
    deadline: float
    after_look: int
    reply: Reply
    near: str | None = None
    is_compared: bool = False


@dataclass(frozen=True, slots=True)
class WaitAnswer:
    """The answer to one wait.

    Attributes:
        reply: Takes it, outside of the monitor.
        document: The model's, or the error.
    """

    reply: Reply
    document: dict[str, Any] | MmError

    def give(self) -> None:
        """Give it."""
        self.reply(self.document)


class Waiting:
    """All waits.

    Args:
        registry: Says how the models stand.

    Thread: under the reconciler's monitor; the caller gives the answers that ``due`` returns outside of it.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._waits: dict[Reply, Wait] = {}
        self._promised: list[WaitAnswer] = []
        self._known: set[str] = set()  # the names that those waits were compared with

    def add(self, wait: Wait) -> None:
        """Begin a wait."""
        self._waits[wait.reply] = wait

    def withdraw(self, reply: Reply) -> bool:
        """End a wait without an answer; return whether there was one."""
        return self._waits.pop(reply, None) is not None

    def promise(self, reply: Reply, document: dict[str, Any]) -> None:
        """Give an answer with the next ones that are due: when what was changed has been written down."""
        self._promised.append(WaitAnswer(reply, document))

    def next_deadline(self) -> float:
        """Return when the next wait ends, in monotonic seconds."""
        return min((wait.deadline for wait in self._waits.values()), default=math.inf)

    def due(self, looks: int, is_undecided: Callable[[str], bool], now: float) -> list[WaitAnswer]:
        """Return the answers that can be given now, and forget their waits.

        Args:
            looks: How many looks were taken.
            is_undecided: Whether a candidate of a name is still settling, loading or due.
            now: Monotonic seconds.
        """
        self._compare()
        answers, self._promised = self._promised, []
        for wait in list(self._waits.values()):
            is_newest_open = not wait.version and not wait.sha256 and is_undecided(wait.name)
            is_known = looks >= wait.after_look and not is_newest_open
            document = _settled(wait, self._registry) if is_known else None
            if document is None and now >= wait.deadline:
                document = _too_late(wait, self._registry)
            if document is not None:
                del self._waits[wait.reply]
                answers.append(WaitAnswer(wait.reply, document))
        return answers

    def _compare(self) -> None:
        """Compare names that are waited for with the known ones: a new wait with all, the others with those that came.

        Each comparison takes tens of microseconds, under a monitor that others wait for.
        """
        known = self._registry.names()
        came = [name for name in known if name not in self._known]
        self._known = set(known)
        for wait in self._waits.values():
            if wait.name in self._registry:
                wait.near, wait.is_compared = None, False
            elif not wait.is_compared:
                wait.near, wait.is_compared = nearest(wait.name, known), True
            elif came:
                wait.near = nearest(wait.name, came) or wait.near


def _settled(wait: Wait, registry: Registry) -> dict[str, Any] | MmError | None:
    """Return the answer to a wait, None when it goes on."""
    if wait.name not in registry:
        return _misspelt(wait, registry)
    standing, reason = registry.standing(wait.name, wait.version, wait.sha256)
    if standing is Standing.SERVES:
        return registry.document(wait.name)
    if standing is Standing.REFUSED:
        return quarantined(wait.name, reason, registry.model(wait.name).serving)
    return unloaded(wait.name) if standing is Standing.UNLOADED else None


def _misspelt(wait: Wait, registry: Registry) -> MmError | None:
    """Return the error for a name that looks like a slip for a known one; any other may be dropped soon.

    ``digits_v2`` beside ``digits_v1`` is not a slip: names that differ only in their numbers are siblings.
    """
    near = wait.near
    if near is None or near not in registry or re.sub(r"\d+", "#", near) == re.sub(r"\d+", "#", wait.name):
        return None
    return unknown_model(wait.name, [near])


def _too_late(wait: Wait, registry: Registry) -> MmError:
    if wait.name not in registry:
        text = f"{wait.name!r} does not serve: no file of this name came into the model folder"
        return CapacityError("DEADLINE_EXCEEDED", text, "mmctl ls lists the models, mmctl status names the folder")
    state = registry.document(wait.name)["state"]
    if wait.version:
        text = f"version {wait.version} of model {wait.name!r} does not serve yet: the model is {state}"
    elif wait.sha256:
        text = f"the file {wait.sha256[:12]} of model {wait.name!r} does not serve yet: the model is {state}"
    else:
        text = f"model {wait.name!r} does not serve yet: it is {state}"
    return CapacityError("DEADLINE_EXCEEDED", text, "give it more time with --timeout")
