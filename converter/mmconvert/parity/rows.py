"""Made-up rows to compare on: edges, seeded random values, batches, goldens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmconvert.feed import Array, Feed, join_feeds
from mmconvert.source.signature import UNKNOWN, Signature, Tensor

RANDOM_ROWS = 32
MAX_PARITY_ROWS = 128  # each is run one at a time, in TensorFlow and in LiteRT
GOLDEN_ROWS = 8
BATCH_ROWS = 8
_OPEN_DIMENSION = 16  # size of an open dimension other than that of the rows
_SEED = 20240229
_LARGE = 16.0  # far outside standardised data, but its exponential does not overflow


def edge_feeds(signature: Signature) -> list[Feed]:
    """Return rows at the edges: zeros, ones and, for floating-point inputs, large values of both signs."""
    random = np.random.default_rng(_SEED)
    rows = [
        {tensor.name: np.full(_feed_shape(tensor), value, tensor.dtype) for tensor in signature.inputs}
        for value in (0, 1)
    ]
    if any(tensor.is_float for tensor in signature.inputs):
        rows.append({tensor.name: _extremes(random, tensor) for tensor in signature.inputs})
    return rows


def random_feeds(signature: Signature) -> list[Feed]:
    """Return the rows at the edges and ``RANDOM_ROWS`` of random values; they are the same in every run.

    Nothing is known of the inputs. Half of the rows are normal(0, 1), like standardised data; half are uniform in
    [0, 1), like pixels. Integer inputs get 0 and 1, which every vocabulary and every category has.
    """
    random = np.random.default_rng(_SEED)
    return edge_feeds(signature) + [
        {tensor.name: _values(random, tensor, is_normal=row % 2 == 0) for tensor in signature.inputs}
        for row in range(RANDOM_ROWS)
    ]


def _extremes(random: np.random.Generator, tensor: Tensor) -> Array:
    signs = random.integers(0, 2, _feed_shape(tensor))
    return np.asarray(signs * 2 * _LARGE - _LARGE if tensor.is_float else signs).astype(tensor.dtype)


def batch_feed(signature: Signature, feeds: list[Feed]) -> Feed | None:
    """Return one feed of ``BATCH_ROWS`` rows, None if the signature takes no batches or there are too few rows."""
    if not signature.takes_batches or len(feeds) < BATCH_ROWS:
        return None
    return join_feeds(feeds[:BATCH_ROWS])


def golden_feeds(signature: Signature, real: Sequence[Feed]) -> list[Feed]:
    """Return made-up rows over the range of the real ones: these rows travel with the file, real data must not."""
    if not real:
        return random_feeds(signature)[-GOLDEN_ROWS:]
    random = np.random.default_rng(_SEED)
    spans = {}
    for tensor in signature.inputs:
        values = [feed[tensor.name] for feed in real]
        spans[tensor.name] = (
            min(value.min() for value in values),
            max(value.max() for value in values),
            values[0].shape,
        )
    return [
        {tensor.name: _between(random, tensor, *spans[tensor.name]) for tensor in signature.inputs}
        for _ in range(GOLDEN_ROWS)
    ]


def _between(random: np.random.Generator, tensor: Tensor, low: Any, high: Any, shape: tuple[int, ...]) -> Array:
    if tensor.is_float:
        values: Array = low + (high - low) * random.random(shape)
        return values.astype(tensor.dtype)
    whole: Array = random.integers(int(low), int(high) + 1, shape).astype(tensor.dtype)
    return whole


def _feed_shape(tensor: Tensor) -> tuple[int, ...]:
    lead = (1,) if tensor.is_batched else ()
    return lead + tuple(_OPEN_DIMENSION if size == UNKNOWN else size for size in tensor.row_shape)


def _values(random: np.random.Generator, tensor: Tensor, is_normal: bool) -> Array:
    shape = _feed_shape(tensor)
    if not tensor.is_float:
        return random.integers(0, 2, shape).astype(tensor.dtype)
    return (random.normal(size=shape) if is_normal else random.random(shape)).astype(tensor.dtype)
