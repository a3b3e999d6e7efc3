"""Decides whether a model is a classifier, and finds the best classes of an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclient.answer import Answer
from mmclient.array import Array
from mmwire.tensor import SignatureSpec

_SUM_TOLERANCE = 0.02
_MAX_TOLERANCE = 0.5


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a signature.

    Attributes:
        output: The name of the output with the scores.
        labels: The labels by index; there may be none, or fewer than classes.
        sum_tolerance: How far the sum of a row's scores may be from 1 when the scores are probabilities.
        count: How many of the best classes to name.
    """

    output: str
    labels: list[str]
    sum_tolerance: float
    count: int

    def scores(self, answer: Answer) -> Array:
        """Return an answer's scores.

        Shape: ``[rows, classes]``
        """
        array = answer.outputs[self.output]
        return array.reshape(-1, array.shape[-1])

    def label(self, index: int) -> str | None:
        """Return a class's label."""
        return self.labels[index] if index < len(self.labels) else None

    def top(self, scores: Array) -> list[dict[str, Any]]:
        """Return the best classes of one row, best first, as ``--json`` lists them."""
        values = scores.astype(np.float64)
        order = np.argsort(-values, kind="stable")[: self.count]
        return [
            {
                "index": int(index),
                "label": self.label(int(index)),
                "score": scores[index].item() if np.isfinite(values[index]) else None,
            }
            for index in order
        ]

    def are_probabilities(self, scores: Array) -> bool:
        """Return whether the scores of one row look like probabilities: each from 0 to 1, and their sum about 1."""
        if scores.dtype.kind != "f" or not np.isfinite(scores).all():
            return False
        in_range = scores.min() >= 0 and scores.max() <= 1 + _SUM_TOLERANCE
        return bool(in_range and abs(float(scores.sum()) - 1) <= self.sum_tolerance)


def classes_of(
    spec: SignatureSpec, read_labels: Callable[[], list[str]], count: int, *, is_wanted: bool
) -> Classes | None:
    """Return the classes of a signature, None for a model that is not a classifier.

    Args:
        spec: The signature's tensors.
        read_labels: Asks the daemon for the labels.
        count: How many of the best classes to name.
        is_wanted: Whether the user asked for classes: then an output of the input's shape counts as classes too.
    """
    if not spec.classes:
        return None
    (output,) = spec.outputs
    labels = read_labels()
    if not labels and not is_wanted and [tensor.shape for tensor in spec.inputs] == [output.shape]:
        return None  # an autoencoder
    rounding = output.scale * output.shape[1] / 2  # each stored score is off by half a step at most
    return Classes(output.name, labels, min(_MAX_TOLERANCE, _SUM_TOLERANCE + rounding), count)
