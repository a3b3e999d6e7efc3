"""Making candidates: a recipe and the float model give a file, or the reason why there is none."""

from __future__ import annotations

from typing import Any

from mmconvert.backends.tensorflow.backend import FloatModel
from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.recipe import FLOAT32, STATIC_INT8, TENSORFLOW_INT8, Recipe
from mmconvert.feed import Feed
from mmconvert.source.subject import Subject
from mmconvert.workshop import Workshop
from mmwire.errors import ConvertError


class Maker:
    """Makes files by recipes.

    Args:
        dataset: Its calibration rows are run once, for the first recipe that needs ranges.
    """

    def __init__(self, workshop: Workshop, subject: Subject, model: FloatModel, dataset: Dataset | None) -> None:
        self.model = model
        self._workshop = workshop
        self._subject = subject
        self._dataset = dataset
        self._ranges: dict[str, Any] | None = None
        self._refusal: ConvertError | None = None

    @property
    def has_ranges(self) -> bool:
        """Whether the ranges were measured."""
        return self._ranges is not None

    def ranges(self) -> dict[str, Any]:
        """Return the ranges of the float model's tensors over the calibration rows, measured once.

        Raises:
            ConvertError: They cannot be measured: loops and recurrent layers; or the child ended.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._ranges is None:
            litert, feeds = self._workshop.litert, self._calibration_feeds()
            try:
                self._ranges = litert.measure_ranges(self.model.path, STATIC_INT8.rules, feeds)
            except ConvertError as error:
                self._refusal = error
                raise
        return self._ranges

    def make(self, recipe: Recipe, is_one_row: bool = False) -> Candidate:
        """Return the candidate; one that cannot be made says why."""
        candidate = Candidate(recipe, is_one_row)
        try:
            self._fill(candidate)
        except ConvertError as error:
            candidate.failure = error.message
        return candidate

    def require(self, recipe: Recipe, is_one_row: bool = False) -> Candidate:
        """Return the candidate of a form that was asked for.

        TensorFlow's own quantizer steps in for graphs that litert-quantizer does not know (loops, recurrent layers).

        Raises:
            ConvertError: Why it cannot be made.
        """
        candidate = Candidate(recipe, is_one_row)
        try:
            self._fill(candidate)
        except ConvertError:
            if recipe is not STATIC_INT8:
                raise
            candidate = Candidate(TENSORFLOW_INT8)
            self._fill(candidate)
        return candidate

    def _fill(self, candidate: Candidate) -> None:
        """Make the candidate's file.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, ``CONVERTER_FAILED``, ``CONVERTER_CRASHED``: it cannot be made.
        """
        recipe, workshop = candidate.recipe, self._workshop
        source = self.model.one_row if candidate.is_one_row and self.model.one_row else self.model.path
        if recipe.name == FLOAT32.name:
            path = source
        elif recipe.name == TENSORFLOW_INT8.name:
            path = workshop.tensorflow.quantize(self._subject, self._calibration_feeds())
        elif recipe.pruned_share:
            path = workshop.litert.prune(source, recipe.pruned_share)
        else:
            ranges = self.ranges()["ranges"] if recipe.is_calibrated else None
            path = workshop.litert.quantize(source, recipe.rules, ranges)
        candidate.path, candidate.bytes = path, path.stat().st_size

    def _calibration_feeds(self) -> dict[str, list[Feed]]:
        assert self._dataset is not None
        return {name: rows.calibration.feeds for name, rows in self._dataset.signatures.items()}
