"""Stage verify: the chosen file against TensorFlow, on rows that took no part in choosing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.maker import Maker
from mmconvert.candidate.pick import Pick
from mmconvert.candidate.recipe import FLOAT32, STATIC_INT8, TENSORFLOW_INT8
from mmconvert.conversion import Conversion, Verification
from mmconvert.feed import Feed, join_feeds
from mmconvert.parity.drop import accuracies, drop_of_rows, kind_of_drop
from mmconvert.parity.gate import require_float_parity, require_quantized_parity
from mmconvert.parity.metric import OutputParity, compare
from mmconvert.parity.statistic import Interval, bootstrap_mean
from mmconvert.parity.summary import describe_parity, summarise
from mmconvert.verdict import require_int8, require_weights
from mmconvert.workshop import Workshop
from mmwire.errors import ConvertError

_BATCHES = (2, 4, 8, 16, 32)
_BATCH_TOLERANCE = 1e-2  # of the output's range: kernels may take another path for more rows


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with the first of its picks that holds, and with the result of the comparison.

    Raises:
        ConvertError: No pick holds. Of the last one: ``PARITY_FAILED``; ``CONVERTER_FAILED``: it is not what was asked
            for; or a child ended.
    """
    maker = Maker(workshop, conversion.subject, conversion.model, conversion.dataset)
    evidence: list[str] = []
    failed: list[str] = []
    for pick in conversion.picks:
        candidate = maker.require(pick.recipe, pick.is_one_row)
        workshop.progress.on_step(f"comparing {candidate.name} with TensorFlow")
        check = _CandidateCheck(candidate, conversion, workshop)
        try:
            verification = check.run()
        except ConvertError as error:
            if pick is conversion.picks[-1]:
                for line in evidence:
                    error.add_note(line)  # evidence of the refusal
                raise
            evidence.append(f"accuracy gate failed: {error.message}")
            failed.append(candidate.name)
            continue
        search = conversion.search if conversion.search is None else conversion.search | _tell(pick, failed)
        return conversion.adding(
            *evidence, *check.evidence, search=search, candidate=candidate, verification=verification
        )
    raise AssertionError("a conversion has at least one pick")


def _tell(pick: Pick, failed: Sequence[str]) -> dict[str, Any]:
    """Return what the document of a search says of the pick that held."""
    if not failed:
        return pick.told
    return pick.told | {"reason": f"{' and '.join(failed)} failed on rows held out; {pick.told['reason']}"}


