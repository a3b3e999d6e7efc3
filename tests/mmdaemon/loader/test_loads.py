from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.candidate import Candidate
from mmdaemon.loader.loads import Loads
from mmwire.errors import ModelError

SOURCE = FolderSource("m", None, "tflite", Path("/models/m.tflite"), FileIdentity(1, 2, 3, 4, 5))


class FakeArrivals:
    def __init__(self, bring_up: Callable[[Candidate, int], Any]) -> None:
        self.bring_up = bring_up
        self.discarded: list[Arrived] = []

    def discard(self, arrived: Arrived) -> None:
        self.discarded.append(arrived)


def ended(bring_up: Callable[[Candidate, int], Any]) -> tuple[Loads, int]:
    """Return the loads after one has ended, and how often the end of a load was told."""
    told: list[bool] = []
    with ThreadPoolExecutor(1) as executor:
        loads = Loads(executor, FakeArrivals(bring_up))
        loads.call_on_end(lambda: told.append(loads.has_ended))
        loads.start(SOURCE, 7)
    assert all(told), "the result is there when it is told"
    return loads, len(told)


def test_a_result_waits_until_it_is_taken() -> None:
    refused = Refused(ModelError("MODEL_INVALID", "not a model"), 7)
    loads, told = ended(lambda *_: refused)
    [end] = loads.take()
    assert (end.candidate, end.result, told) == (SOURCE, refused, 1)
    assert not loads.has_ended and loads.take() == []


def test_a_bug_while_loading_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    loads, _ = ended(breaks)
    [end] = loads.take()
    assert isinstance(end.result, Refused)
    assert (end.result.error.code, end.result.version) == ("INTERNAL", 7)
    assert "bug while loading m" in caplog.text


def test_what_will_not_serve_goes_back_to_whoever_loaded_it() -> None:
    arrivals = FakeArrivals(lambda *_: None)
    with ThreadPoolExecutor(1) as executor:
        arrived: Any = object()
        Loads(executor, arrivals).discard(arrived)
    assert arrivals.discarded == [arrived]
