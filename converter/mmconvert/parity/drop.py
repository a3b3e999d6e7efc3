"""How much accuracy a candidate costs, row by row, against the float model.

There is one number for each row, so that candidates can be compared in pairs. It depends on what is known:

========================= ==========================================================================================
right classes are known   1 where only the float model is right, -1 where only the candidate is, else 0
the output is a           ``p(a) - p(b)``: a the float model's class, b the candidate's, p the float model's own
distribution              probabilities; the accuracy that the change costs if these are right
anything else             ``sum (y - r)^2 / mean over rows of sum r^2``: noise power; 0.01 is an SQNR of 20 dB
========================= ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmconvert.feed import Array, Feed
from mmconvert.parity.metric import are_probabilities


def drop_of_rows(reference: Sequence[Feed], answers: Sequence[Feed], classes: Array | None) -> Array:
    """Return the drop of each row; of several outputs, the worst counts.

    Shape:
        ``[rows]``; infinite where the candidate's answer is not finite or has another shape.
    """
    drops = [_drop(reference, answers, name, classes) for name in sorted(reference[0])]
    worst: Array = np.max(drops, axis=0)
    return worst


def kind_of_drop(reference: Sequence[Feed], classes: Array | None) -> str:
    """Return what the drop of these rows measures, in words."""
    scores = [name for name in reference[0] if _is_scores(_column(reference, name))]
    if classes is not None and scores:
        return "accuracy lost on labelled rows"
    if any(are_probabilities(_column(reference, name)) for name in scores):
        return "accuracy expected to be lost (no labels: by the float model's own probabilities)"
    return "noise power over signal power (no labels, no probabilities)"


def accuracies(reference: Sequence[Feed], answers: Sequence[Feed], classes: Array) -> tuple[float, float] | None:
    """Return the share of rows for which the original and the candidate name the right class, None without scores."""
    for name in sorted(reference[0]):
        if len({row[name].shape for row in (*reference, *answers)}) == 1 and _is_scores(_column(reference, name)):
            wanted, got = _column(reference, name), _column(answers, name)
            return float((wanted.argmax(axis=1) == classes).mean()), float((got.argmax(axis=1) == classes).mean())
    return None


def _column(rows: Sequence[Feed], name: str) -> Array:
    """Return the values of one output, a row of numbers for each feed."""
    return np.stack([np.asarray(row[name], dtype=np.float64).ravel() for row in rows])


def _is_scores(values: Array) -> bool:
    return bool(values.shape[1] > 1)


def _drop(reference: Sequence[Feed], answers: Sequence[Feed], name: str, classes: Array | None) -> Array:
    if any(a[name].shape != b[name].shape for a, b in zip(reference, answers, strict=True)):
        return np.full(len(reference), np.inf)
    if len({row[name].shape for row in reference}) > 1:
        return np.array([_noise(row[name], answer[name]) for row, answer in zip(reference, answers, strict=True)])
    wanted, got = _column(reference, name), _column(answers, name)
    broken = np.isfinite(wanted).all(axis=1) & ~np.isfinite(got).all(axis=1)
    if broken.any():
        return np.where(broken, np.inf, 0.0)
    rows = np.arange(len(wanted))
    if classes is not None and _is_scores(wanted):
        right, still_right = wanted.argmax(axis=1) == classes, got.argmax(axis=1) == classes
        lost: Array = right.astype(np.float64) - still_right.astype(np.float64)
        return lost
    if are_probabilities(wanted):
        drop: Array = wanted.max(axis=1) - wanted[rows, got.argmax(axis=1)]
        return drop
    signal = float((np.nan_to_num(wanted) ** 2).sum(axis=1).mean())
    noise: Array = (np.nan_to_num(wanted - got) ** 2).sum(axis=1) / (signal or 1.0)
    return noise


def _noise(wanted: Array, got: Array) -> float:
    signal = float((wanted.astype(np.float64) ** 2).sum())
    noise = float(((wanted.astype(np.float64) - got) ** 2).sum())
    return noise / signal if signal else noise
