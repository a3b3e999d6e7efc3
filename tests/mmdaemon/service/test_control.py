"""The checks that the verbs make before anything slow."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.registry.model import Model
from mmdaemon.registry.registry import Registry
from mmdaemon.service.control import Control
from mmwire.errors import MmError
from mmwire.message import Reply


class FakeReconciler:
    """Remembers who waits for what."""

    def __init__(self) -> None:
        self.monitor = threading.RLock()
        self.waits: dict[Reply, str] = {}

    def wait_for(self, name: str, version: int, sha256: str, deadline: float, reply: Reply) -> None:
        self.waits[reply] = name

    def unload(self, name: str, reply: Reply) -> None:
        reply({"name": name})

    def withdraw(self, reply: Reply) -> bool:
        return self.waits.pop(reply, None) is not None


class World:
    def __init__(self) -> None:
        self.registry = Registry("fake")
        self.registry.add(Model("digits"))
        self.registry.add(Model("my model"))  # a file with a bad name is listed, with the reason
        self.reconciler = FakeReconciler()
        self.answers: list[dict[str, Any] | MmError] = []
        dispatcher = Dispatcher(1, 1, 1, lambda *_: None, lambda _: None)
        self.control = Control(self.reconciler, self.registry, dispatcher, {})  # type: ignore[arg-type]

    def ask(self, verb: str, **arguments: Any) -> None:
        self.control.start_verb(verb, arguments, math.inf, self.answers.append)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("name", ["x" * 65_536, "a b", "../a", ""])
def test_nobody_waits_for_a_name_that_no_model_can_have(world: World, name: str) -> None:
    with pytest.raises(MmError, match="is not a model name") as caught:
        world.ask("wait", model=name)
    assert caught.value.code == "MODEL_NOT_FOUND" and len(caught.value.message) < 150
    assert not world.reconciler.waits


@pytest.mark.parametrize("name", ["digits", "soon", "my model"])
def test_a_known_or_possible_name_is_waited_for(world: World, name: str) -> None:
    world.ask("wait", model=name)
    assert list(world.reconciler.waits.values()) == [name]


def test_a_wait_can_be_withdrawn_and_any_other_verb_cannot(world: World) -> None:
    world.ask("wait", model="digits")
    assert world.control.withdraw(world.answers.append)
    world.ask("ls")
    assert not world.control.withdraw(world.answers.append)


@pytest.mark.parametrize("verb", ["show", "unload"])
def test_a_misspelt_name_is_told_with_the_one_that_was_meant(world: World, verb: str) -> None:
    with pytest.raises(MmError) as caught:
        world.ask(verb, model="digist")
    assert (caught.value.code, caught.value.hint) == ("MODEL_NOT_FOUND", "did you mean 'digits'?")
