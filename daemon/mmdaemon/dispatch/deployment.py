"""A version that serves, with its instances. The swap publishes it, the dispatcher leases its instances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmwire.tensor import SignatureSpec

_RECENT = 0.1  # the weight of the last run in the average of what a row takes


@dataclass(slots=True)
class Usage:
    """The work of a deployment since it was published; ``mmctl ps`` shows it.

    Attributes:
        row_us: Microseconds that a row takes: an exponential average; infinite before the first run.
    """

    requests: int = 0
    rows: int = 0
    errors: int = 0
    run_us_total: float = 0.0
    row_us: float = math.inf

    def expected_s(self, rows: int) -> float:
        """Return the seconds that so many rows will take, judged by the rows before; 0 before the first run."""
        return 0.0 if self.row_us == math.inf else self.row_us * rows / 1e6

    def on_run(self, rows: int, run_us: float, failed: bool) -> None:
        """Count one run."""
        self.requests += 1
        self.rows += rows
        self.errors += failed
        self.run_us_total += run_us
        row_us = run_us / rows
        self.row_us = row_us if self.row_us == math.inf else self.row_us + _RECENT * (row_us - self.row_us)


@dataclass(slots=True, eq=False)
class Deployment:
    """One version of a model, with its loaded instances.

    Attributes:
        name: The model.
        version: Its number.
        signatures: Its signatures by name, the default one first.
        cost: Cores that one invocation uses.
        max_instances: How many instances it may have at a time.
        idle: Instances that are not leased, the most recently used last.
        instances: How many instances there are, leased ones included; 0 while its process is stopped or lost.
        growing: How many more instances are being loaded.
        is_retired: Whether another version, or none, serves in its place. Leased instances still finish.
        max_run_s: Seconds that one invocation may take; 0 = the limit of the daemon's configuration.
        is_on_demand: Whether its instances may be closed while they are idle.
        image_mean: For a float input: the client subtracts this from each pixel (0 to 255).
        image_scale: For a float input: the client divides the difference by this.
        last_used: When it last ran a request or got an instance, in monotonic seconds.
        setbacks: How many instances in a row could not be loaded, or were lost before they ran anything.
        setback: The reason of the last setback.
        pause_until: Until then no new instance is asked for, in monotonic seconds.
    """

    name: str
    version: int
    signatures: Mapping[str, SignatureSpec]
    cost: int
    max_instances: int
    idle: list[Any]
    instances: int = 1
    growing: int = 0
    is_retired: bool = False
    max_run_s: float = 0.0
    is_on_demand: bool = False
    image_mean: float = 0.0
    image_scale: float = 255.0
    last_used: float = -math.inf
    setbacks: int = 0
    setback: str = ""
    pause_until: float = -math.inf
    usage: Usage = field(default_factory=Usage)
