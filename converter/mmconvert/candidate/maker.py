"""Making candidates: a recipe and the float model give a file, or the reason why not."""

from __future__ import annotations

from typing import Any

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.backends.tensorflow.backend import FloatModel, TensorFlowBackend
from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.recipe import FLOAT32, STATIC_INT8, TENSORFLOW_INT8, Recipe
from mmwire.errors import ConvertError


class Maker:
    """Makes files by recipes.

    Args:
        dataset: Its calibration rows are run once, by the first recipe that needs ranges.
    """

    def __init__(
        self, model: FloatModel, original: TensorFlowBackend, produced: LiteRTBackend, dataset: Dataset | None
    ) -> None:
        self.model = model
        self._original = original
        self._produced = produced
        self._dataset = dataset
        self._ranges: dict[str, Any] | None = None
        self._refusal: ConvertError | None = None

    @property
    def has_ranges(self) -> bool:
        """Whether the ranges were measured, and could be."""
        return self._ranges is not None

    def ranges(self) -> dict[str, Any]:
        """Return the ranges of the float model's tensors over the calibration rows, measured once.

        Raises:
            ConvertError: They cannot be: loops and recurrent layers; or the child ended.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._ranges is None:
            assert self._dataset is not None
            feeds = {name: rows.calibration.feeds for name, rows in self._dataset.signatures.items()}
            try:
                self._ranges = self._produced.measure_ranges(self.model.path, STATIC_INT8.rules, feeds)
            except ConvertError as error:
                self._refusal = error
                raise
        return self._ranges

    def make(self, recipe: Recipe, is_static: bool = False) -> Candidate:
        """Return the candidate; one that cannot be made says why."""
        candidate = Candidate(recipe, is_static)
        try:
            self.fill(candidate)
        except ConvertError as error:
            candidate.failure = error.message
        return candidate

    def require(self, recipe: Recipe, is_static: bool = False) -> Candidate:
        """Return the candidate of a form that was asked for.

        TensorFlow's own quantizer steps in for graphs that the other does not know (loops, recurrent layers).

        Raises:
            ConvertError: Why it cannot be made.
        """
        candidate = Candidate(recipe, is_static)
        try:
            self.fill(candidate)
        except ConvertError:
            if recipe is not STATIC_INT8:
                raise
            candidate = Candidate(TENSORFLOW_INT8)
            self.fill(candidate)
        return candidate

    def fill(self, candidate: Candidate) -> None:
        """Make the candidate's file.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, ``CONVERTER_FAILED``, ``CONVERTER_CRASHED``: it cannot be made.
        """
        recipe = candidate.recipe
        source = self.model.static if candidate.is_static and self.model.static else self.model.path
        if recipe.name == FLOAT32.name:
            candidate.path = source
        elif recipe.name == TENSORFLOW_INT8.name:
            assert self._dataset is not None
            feeds = {name: rows.calibration.feeds for name, rows in self._dataset.signatures.items()}
            candidate.path = self._original.quantize(feeds)
        elif recipe.pruned_share:
            candidate.path = self._produced.prune(source, recipe.pruned_share)
        else:
            ranges = self.ranges()["ranges"] if recipe.is_calibrated else None
            candidate.path = self._produced.quantize(source, recipe.rules, ranges)
        candidate.bytes = candidate.path.stat().st_size
