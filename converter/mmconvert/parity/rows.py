"""Rows to compare on when there are no real ones: zeros, and seeded random values."""

from __future__ import annotations

import numpy as np

from mmconvert.feed import Array, Feed, join_feeds
from mmconvert.source.signature import UNKNOWN, Signature, Tensor

RANDOM_ROWS = 32
BATCH_ROWS = 8
_OPEN_DIMENSION = 16  # what an open dimension other than the rows' is taken as
_SEED = 20240229


def random_feeds(signature: Signature) -> list[Feed]:
    """Return one row of zeros and ``RANDOM_ROWS`` of random values; the same for every run.

    Nothing is known of the inputs: half of the rows are normal(0, 1), as standardised data is, half uniform in [0, 1),
    as pixels are. Integer inputs take 0 and 1, which every vocabulary and every category has.
    """
    random = np.random.default_rng(_SEED)
    zeros = {tensor.name: np.zeros(_feed_shape(tensor), tensor.dtype) for tensor in signature.inputs}
    return [zeros] + [
        {tensor.name: _values(random, tensor, is_normal=row % 2 == 0) for tensor in signature.inputs}
        for row in range(RANDOM_ROWS)
    ]


def batch_feed(signature: Signature, feeds: list[Feed]) -> Feed | None:
    """Return one feed of ``BATCH_ROWS`` of the rows, None when the signature takes no batches or there are too few."""
    if not signature.takes_batches or len(feeds) < BATCH_ROWS:
        return None
    return join_feeds(feeds[:BATCH_ROWS])


def _feed_shape(tensor: Tensor) -> tuple[int, ...]:
    lead = (1,) if tensor.is_batched else ()
    return lead + tuple(_OPEN_DIMENSION if size == UNKNOWN else size for size in tensor.row_shape)


def _values(random: np.random.Generator, tensor: Tensor, is_normal: bool) -> Array:
    shape = _feed_shape(tensor)
    if not tensor.is_float:
        return random.integers(0, 2, shape).astype(tensor.dtype)
    return (random.normal(size=shape) if is_normal else random.random(shape)).astype(tensor.dtype)
