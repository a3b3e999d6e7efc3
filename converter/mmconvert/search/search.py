"""The search: make every candidate worth trying, score all, revert what costs accuracy, time them in turns, choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.maker import Maker
from mmconvert.candidate.pick import Pick
from mmconvert.candidate.recipe import FLOAT32, STATIC_INT8, TENSORFLOW_INT8, Recipe, recipes_for
from mmconvert.parity.statistic import bootstrap_median
from mmconvert.progress import Progress
from mmconvert.search.choice import choose, pareto, speedup
from mmconvert.search.ranking import rank
from mmconvert.search.score import Score
from mmconvert.search.sensitivity import Sensitivity, revert, scan
from mmwire.errors import ConvertError

_ROUNDS = {"quick": 12, "default": 24, "thorough": 60}
_SCANNED = {"quick": 0, "default": 24, "thorough": 400}
_BATCH = 32
_BATCH_PAYS = 0.8


@dataclass(slots=True)
class Search:
    """One search over the forms of one float model.

    Attributes:
        operations: Of the float model, in their order.
        takes_batches: Whether every signature takes any number of rows.
    """

    maker: Maker
    produced: LiteRTBackend
    dataset: Dataset
    operations: Sequence[dict[str, str]]
    takes_batches: bool
    preset: str
    objective: str
    max_drop: float
    progress: Progress
    candidates: list[Candidate] = field(default_factory=list)
    sensitivity: list[Sensitivity] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self) -> tuple[list[Pick], dict[str, Any]]:
        """Return what may be published, the best first, and the whole search as a document.

        Raises:
            ConvertError: The float model itself cannot be run.
        """
        splits = {name: rows.search for name, rows in self.dataset.signatures.items()}
        score = Score(self.produced, splits, self.maker.model.path, self.max_drop)
        baseline = self._try(FLOAT32, score)
        ops = [operation["op"] for operation in self.operations]
        recipes = recipes_for(self.preset, ops, has_calibration=True)
        with self.progress.bar("search", "recipes", len(recipes)) as on_step:
            for recipe in recipes:
                self._try(recipe, score)
                on_step()
        static = self._find(STATIC_INT8)
        if static.path is None:
            static = self._try(TENSORFLOW_INT8, score)
        if static.path is not None and static.recipe is STATIC_INT8 and _SCANNED[self.preset]:
            self._scan(static, score)
        self._measure(baseline)
        self._try_one_row(baseline, score)
        ranked = rank(baseline, self.candidates, self.objective)
        self._tell_of_pruning(baseline, ranked[0][0])
        picks = [
            Pick(
                candidate.recipe,
                candidate.is_static,
                {
                    "chosen": candidate.name,
                    "reason": reason,
                    "speedup": speedup(baseline, candidate).as_dict(),
                    "flips": candidate.flips,
                },
            )
            for candidate, reason in ranked
        ]
        return picks, picks[0].told | self._document(baseline, score)

    def _find(self, recipe: Recipe) -> Candidate:
        return next(candidate for candidate in self.candidates if candidate.recipe is recipe)

    def _try(self, recipe: Recipe, score: Score, is_static: bool = False) -> Candidate:
        candidate = self.maker.make(recipe, is_static)
        self.candidates.append(candidate)
        if candidate.path is not None:
            try:
                score.judge(candidate)
                candidate.partitions = self.produced.describe(candidate.path)["partitions"]
            except ConvertError as error:
                if recipe is FLOAT32:
                    raise
                candidate.path, candidate.failure = None, error.message
        return candidate

    def _scan(self, static: Candidate, score: Score) -> None:
        most = min(_SCANNED[self.preset], len(self.operations))
        with self.progress.bar("search", "one operation at a time", most) as on_step:
            self.sensitivity = scan(static, self.operations, most, self.maker.make, score, on_step)
        if static.refusal and self.sensitivity:
            reverted = revert(static, self.sensitivity, self.maker.make, score)
            for candidate in reverted:
                if candidate.path is not None:
                    candidate.partitions = self.produced.describe(candidate.path)["partitions"]
            self.candidates += reverted
            self.notes.append(f"static_int8 lost too much; {len(reverted)} mixtures of int8 and float were tried")

    def _measure(self, baseline: Candidate) -> None:
        """Time and weigh everything that was made, in turns."""
        made = {str(index): item for index, item in enumerate(self.candidates) if item.path is not None}
        files = {index: item.path for index, item in made.items() if item.path is not None}
        self.progress.on_stage("search", f"timing {len(files)} candidates in turns")
        times = self.produced.measure_latency(files, _ROUNDS[self.preset])
        memory = self.produced.measure_memory(files)
        for index, item in made.items():
            item.times_ms, item.memory_bytes = times[index], memory[index]
            item.latency_ms = bootstrap_median(np.array(item.times_ms))

    def _try_one_row(self, baseline: Candidate, score: Score) -> None:
        """Try the variant for one row where the graph computes shapes, and batches gain nothing."""
        if self.maker.model.static is None or baseline.path is None or baseline.latency_ms is None:
            return
        if self.takes_batches and self._batches_pay(baseline):
            self.notes.append(f"running {_BATCH} rows at once pays: the variant for one row was not tried")
            return
        best, _ = choose(baseline, self.candidates, self.objective)
        for recipe in dict.fromkeys((FLOAT32.name, best.recipe.name)):
            source = baseline.recipe if recipe == FLOAT32.name else best.recipe
            self._try(source, score, is_static=True)
        self._measure(baseline)

    def _tell_of_pruning(self, baseline: Candidate, chosen: Candidate) -> None:
        """Note why pruning was not chosen, where there was something to prune."""
        for candidate in self.candidates:
            if candidate.recipe.pruned_share and candidate.path is not None and candidate is not chosen:
                ratio = speedup(baseline, candidate).estimate
                why = candidate.refusal or f"{ratio:.2f} times as fast as float32, {candidate.bytes:,} bytes"
                self.notes.append(f"pruning does not pay ({candidate.name}: {why})")

    def _batches_pay(self, baseline: Candidate) -> bool:
        assert baseline.path is not None and baseline.latency_ms is not None
        try:
            times = self.produced.measure_latency({"batch": baseline.path}, rounds=8, rows=_BATCH)["batch"]
        except ConvertError:
            return False
        return float(np.median(times)) / _BATCH < _BATCH_PAYS * baseline.latency_ms.estimate

    def _document(self, baseline: Candidate, score: Score) -> dict[str, Any]:
        growth = self.maker.ranges()["growth"] if self.maker.has_ranges else []
        if len(growth) > 1 and growth[-2][1] < 0.97:
            self.notes.append(
                f"the ranges still grew with the last calibration rows ({growth[-2][1]:.1%} of the final range after"
                f" {growth[-2][0]} rows): more rows would help"
            )
        return {
            "objective": self.objective,
            "preset": self.preset,
            "max_drop": self.max_drop,
            "rows": score.rows,
            "drop_is": score.kind,
            "baseline": baseline.name,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "pareto": [candidate.name for candidate in pareto(self.candidates)],
            "sensitivity": [item.as_dict() for item in self.sensitivity],
            "growth": growth,
            "ranges": self.maker.ranges()["ranges"] if self.maker.has_ranges else {},
            "notes": self.notes,
        }
