"""One form of the model, and everything that was found out about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmconvert.candidate.recipe import Recipe
from mmconvert.parity.statistic import Interval


@dataclass(slots=True)
class Candidate:
    """A file that was made by a recipe. Figures are added as they are measured.

    Attributes:
        is_one_row: Whether it was made from the variant for one row.
        path: None when it could not be made; ``failure`` says why.
        drop: Accuracy lost on the rows that choose.
        sqnr_db: Over all outputs of those rows; None when they are equal.
        agreement: Share of those rows in which the class is the float model's.
        kl: Mean divergence from the float model's probabilities.
        flips: Those rows of the first signature whose class it changes.
        refusal: Why it may not be chosen, empty when it may.
        times_ms: Time of one run, one figure for each round; rounds are interleaved over all candidates.
        memory_bytes: Memory that it needs of its own at its peak, None when it was not measured.
        partitions: Pieces that the delegate runs; more of them mean more hand-overs.
    """

    recipe: Recipe
    is_one_row: bool = False
    path: Path | None = None
    bytes: int = 0
    drop: Interval | None = None
    sqnr_db: float | None = None
    agreement: float | None = None
    kl: float | None = None
    flips: list[dict[str, int | float]] = field(default_factory=list)
    refusal: str = ""
    failure: str = ""
    times_ms: list[float] = field(default_factory=list)
    latency_ms: Interval | None = None
    memory_bytes: int | None = None
    partitions: int = 0

    @property
    def name(self) -> str:
        """The recipe's name, and an ending for each change to it."""
        kept = len(self.recipe.kept_float)
        return self.recipe.name + (f"_{kept}_float" if kept else "") + ("_one_row" if self.is_one_row else "")

    @property
    def file(self) -> Path:
        """The candidate's file; only one that could be made has it."""
        assert self.path is not None, f"{self.name} has no file: {self.failure}"
        return self.path

    @property
    def may_be_chosen(self) -> bool:
        """Whether it was made and measured, and passed its gates."""
        return self.path is not None and not self.refusal and self.latency_ms is not None

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for ``--json`` and the report."""
        return {
            "name": self.name,
            "meaning": self.recipe.meaning,
            "kept_float": list(self.recipe.kept_float),
            "bytes": self.bytes,
            "drop": self.drop.as_dict() if self.drop else None,
            "sqnr_db": self.sqnr_db,
            "agreement": self.agreement,
            "kl": self.kl,
            "latency_ms": self.latency_ms.as_dict() if self.latency_ms else None,
            "times_ms": self.times_ms,
            "memory_bytes": self.memory_bytes,
            "partitions": self.partitions,
            "refusal": self.refusal or self.failure,
        }
