"""Recording goldens: the answers of a file on this machine, and how far other kernels may be from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from mmconvert.backends.litert.tensor import to_model
from mmconvert.feed import Array, Feed
from mmwire.golden import Golden, GoldenTensor

RECORDED_ROWS = 2
_MOST_BYTES = 1 << 20  # the largest row that is recorded
# Delegate and plain kernels of this CPU differ by the measured error; those of another CPU may differ by more.
_WIDENING = 4.0
_STEPS = 4  # of a quantized output: a few rounding decisions may fall otherwise
_FLOAT_SHARE = 1e-4  # of the output's largest value
_QUANTIZED_SHARE = 1e-3  # the same where int8 is inside: dynamic quantization rounds activations


def record(model: Path, signature: str, feeds: Sequence[Feed], has_integers: bool) -> list[Golden]:
    """Return goldens of the first rows; the tolerance is measured on all rows, and widened.

    Rows that are too large are left out, and so are outputs of whole numbers, where a tie may fall to the other side.
    """
    fast, plain = (_run(model, signature, feeds, kernels) for kernels in (OpResolverType.AUTO, _PLAIN))
    goldens = []
    for (inputs, outputs, details), _ in list(zip(fast, plain, strict=True))[:RECORDED_ROWS]:
        if sum(array.nbytes for array in inputs.values()) > _MOST_BYTES:
            break
        expected = [
            _tensor(name, array, _tolerance(name, array, fast, plain, has_integers))
            for name, array in outputs.items()
            if array.dtype.kind == "f" or details[name]["quantization"][0]
        ]
        given = [_tensor(name, array, 0.0) for name, array in inputs.items()]
        if expected:
            goldens.append(Golden(signature, tuple(given), tuple(expected)))
    return goldens


_PLAIN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
_Run = tuple[dict[str, Array], dict[str, Array], dict[str, Any]]


def _run(model: Path, signature: str, feeds: Sequence[Feed], kernels: OpResolverType) -> list[_Run]:
    found = []
    for feed in feeds:  # each gets a fresh interpreter, so that a model with state is as after loading
        interpreter = Interpreter(model_path=str(model), num_threads=1, experimental_op_resolver_type=kernels)
        runner = interpreter.get_signature_runner(signature)
        takes = runner.get_input_details()
        inputs = {name: to_model(feed[name], takes[name]) for name in sorted(takes)}
        outputs = runner(**inputs)
        found.append((inputs, {name: outputs[name] for name in sorted(outputs)}, runner.get_output_details()))
    return found


def _tolerance(name: str, array: Array, fast: list[_Run], plain: list[_Run], has_integers: bool) -> float:
    errors = [
        np.abs(a[1][name].astype(np.float64) - b[1][name].astype(np.float64)).max(initial=0)
        for a, b in zip(fast, plain, strict=True)
    ]
    measured = float(np.nanmax(errors)) if errors else 0.0
    if array.dtype.kind != "f":
        return _WIDENING * measured + _STEPS
    largest = max(float(np.nan_to_num(np.abs(run[1][name])).max(initial=0)) for run in fast)
    floor = _QUANTIZED_SHARE if has_integers else _FLOAT_SHARE
    return float(f"{_WIDENING * measured + floor * largest:.4g}")


def _tensor(name: str, array: Array, tolerance: float) -> GoldenTensor:
    return GoldenTensor(name, array.dtype.name, tuple(array.shape), np.ascontiguousarray(array).tobytes(), tolerance)
