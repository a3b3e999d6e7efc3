"""How often the model folder is looked at, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds; ``config.toml`` says what each is."""

    rescan_s: float
    settle_s: float
    unfinished_s: float
    retire_grace_s: float