class _CandidateCheck:
    """Compares one candidate's file with TensorFlow."""

    def __init__(self, candidate: Candidate, conversion: Conversion, workshop: Workshop) -> None:
        job = conversion.job
        self._candidate = candidate
        self._conversion = conversion
        self._workshop = workshop
        # A form that was asked for by name has only parity to pass, unless rows were given to verify with.
        self._max_drop = job.max_drop if job.searches or job.evaluation is not None else None
        self.evidence: list[str] = []

    def run(self) -> Verification:
        """Check that the file is what it is called, and equal enough to the original.

        Raises:
            ConvertError: As the stage.
        """
        candidate, recipe = self._candidate, self._candidate.recipe
        found = self._workshop.litert.describe(candidate.file)
        census = found["census"]
        require_weights(census, self._conversion.model.variable_elements)
        if recipe.name in (STATIC_INT8.name, TENSORFLOW_INT8.name) and not recipe.kept_float:
            require_int8(census)
        parity, drop = self._compare()
        if recipe.name != FLOAT32.name:
            self.evidence.append(f"{candidate.name} model: {describe_parity(parity)}")
            parity = parity | {"float32": self._conversion.equivalence.parity}
        if drop is not None:
            self.evidence.append(f"on rows held out: {drop[1]}: {_describe_interval(drop[0])}")
        return Verification(parity, drop[0] if drop else None, census, found["signatures"], self._find_batches())

    def _compare(self) -> tuple[dict[str, Any], tuple[Interval, str] | None]:
        """Return the parity, and the drop with its kind where there are real rows."""
        dataset, recipe = self._conversion.dataset, self._candidate.recipe
        outputs: list[OutputParity] = []
        drop: tuple[Interval, str] | None = None
        count = 0
        for signature in self._conversion.subject.signatures:
            rows, wanted = self._rows(signature.name)
            got = self._workshop.litert.answer(self._candidate.file, signature.name, rows)
            outputs += compare(wanted, got)
            count += len(rows)
            if dataset is not None:
                found = self._measure_drop(signature.name, wanted, got)
                drop = found if drop is None or found[0].high > drop[0].high else drop
        if recipe.name == FLOAT32.name:
            require_float_parity(outputs)
        else:
            mode = "int8" if recipe.is_calibrated else "dynamic"
            require_quantized_parity(outputs, mode, rows_are_real=dataset is not None)
        self._require_small(drop)
        kind = "random" if dataset is None else "calibration"
        batches = self._conversion.equivalence.parity["batches"]
        return {"rows": count, "inputs": kind, "batches": batches, **summarise(outputs)}, drop

    def _measure_drop(self, signature: str, wanted: list[Feed], got: list[Feed]) -> tuple[Interval, str]:
        assert self._conversion.dataset is not None
        classes = self._conversion.dataset.signatures[signature].held_out.classes
        classes = classes if classes is not None and len(classes) == len(wanted) else None
        values = drop_of_rows(wanted, got, classes)
        right = None if classes is None else accuracies(wanted, got, classes)
        if right is not None:
            told = f"right classes on rows held out: the original {right[0]:.1%}, this file {right[1]:.1%}"
            self.evidence.append(told)
        return bootstrap_mean(np.nan_to_num(values, posinf=1e9)), kind_of_drop(wanted, classes)

    def _require_small(self, drop: tuple[Interval, str] | None) -> None:
        if drop is not None and self._max_drop is not None and drop[0].estimate > self._max_drop:
            raise ConvertError(
                "PARITY_FAILED",
                f"{self._candidate.name}: {drop[1]}, on rows held out: {_describe_interval(drop[0])};"
                f" {self._max_drop:.2%} are allowed",
                "give more and truer calibration rows, or allow more with --max-drop",
            )

    def _rows(self, signature: str) -> tuple[list[Feed], list[Feed]]:
        dataset = self._conversion.dataset
        if dataset is None:
            return self._conversion.equivalence.rows[signature]
        feeds = dataset.signatures[signature].held_out.feeds
        return self._workshop.tensorflow.answer(self._conversion.subject, signature, feeds)

    def _find_batches(self) -> list[int]:
        """Return the numbers of rows that the file runs at once with the answers that it gives one by one."""
        signature, litert, file = self._conversion.subject.signatures[0], self._workshop.litert, self._candidate.file
        rows = self._rows(signature.name)[0][: _BATCHES[-1]]
        works = [1]
        if not signature.takes_batches or self._candidate.is_one_row:
            return works
        alone = litert.answer(file, signature.name, rows)
        for size in _BATCHES:
            some = [index % len(rows) for index in range(size)]
            try:
                batch = join_feeds([rows[index] for index in some])
                (together,) = litert.answer(file, signature.name, [batch])
                wanted = join_feeds([alone[index] for index in some])
            except (ConvertError, ValueError):  # refused, or outputs without a dimension for rows
                break
            if any(not _is_close(wanted[name], together[name]) for name in wanted):
                break
            works.append(size)
        return works


def _describe_interval(drop: Interval) -> str:
    return f"{drop.estimate:.2%} (95 %: {drop.low:.2%} to {drop.high:.2%})"


def _is_close(wanted: Any, got: Any) -> bool:
    if wanted.shape != got.shape:
        return False
    span = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)) or 1.0
    return bool(np.allclose(wanted, got, rtol=0, atol=_BATCH_TOLERANCE * span, equal_nan=True))
