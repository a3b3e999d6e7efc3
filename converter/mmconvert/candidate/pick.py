"""A form that may be published, and how it is written down: in the cache and in the file itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmconvert.candidate.recipe import RECIPES, Recipe


@dataclass(frozen=True, slots=True)
class Pick:
    """A form that is published if it holds on the rows held out.

    Attributes:
        is_one_row: Whether it is made from the variant for one row.
        told: What the document of the search says if this pick is published.
    """

    recipe: Recipe
    is_one_row: bool = False
    told: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "recipe": self.recipe.name,
            "kept_float": list(self.recipe.kept_float),
            "is_static": self.is_one_row,  # the key that the first release wrote
            "told": self.told,
        }


def read_pick(fields: dict[str, Any]) -> Pick:
    """Return the pick of a JSON form, or of the recipe in the provenance of a file."""
    recipe = RECIPES[fields["recipe"]].keeping_float(fields["kept_float"])
    return Pick(recipe, bool(fields["is_static"]), fields.get("told", {}))
