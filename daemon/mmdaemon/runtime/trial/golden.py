"""Replays the goldens of a file: this CPU must compute what the model computed when it was converted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdaemon.runtime.interface import Instance
from mmwire.errors import ModelError
from mmwire.golden import Golden, GoldenTensor

_HINT = "convert the model again; if it fails again, the kernels of this CPU differ from those of that machine"


def replay(instance: Instance, goldens: Sequence[Golden]) -> int:
    """Run every golden and compare; return how many there were.

    Raises:
        ModelError: ``GOLDEN_MISMATCH``: an answer differs from the recorded one by more than its tolerance.
        InferenceError: ``INFERENCE_FAILED``.
    """
    for golden in goldens:
        spec = instance.signatures.get(golden.signature)
        inputs = {tensor.name: tensor for tensor in golden.inputs}
        if spec is None or {tensor.name for tensor in spec.inputs} != set(inputs):
            raise ModelError(
                "GOLDEN_MISMATCH",
                f"a golden is for the signature {golden.signature!r}, which the model does not have",
                _HINT,
            )
        payload = b"".join(inputs[tensor.name].data for tensor in spec.inputs)
        shapes = None if spec.is_static else [inputs[tensor.name].shape for tensor in spec.inputs]
        answer = instance.run(golden.signature, payload, 1, shapes, lambda: None)
        found = {tensor.name: np.asarray(value) for tensor, value in zip(spec.outputs, answer.tensors, strict=True)}
        for expected in golden.outputs:
            _require_close(expected, found.get(expected.name))
    return len(goldens)


def _require_close(expected: GoldenTensor, found: NDArray[Any] | None) -> None:
    dtype = np.dtype(expected.dtype)
    if found is None or found.nbytes != len(expected.data) or found.dtype not in (dtype, np.dtype(np.uint8)):
        raise ModelError(
            "GOLDEN_MISMATCH",
            f"the output {expected.name!r} has another type or size than in the model's golden",
            _HINT,
        )
    wanted = np.frombuffer(expected.data, dtype).astype(np.float64)
    values = np.frombuffer(found.tobytes(), dtype).astype(np.float64)
    with np.errstate(invalid="ignore"):
        is_close = (np.abs(values - wanted) <= expected.tolerance) | (values == wanted)
    is_close |= np.isnan(values) & np.isnan(wanted)
    if not is_close.all():
        place = int(np.flatnonzero(~is_close)[0])
        raise ModelError(
            "GOLDEN_MISMATCH",
            f"the model's golden: output {expected.name!r} at {place}: expected {wanted[place]:g} within"
            f" {expected.tolerance:g}, got {values[place]:g}",
            _HINT,
        )
