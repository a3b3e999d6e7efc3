from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest

from mmdaemon.loader.waiting import Wait, Waiting
from mmdaemon.registry.model import Model, ServingFacts
from mmdaemon.registry.registry import Registry
from mmdaemon.registry.state import VersionState
from mmwire import spelling
from mmwire.errors import MmError, ModelError


def nothing_open(name: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("version", "sha256", "says"),
    [
        (0, "", "model 'a' does not serve yet: it is quarantined"),
        (9, "", "version 9 of model 'a' does not serve yet: the model is quarantined"),
        (0, "0123456789abcdef", "the file 0123456789ab of model 'a' does not serve yet: the model is quarantined"),
    ],
)
def test_who_waited_in_vain_is_told_for_what(version: int, sha256: str, says: str) -> None:
    registry = Registry("fake")
    registry.add(Model("a"))
    waiting = Waiting(registry)
    answers: list[dict[str, Any] | MmError] = []
    waiting.add(Wait("a", version, sha256, 10.0, 0, answers.append))
    assert not waiting.due(1, nothing_open, 9.9)
    for answer in waiting.due(1, nothing_open, 10.0):
        answer.give()
    [error] = answers
    assert isinstance(error, MmError) and error.message == says and error.retryable


@pytest.mark.parametrize(
    ("serving", "says"), [(0, "model 'a': no model"), (1, "model 'a': no model; version 1 serves")]
)
def test_who_waits_for_the_newest_is_told_what_serves_instead(serving: int, says: str) -> None:
    registry = Registry("fake")
    model = Model("a")
    registry.add(model)
    if serving:
        model.move(serving, VersionState.LOADING)
        model.set_serving(serving, ServingFacts())
    model.move(2, VersionState.QUARANTINED, reason=ModelError("MODEL_INVALID", "no model", "mend it"))
    waiting = Waiting(registry)
    waiting.add(Wait("a", 0, "", 10.0, 0, lambda _: None))
    [answer] = waiting.due(1, nothing_open, 0.0)
    error = answer.document
    assert isinstance(error, MmError) and (error.code, error.hint) == ("MODEL_QUARANTINED", "mend it")
    assert error.message == says


def waits(
    registry: Registry, name: str, version: int = 0, sha256: str = "", now: float = 0.0
) -> MmError | dict[str, Any] | None:
    """Return the answer to a wait until 10.0, None when it goes on."""
    waiting = Waiting(registry)
    waiting.add(Wait(name, version, sha256, 10.0, 0, lambda _: None))
    answers = waiting.due(1, nothing_open, now)
    return answers[0].document if answers else None


def serving(name: str, sha256: str = "ab" * 32) -> Registry:
    registry, model = Registry("fake"), Model(name)
    registry.add(model)
    model.move(1, VersionState.LOADING, sha256)
    model.set_serving(1, ServingFacts())
    return registry


def test_a_slip_in_the_name_is_told_at_once() -> None:
    error = waits(serving("digits"), "digist")
    assert isinstance(error, MmError) and (error.code, error.hint) == ("MODEL_NOT_FOUND", "did you mean 'digits'?")


@pytest.mark.parametrize("name", ["digits_v2", "kws"])
def test_a_name_that_may_be_dropped_soon_is_waited_for(name: str) -> None:
    registry = serving("digits_v1")
    assert waits(registry, name) is None
    late = waits(registry, name, now=10.0)
    assert isinstance(late, MmError) and late.retryable and "no file of this name came" in late.message


def test_an_unloaded_model_is_told_with_the_way_back() -> None:
    registry = serving("a")
    model = registry.model("a")
    model.set_idle()
    model.is_unloaded = True
    error = waits(registry, "a")
    assert isinstance(error, MmError) and (error.code, error.hint) == ("MODEL_UNLOADED", "mmctl load a")
    assert waits(registry, "a", version=2) is None, "a version that may be dropped is waited for"


def test_the_first_digits_of_a_hash_will_do() -> None:
    document = waits(serving("a", "0123ab" + "0" * 58), "a", sha256="0123ab")
    assert isinstance(document, dict) and document["version"] == 1
    assert waits(serving("a"), "a", sha256="0123ab") is None


def test_a_wait_that_nobody_needs_any_more_is_forgotten() -> None:
    waiting = Waiting(Registry("fake"))
    answers: list[dict[str, Any] | MmError] = []
    waiting.add(Wait("a", 0, "", math.inf, 0, answers.append))
    assert waiting.withdraw(answers.append)
    assert not waiting.withdraw(answers.append)
    assert not waiting.due(1, nothing_open, 1e9)


def test_a_name_is_compared_once_and_then_with_the_names_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, list[str]]] = []

    def nearest(name: str, known: Iterable[str]) -> str | None:
        compared.append((name, list(known)))
        return spelling.nearest(name, compared[-1][1])

    monkeypatch.setattr("mmdaemon.loader.waiting.nearest", nearest)
    registry = serving("kws")
    waiting = Waiting(registry)
    for number in range(3):
        waiting.add(Wait("digist", 0, "", math.inf, number, lambda _: None))
    for look in range(5):
        assert not waiting.due(look, nothing_open, 0.0)
    assert compared == [("digist", ["kws"])] * 3
    registry.add(Model("digits"))
    answers = waiting.due(5, nothing_open, 0.0)
    assert compared[3:] == [("digist", ["digits"])] * 3
    assert [str(answer.document) for answer in answers] == ["no model named 'digist' (did you mean 'digits'?)"] * 3


def test_a_name_that_went_again_is_not_what_was_meant() -> None:
    registry = serving("digits")
    waiting = Waiting(registry)
    waiting.add(Wait("digist", 0, "", math.inf, 1, lambda _: None))
    assert not waiting.due(0, nothing_open, 0.0)
    registry.drop("digits")
    assert not waiting.due(1, nothing_open, 0.0)
    registry.add(Model("digits"))
    assert len(waiting.due(2, nothing_open, 0.0)) == 1
