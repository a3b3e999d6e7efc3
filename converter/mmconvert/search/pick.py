"""Which forms may be published, in which order: settled before the rows held out are looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmconvert.search.candidate import Candidate
from mmconvert.search.choice import choose
from mmconvert.search.recipe import RECIPES, Recipe

_MOST = 3  # besides float32: each try is one more chance to pass by luck


@dataclass(frozen=True, slots=True)
class Pick:
    """A form that is to be published if it holds on the rows held out.

    Attributes:
        is_static: Whether it is made from the variant for one row.
        told: What the document of the search says when it is this one.
    """

    recipe: Recipe
    is_static: bool = False
    told: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "recipe": self.recipe.name,
            "kept_float": list(self.recipe.kept_float),
            "is_static": self.is_static,
            "told": self.told,
        }


def read_pick(fields: dict[str, Any]) -> Pick:
    """Read the JSON form, or what the provenance of a file names."""
    recipe = RECIPES[fields["recipe"]].keeping_float(fields["kept_float"])
    return Pick(recipe, bool(fields["is_static"]), fields.get("told", {}))


def rank(baseline: Candidate, candidates: Sequence[Candidate], objective: str) -> list[tuple[Candidate, str]]:
    """Return the choice, what comes after it and the float baseline, each with its reason in a sentence.

    Each is the best of those that are nearer to the float model than the one before, by SQNR. It ends with the
    baseline.
    """
    ranked: list[tuple[Candidate, str]] = []
    left = list(candidates)
    while len(ranked) < _MOST:
        chosen, reason = choose(baseline, left, objective)
        ranked.append((chosen, reason))
        if chosen is baseline:
            return ranked
        left = [candidate for candidate in left if candidate is baseline or _sqnr_db(candidate) > _sqnr_db(chosen)]
    return [*ranked, (baseline, "float32 stays")]


def _sqnr_db(candidate: Candidate) -> float:
    return math.inf if candidate.sqnr_db is None else candidate.sqnr_db
