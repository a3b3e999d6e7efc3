"""A version that serves: its instances and what it may use of the box. The pool leases, the swap publishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmwire.tensor import SignatureSpec


@dataclass(slots=True)
class Usage:
    """What a deployment has done since it was published; for ``mmctl ps``."""

    requests: int = 0
    rows: int = 0
    errors: int = 0
    run_us_total: int = 0


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
        instances: How many there are, leased ones included.
        growing: How many more are being loaded.
        is_retired: Whether something else, or nothing, serves in its place; leased instances still finish.
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
    usage: Usage = field(default_factory=Usage)
