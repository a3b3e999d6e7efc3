from __future__ import annotations

import json
from typing import Any

import pytest

from mmdaemon.store.layout import Layout
from mmdaemon.store.trial import TrialResult, TrialResults, trial_key
from mmwire.errors import ModelError
from mmwire.tensor import SignatureSpec, TensorSpec

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4), 0.5, 3),), (TensorSpec("y", "bool", (1,)),))
GOOD = TrialResult(True, signatures=[SPEC.as_dict()], batch=32, load_ms=1.5, run_us=2.5, memory_bytes=3)
BAD = TrialResult(False, "MODEL_CRASHED", "was killed by SIGSEGV", "convert it again", phase="load", detail="oops")
KEY = trial_key("a" * 64, "ai-edge-litert", "2.3.0", "x86_64-1")


@pytest.mark.parametrize("result", [GOOD, BAD])
def test_a_result_is_kept(layout: Layout, result: TrialResult) -> None:
    results = TrialResults(layout)
    assert results.get(KEY) is None
    results.put(KEY, result)
    assert TrialResults(layout).get(KEY) == result


def test_a_transient_result_is_not_kept(layout: Layout) -> None:
    results = TrialResults(layout)
    results.put(KEY, TrialResult(False, "MODEL_TOO_SLOW", "took too long", transient=True))
    assert results.get(KEY) is None


def test_the_key_differs_in_everything_that_the_result_depends_on() -> None:
    parts = ("a" * 64, "litert", "2.3", "cpu")
    keys = {trial_key(*parts)}
    for index in range(4):
        changed = list(parts)
        changed[index] = "b" * 64
        keys.add(trial_key(*changed))
    assert len(keys) == 5
    assert trial_key("a", "b", "cd", "e") != trial_key("a", "bc", "d", "e")


@pytest.mark.parametrize(
    "change",
    [
        {"ok": 1},
        {"ok": None},
        {"batch": 0},
        {"batch": True},
        {"batch": 2.0},
        {"state": "solid"},
        {"memory_bytes": -1},
        {"load_ms": "fast"},
        {"signatures": []},
        {"signatures": [{}]},
        {"signatures": [{"signature": "s", "inputs": [{"name": "x"}], "outputs": []}]},
        {"ok": False, "code": ""},
        {"ok": False, "code": "NO_SUCH_CODE"},
        {"message": None},
        {"labels": ["cat", 7]},
    ],
)
def test_a_corrupt_file_is_not_a_result(layout: Layout, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        TrialResult.from_dict(GOOD.as_dict() | change)
    TrialResults(layout).put(KEY, GOOD)
    path = layout.trials / f"{KEY}.json"
    path.write_text(json.dumps(GOOD.as_dict() | change))
    assert TrialResults(layout).get(KEY) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"{}", b"\xff", b"[" * 100_000])
def test_other_bytes_are_not_a_result(layout: Layout, data: bytes) -> None:
    (layout.trials / f"{KEY}.json").write_bytes(data)
    assert TrialResults(layout).get(KEY) is None


def test_keys_of_a_later_release_are_passed_over() -> None:
    assert TrialResult.from_dict(GOOD.as_dict() | {"colour": "blue"}) == GOOD


def test_a_bad_result_becomes_its_error_again() -> None:
    error = BAD.error()
    assert isinstance(error, ModelError)
    assert (error.code, error.hint, error.retryable) == ("MODEL_CRASHED", "convert it again", False)


def test_results_of_models_that_are_gone_are_collected(layout: Layout) -> None:
    results = TrialResults(layout)
    other = trial_key("b" * 64, "litert", "2.3", "cpu")
    results.put(KEY, GOOD)
    results.put(other, BAD)
    results.collect({"b" * 64})
    assert (results.get(KEY), results.get(other)) == (None, BAD)


def test_a_power_cut_at_any_step_costs_a_probe_at_most(layout: Layout, power: Any) -> None:
    results = TrialResults(layout)
    power.steps.clear()
    results.put(KEY, BAD)
    steps = len(power.steps)
    assert steps == 5
    for cut_at in range(steps):
        results.put(KEY, BAD)
        power.steps.clear()
        power.cut_at = cut_at
        with pytest.raises(power.error):
            results.put(KEY, GOOD)
        power.cut_at = None
        assert results.get(KEY) in (BAD, GOOD)
