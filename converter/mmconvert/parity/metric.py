"""Figures of how far a converted model is from the original, one set for each output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmconvert.feed import Array, Feed

_SUM_TOLERANCE = 1e-2  # of the probabilities of one row
_TIE = 1 / 256  # the step of an int8 output of probabilities, which cannot tell closer scores apart


@dataclass(frozen=True, slots=True)
class OutputParity:
    """One output over all rows, wherever the original is finite.

    Attributes:
        shape_error: The first pair of shapes that differ, empty when all agree.
        non_finite: Values that are NaN or infinite where the original is finite.
        compared: Values that were compared.
        max_abs_error: ``max |y - r|``; r is the original's value, y the converted model's.
        relative_error: ``max |y - r| / max(max r - min r, max |r|)``; not divided where r is zero everywhere.
        sqnr_db: ``10 log10(sum r^2 / sum (y - r)^2)``, infinite when they are equal.
        equal_share: Share of equal values for an output of whole numbers, None for other outputs.
        top1_agreement: Share of rows in which the converted model's class is the original's, or one whose score in the
            original is within 1/256 of the highest; None unless the original's rows are probabilities.

    Source: SQNR as in https://en.wikipedia.org/wiki/Signal-to-quantization-noise_ratio; the mean is not subtracted
        from the signal.
    """

    name: str
    shape_error: str
    non_finite: int
    compared: int
    max_abs_error: float
    relative_error: float
    sqnr_db: float
    equal_share: float | None
    top1_agreement: float | None


def compare(original: Sequence[Feed], converted: Sequence[Feed], prefix: str = "") -> list[OutputParity]:
    """Compare the answers to the same feeds, output by output; the prefix is put before the outputs' names."""
    return [
        _compare_output(prefix + name, [answer[name] for answer in original], [answer[name] for answer in converted])
        for name in sorted(original[0])
    ]


def are_probabilities(rows: Array) -> bool:
    """Return whether every row is a distribution over classes.

    Shape:
        ``[rows, classes]``
    """
    return bool(
        rows.ndim == 2
        and rows.shape[1] > 1
        and rows.dtype.kind == "f"
        and np.isfinite(rows).all()
        and (rows >= 0).all()
        and np.allclose(rows.sum(axis=1), 1, atol=_SUM_TOLERANCE)
    )


def _compare_output(name: str, original: list[Array], converted: list[Array]) -> OutputParity:
    for wanted, got in zip(original, converted, strict=True):
        if wanted.shape != got.shape:
            text = f"TensorFlow gives {list(wanted.shape)}, the converted model {list(got.shape)}"
            return OutputParity(name, text, 0, 0, math.inf, math.inf, -math.inf, None, None)
    reference = np.concatenate([array.ravel() for array in original]).astype(np.float64)
    result = np.concatenate([array.ravel() for array in converted]).astype(np.float64)
    finite = np.isfinite(reference)
    non_finite = int((finite & ~np.isfinite(result)).sum())
    reference, result = reference[finite], result[finite]
    top1 = _top1_agreement(original, converted)
    if non_finite or not len(reference):
        return OutputParity(name, "", non_finite, len(reference), math.inf, math.inf, -math.inf, None, top1)
    error = np.abs(result - reference)
    largest = float(error.max())
    span = max(float(np.ptp(reference)), float(np.abs(reference).max()))
    noise = float((error**2).sum())
    signal = float((reference**2).sum())
    return OutputParity(
        name=name,
        shape_error="",
        non_finite=0,
        compared=len(reference),
        max_abs_error=largest,
        relative_error=largest / span if span else largest,
        sqnr_db=_decibel(signal, noise),
        equal_share=float((error == 0).mean()) if original[0].dtype.kind in "iub" else None,
        top1_agreement=top1,
    )


def _decibel(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _top1_agreement(original: list[Array], converted: list[Array]) -> float | None:
    if any(array.ndim != 2 for array in original):
        return None
    reference, result = np.concatenate(original), np.concatenate(converted)
    if not are_probabilities(reference):
        return None
    chosen = reference[np.arange(len(reference)), result.argmax(axis=1)]
    return float((chosen >= reference.max(axis=1) - _TIE).mean())
