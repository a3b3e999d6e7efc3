"""Which operations cost the accuracy: each is tried alone in floating point, then the worst of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.recipe import Recipe
from mmconvert.search.score import Score
from mmwire.errors import ConvertError

_ROWS = 32
_EQUAL_DB = 200.0  # stands for equal, whose SQNR is infinite
_HEAVY = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_2D_TRANSPOSE", "BATCH_MATMUL")
_SHAPES_ONLY = ("RESHAPE", "SHAPE", "STRIDED_SLICE", "PACK", "SQUEEZE", "EXPAND_DIMS")


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The effect of one operation back in floating point.

    Attributes:
        sqnr_db: Of the whole model.
        gain_db: How much higher that is than without the change.
    """

    op: str
    output: str
    sqnr_db: float
    gain_db: float

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for ``--json`` and the report."""
        return {"op": self.op, "output": self.output, "sqnr_db": self.sqnr_db, "gain_db": self.gain_db}


def scan(
    base: Candidate,
    operations: Sequence[dict[str, str]],
    most: int,
    make: Callable[[Recipe], Candidate],
    score: Score,
    on_done: Callable[[], None],
) -> list[Sensitivity]:
    """Return the operations, beginning with the one that gains most when it alone stays in floating point."""
    before = min(score.sqnr_db(base.file, _ROWS), _EQUAL_DB)
    found = []
    for operation in _worth_trying(operations)[:most]:
        try:
            made = make(base.recipe.keeping_float([operation["output"]]))
            if made.path is not None:
                after = min(score.sqnr_db(made.path, _ROWS), _EQUAL_DB)
                found.append(
                    Sensitivity(operation["op"], operation["output"], round(after, 2), round(after - before, 2))
                )
        except ConvertError:
            continue  # an operation that cannot stand alone in floating point cannot be reverted
        finally:
            on_done()
    return sorted(found, key=lambda item: -item.gain_db)


def _worth_trying(operations: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    useful = [item for item in operations if item["dtype"].startswith("FLOAT") and item["op"] not in _SHAPES_ONLY]
    return sorted(useful, key=lambda item: item["op"] not in _HEAVY)


def revert(
    base: Candidate,
    ranking: Sequence[Sensitivity],
    make: Callable[[Recipe], Candidate],
    score: Score,
) -> list[Candidate]:
    """Return candidates with more and more of the worst operations in floating point, until one keeps the accuracy.

    The number of operations doubles until it is enough, and then steps back as long as it still is.
    """
    tried: dict[int, Candidate] = {}

    def attempt(count: int) -> bool:
        if count not in tried:
            tried[count] = make(base.recipe.keeping_float([item.output for item in ranking[:count]]))
            if tried[count].path is not None:
                score.judge(tried[count])
        return tried[count].path is not None and not tried[count].refusal

    enough = 1
    while enough <= len(ranking) and not attempt(enough):
        enough *= 2
    if enough <= len(ranking):
        for count in range(enough - 1, enough // 2, -1):
            if not attempt(count):
                break
    return list(tried.values())
