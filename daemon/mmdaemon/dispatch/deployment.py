"""A version that serves: its instances and what it may use of the box. The dispatcher leases, the swap publishes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmwire.tensor import SignatureSpec

_RECENT = 0.1  # the weight of the last run in what a row takes lately


@dataclass(slots=True)
class Usage:
    """What a deployment has done since it was published; for ``mmctl ps``.

    Attributes:
        row_us: What a row took lately: an exponential average; infinite before the first run.
    """

    requests: int = 0
    rows: int = 0
    errors: int = 0
    run_us_total: float = 0.0
    row_us: float = math.inf

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
    """One version of a model with its loaded instances.

    Attributes:
        name: The model.
        version: Its number.
        signatures: Its signatures by name, the default one first.
        cost: Cores that one invocation takes.
        max_instances: Most instances at a time.
        idle: Instances that nobody has leased, the most recently used last.
        instances: How many there are, leased ones included; 0 while its process is stopped or was lost.
        growing: How many more are being loaded.
        is_retired: Whether something else, or nothing, serves in its place; leased instances still finish.
        max_run_s: Longest that one invocation may take; 0 = as the daemon's configuration says.
        is_on_demand: Whether its instances may be closed while nobody uses them.
        image_mean: Subtracted from a pixel (0 to 255) for a float input.
        image_scale: The difference is divided by it.
        last_used: When it last ran something or got an instance, in monotonic seconds.
        setbacks: Instances in a row that were lost before they ran anything, or could not be had.
        setback: Why, of the last.
        pause_until: No new instance is asked for before, in monotonic seconds.
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
