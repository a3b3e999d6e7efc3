"""How many rows go well together in a call that takes any number of them."""

from __future__ import annotations

import numpy as np

from mmdaemon.runtime.payload import Arrays
from mmdaemon.runtime.trial.batching import rows_a_call
from mmwire.errors import InferenceError
from mmwire.tensor import SignatureSpec, TensorSpec

SPEC = SignatureSpec("s", (TensorSpec("x", "float32", (-1, 3)),), (TensorSpec("y", "float32", (-1, 3)),))


def test_cheap_rows_that_do_not_mix_go_together() -> None:
    assert rows_a_call(lambda values: [2 * value for value in values], SPEC) == 256


def test_rows_that_mix_go_one_by_one() -> None:
    assert rows_a_call(lambda values: [value - value.mean(0) for value in values], SPEC) == 1


def test_rows_whose_answers_do_not_lie_in_a_row_go_one_by_one() -> None:
    assert rows_a_call(lambda values: [np.atleast_1d(value.sum()) for value in values], SPEC) == 1


def test_a_model_that_refuses_several_rows_gets_them_one_by_one() -> None:
    def compute(values: Arrays) -> Arrays:
        if len(values[0]) > 1:
            raise InferenceError("INFERENCE_FAILED", "one row, please")
        return values

    assert rows_a_call(compute, SPEC) == 1
