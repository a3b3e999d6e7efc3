from __future__ import annotations

import json
from typing import Any

import pytest

from mmdaemon.store.layout import Layout
from mmdaemon.store.verdict import Verdict, Verdicts, verdict_key
from mmwire.errors import ModelError
from mmwire.tensor import SignatureSpec, TensorSpec

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4), 0.5, 3),), (TensorSpec("y", "bool", (1,)),))
GOOD = Verdict(True, signatures=[SPEC.as_dict()], batch=32, load_ms=1.5, run_us=2.5, memory_bytes=3)
BAD = Verdict(False, "MODEL_CRASHED", "was killed by SIGSEGV", "convert it again", phase="load", detail="oops")
KEY = verdict_key("a" * 64, "ai-edge-litert", "2.3.0", "x86_64-1")


@pytest.mark.parametrize("verdict", [GOOD, BAD])
def test_a_verdict_is_kept(layout: Layout, verdict: Verdict) -> None:
    verdicts = Verdicts(layout)
    assert verdicts.get(KEY) is None
    verdicts.put(KEY, verdict)
    assert Verdicts(layout).get(KEY) == verdict


def test_a_transient_one_is_not(layout: Layout) -> None:
    verdicts = Verdicts(layout)
    verdicts.put(KEY, Verdict(False, "MODEL_TOO_SLOW", "took too long", transient=True))
    assert verdicts.get(KEY) is None


def test_the_key_tells_all_apart_that_the_outcome_depends_on() -> None:
    parts = ("a" * 64, "litert", "2.3", "cpu")
    keys = {verdict_key(*parts)}
    for index in range(4):
        changed = list(parts)
        changed[index] = "b" * 64
        keys.add(verdict_key(*changed))
    assert len(keys) == 5
    assert verdict_key("a", "b", "cd", "e") != verdict_key("a", "bc", "d", "e")


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
    ],
)
def test_a_corrupt_one_is_no_verdict(layout: Layout, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Verdict.from_dict(GOOD.as_dict() | change)
    Verdicts(layout).put(KEY, GOOD)
    path = layout.verdicts / f"{KEY}.json"
    path.write_text(json.dumps(GOOD.as_dict() | change))
    assert Verdicts(layout).get(KEY) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"{}", b"\xff", b"[" * 100_000])
def test_other_bytes_are_no_verdict(layout: Layout, data: bytes) -> None:
    (layout.verdicts / f"{KEY}.json").write_bytes(data)
    assert Verdicts(layout).get(KEY) is None


def test_keys_of_a_later_release_are_passed_over() -> None:
    assert Verdict.from_dict(GOOD.as_dict() | {"colour": "blue"}) == GOOD


def test_a_bad_one_is_an_error_again() -> None:
    error = BAD.error()
    assert isinstance(error, ModelError)
    assert (error.code, error.hint, error.retryable) == ("MODEL_CRASHED", "convert it again", False)


def test_verdicts_of_models_that_are_gone_are_collected(layout: Layout) -> None:
    verdicts = Verdicts(layout)
    other = verdict_key("b" * 64, "litert", "2.3", "cpu")
    verdicts.put(KEY, GOOD)
    verdicts.put(other, BAD)
    verdicts.collect({"b" * 64})
    assert (verdicts.get(KEY), verdicts.get(other)) == (None, BAD)


def test_a_power_cut_at_any_step_costs_a_probe_at_most(layout: Layout, power: Any) -> None:
    verdicts = Verdicts(layout)
    power.steps.clear()
    verdicts.put(KEY, BAD)
    steps = len(power.steps)
    assert steps == 5
    for cut_at in range(steps):
        verdicts.put(KEY, BAD)
        power.steps.clear()
        power.cut_at = cut_at
        with pytest.raises(power.error):
            verdicts.put(KEY, GOOD)
        power.cut_at = None
        assert verdicts.get(KEY) in (BAD, GOOD)
