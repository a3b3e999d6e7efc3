from __future__ import annotations

from typing import Any

import pytest

from mmdaemon.loader.waiting import Wait, Waiting
from mmdaemon.registry.registry import Registry
from mmdaemon.registry.state import VersionState
from mmwire.errors import MmError, ModelError


@pytest.mark.parametrize(
    ("version", "sha256", "says"),
    [
        (0, "", "model 'a' does not serve yet: it is not in the folder"),
        (9, "", "version 9 of model 'a' does not serve yet: the model is not in the folder"),
        (
            0,
            "0123456789abcdef",
            "the file 0123456789ab of model 'a' does not serve yet: the model is not in the folder",
        ),
    ],
)
def test_who_waited_in_vain_is_told_for_what(version: int, sha256: str, says: str) -> None:
    waiting = Waiting()
    answers: list[dict[str, Any] | MmError] = []
    waiting.add(Wait("a", version, sha256, 10.0, 0, answers.append))
    assert not waiting.due(Registry("fake"), 1, (), 9.9)
    for reply, answer in waiting.due(Registry("fake"), 1, (), 10.0):
        reply(answer)
    [error] = answers
    assert isinstance(error, MmError) and error.message == says and error.retryable


@pytest.mark.parametrize(
    ("serving", "says"), [(0, "model 'a': no model"), (1, "model 'a': no model; version 1 serves")]
)
def test_who_waits_for_the_newest_is_told_what_serves_instead(serving: int, says: str) -> None:
    registry = Registry("fake")
    if serving:
        registry.set_state("a", serving, VersionState.LOADING)
        registry.set_serving("a", serving)
    registry.set_state("a", 2, VersionState.QUARANTINED, reason=ModelError("MODEL_INVALID", "no model", "mend it"))
    waiting = Waiting()
    waiting.add(Wait("a", 0, "", 10.0, 0, lambda _: None))
    [(_, error)] = waiting.due(registry, 1, (), 0.0)
    assert isinstance(error, MmError) and (error.code, error.hint) == ("MODEL_QUARANTINED", "mend it")
    assert error.message == says
