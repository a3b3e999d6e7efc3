"""Whether the rows that calibrate cover the others: an int8 input clips values beyond their range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mmconvert.feed import Feed
from mmconvert.source.signature import Tensor

TOLD_SHARE = 0.01  # two halves of 100 rows of the same data have less outside each other's range


def tell_clipping(inputs: Iterable[Tensor], calibrating: Sequence[Feed], others: Sequence[Feed]) -> list[str]:
    """Return a notice for each floating-point input that would clip many values of the other rows."""
    notices = []
    for tensor in inputs:
        if not tensor.is_float or not calibrating or not others:
            continue
        low = min(float(feed[tensor.name].min()) for feed in calibrating)
        high = max(float(feed[tensor.name].max()) for feed in calibrating)
        values = np.concatenate([feed[tensor.name].reshape(-1) for feed in others])
        share = float(np.mean((values < low) | (values > high)))
        if share > TOLD_SHARE:
            notices.append(
                f"input {tensor.name!r}: {share:.1%} of the values that choose and verify lie beyond those that"
                f" calibrate ({low:.4g} to {high:.4g}), and an int8 input clips them: calibrate with all values"
            )
    return notices
