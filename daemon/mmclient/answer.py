"""The answer to a request: its tensors, the version that computed them, and the times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmclient.array import Array


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a model.

    Attributes:
        outputs: The arrays by output name, owned by the caller.
        version: The version of the model that computed them.
        queue_us: Microseconds that the request waited in the daemon.
        run_us: Microseconds in the runtime. A row that shared its request with others has its share of them.
    """

    outputs: dict[str, Array]
    version: int
    queue_us: int
    run_us: int
