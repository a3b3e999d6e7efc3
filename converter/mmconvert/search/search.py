"""The search: make every candidate worth trying, score all, revert what costs accuracy, time them in turns, choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.maker import Maker
from mmconvert.candidate.pick import Pick
from mmconvert.candidate.recipe import FLOAT32, STATIC_INT8, TENSORFLOW_INT8, Recipe, recipes_for
from mmconvert.parity.statistic import bootstrap_median
from mmconvert.search.choice import choose, pareto, speedup
from mmconvert.search.ranking import rank
from mmconvert.search.score import Score
from mmconvert.search.sensitivity import Sensitivity, revert, scan
from mmconvert.workshop import Workshop
from mmwire.errors import ConvertError

ROUNDS = {"quick": 12, "default": 24, "thorough": 60}
SCANNED = {"quick": 0, "default": 24, "thorough": 400}  # operations tried alone in float
_BATCH = 32
_BATCH_PAYS = 0.8
_GROWN = 0.97  # of the final range: below it the last rows still widened the ranges


@dataclass(frozen=True, slots=True)
class Goal:
    """The goal of a search, and its model.

    Attributes:
        max_drop: Most accuracy that may be lost, as a share.
        takes_batches: Whether every signature takes any number of rows.
        operations: Of the float model, in their order.
    """

    preset: str
    objective: str
    max_drop: float
    takes_batches: bool
    operations: tuple[dict[str, str], ...]


class Search:
    """One search over the forms of one float model.

    Args:
        dataset: Its rows that choose are those that candidates are scored on.
    """

    def __init__(self, goal: Goal, maker: Maker, dataset: Dataset, workshop: Workshop) -> None:
        self._goal = goal
        self._maker = maker
        self._litert = workshop.litert
        self._progress = workshop.progress
        splits = {name: rows.search for name, rows in dataset.signatures.items()}
        self._score = Score(self._litert, splits, maker.model.path, goal.max_drop)
        self._candidates: list[Candidate] = []
        self._sensitivity: list[Sensitivity] = []
        self._notes: list[str] = []

    def run(self) -> tuple[list[Pick], dict[str, Any]]:
        """Return what may be published, the best first, and the whole search as a document.

        Raises:
            ConvertError: The float model itself cannot be run.
        """
        baseline = self._try(FLOAT32)
        ops = [operation["op"] for operation in self._goal.operations]
        recipes = recipes_for(self._goal.preset, ops, has_calibration=True)
        with self._progress.bar("recipes", len(recipes)) as on_done:
            for recipe in recipes:
                self._try(recipe)
                on_done()
        int8 = self._find(STATIC_INT8)
        if int8.path is None:
            int8 = self._try(TENSORFLOW_INT8)
        if int8.path is not None and int8.recipe is STATIC_INT8 and SCANNED[self._goal.preset]:
            self._scan(int8)
        self._measure()
        self._try_one_row(baseline)
        ranked = rank(baseline, self._candidates, self._goal.objective)
        self._tell_of_pruning(baseline, ranked[0][0])
        picks = [
            Pick(
                candidate.recipe,
                candidate.is_one_row,
                {
                    "chosen": candidate.name,
                    "reason": reason,
                    "speedup": speedup(baseline, candidate).as_dict(),
                    "flips": candidate.flips,
                },
            )
            for candidate, reason in ranked
        ]
        return picks, picks[0].told | self._document(baseline)

    def _find(self, recipe: Recipe) -> Candidate:
        return next(candidate for candidate in self._candidates if candidate.recipe is recipe)

    def _try(self, recipe: Recipe, is_one_row: bool = False) -> Candidate:
        candidate = self._maker.make(recipe, is_one_row)
        self._candidates.append(candidate)
        if candidate.path is not None:
            try:
                self._score.judge(candidate)
                candidate.partitions = self._count_partitions(candidate)
            except ConvertError as error:
                if recipe is FLOAT32:
                    raise
                candidate.path, candidate.failure = None, error.message
        return candidate

    def _count_partitions(self, candidate: Candidate) -> int:
        return int(self._litert.describe(candidate.file)["partitions"])

    def _scan(self, int8: Candidate) -> None:
        operations = self._goal.operations
        most = min(SCANNED[self._goal.preset], len(operations))
        with self._progress.bar("one operation at a time", most) as on_done:
            self._sensitivity = scan(int8, operations, most, self._maker.make, self._score, on_done)
        if int8.refusal and self._sensitivity:
            reverted = revert(int8, self._sensitivity, self._maker.make, self._score)
            for candidate in reverted:
                if candidate.path is not None:
                    candidate.partitions = self._count_partitions(candidate)
            self._candidates += reverted
            self._notes.append(f"static_int8 lost too much; {len(reverted)} mixtures of int8 and float were tried")

    def _measure(self) -> None:
        """Time and weigh everything that was made, in turns."""
        made = {str(index): item for index, item in enumerate(self._candidates) if item.path is not None}
        files = {index: item.file for index, item in made.items()}
        self._progress.on_step(f"timing {len(files)} candidates in turns")
        times = self._litert.measure_latency(files, ROUNDS[self._goal.preset])
        memory = self._litert.measure_memory(files)
        for index, item in made.items():
            item.times_ms, item.memory_bytes = times[index], memory[index]
            item.latency_ms = bootstrap_median(np.array(item.times_ms))

    def _try_one_row(self, baseline: Candidate) -> None:
        """Try the variant for one row where the graph computes shapes, and batches gain nothing."""
        if self._maker.model.one_row is None:
            return
        if self._goal.takes_batches and self._batches_pay(baseline):
            self._notes.append(f"running {_BATCH} rows at once pays: the variant for one row was not tried")
            return
        best, _ = choose(baseline, self._candidates, self._goal.objective)
        for recipe in {candidate.recipe.name: candidate.recipe for candidate in (baseline, best)}.values():
            self._try(recipe, is_one_row=True)
        self._measure()

    def _batches_pay(self, baseline: Candidate) -> bool:
        assert baseline.latency_ms is not None
        try:
            times = self._litert.measure_latency({"batch": baseline.file}, rounds=8, rows=_BATCH)["batch"]
        except ConvertError:
            return False
        return float(np.median(times)) / _BATCH < _BATCH_PAYS * baseline.latency_ms.estimate

    def _tell_of_pruning(self, baseline: Candidate, chosen: Candidate) -> None:
        """Note why pruning was not chosen, where there was something to prune."""
        for candidate in self._candidates:
            if candidate.recipe.pruned_share and candidate.path is not None and candidate is not chosen:
                ratio = speedup(baseline, candidate).estimate
                why = candidate.refusal or f"{ratio:.2f} times as fast as float32, {candidate.bytes:,} bytes"
                self._notes.append(f"pruning does not pay ({candidate.name}: {why})")

    def _document(self, baseline: Candidate) -> dict[str, Any]:
        growth = self._maker.ranges()["growth"] if self._maker.has_ranges else []
        if len(growth) > 1 and growth[-2][1] < _GROWN:
            self._notes.append(
                f"the ranges still grew with the last calibration rows ({growth[-2][1]:.1%} of the final range after"
                f" {growth[-2][0]} rows): more rows would help"
            )
        return {
            "objective": self._goal.objective,
            "preset": self._goal.preset,
            "max_drop": self._goal.max_drop,
            "rows": self._score.rows,
            "drop_is": self._score.kind,
            "baseline": baseline.name,
            "candidates": [candidate.as_dict() for candidate in self._candidates],
            "pareto": [candidate.name for candidate in pareto(self._candidates)],
            "sensitivity": [item.as_dict() for item in self._sensitivity],
            "growth": growth,
            "ranges": self._maker.ranges()["ranges"] if self._maker.has_ranges else {},
            "notes": self._notes,
        }
