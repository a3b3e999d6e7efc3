"""Stage verify: the chosen file against TensorFlow, on rows that took no part in choosing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.backends.tensorflow.backend import FloatModel, TensorFlowBackend
from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.recipe import FLOAT32, STATIC_INT8, TENSORFLOW_INT8
from mmconvert.feed import Feed, join_feeds
from mmconvert.outcome import describe_parity
from mmconvert.parity.drop import accuracies, drop_of_rows, kind_of_drop
from mmconvert.parity.gate import require_float_parity, require_quantized_parity, summarise
from mmconvert.parity.metric import OutputParity, compare
from mmconvert.parity.statistic import Interval, bootstrap_mean
from mmconvert.source.subject import Subject
from mmconvert.stages.gate import Equivalence
from mmconvert.verdict import require_int8, require_weights
from mmwire.errors import ConvertError

_BATCHES = (2, 4, 8, 16, 32)
_BATCH_TOLERANCE = 1e-2  # of the output's range: kernels may take another path for more rows


@dataclass(frozen=True, slots=True)
class Verification:
    """What the comparison of the chosen file gave.

    Attributes:
        drop: Accuracy lost on the rows held out, None without real rows.
        census: What the file holds.
        signatures: Its inputs and outputs.
        batches: Row counts that it really runs at once.
    """

    parity: dict[str, Any]
    drop: Interval | None
    evidence: list[str]
    census: dict[str, Any]
    signatures: dict[str, Any]
    batches: list[int]


class Verifier:
    """Compares files with TensorFlow.

    Args:
        max_drop: Most accuracy that may be lost on rows held out; None where only the limits of parity hold.
    """

    def __init__(
        self,
        subject: Subject,
        model: FloatModel,
        original: TensorFlowBackend,
        produced: LiteRTBackend,
        dataset: Dataset | None,
        equivalence: Equivalence,
        max_drop: float | None,
    ) -> None:
        self._subject = subject
        self._model = model
        self._original = original
        self._produced = produced
        self._dataset = dataset
        self._equivalence = equivalence
        self._max_drop = max_drop

    def require_good(self, candidate: Candidate) -> Verification:
        """Check that the file is what it is called, and equal enough to the original.

        Raises:
            ConvertError: ``PARITY_FAILED``; ``CONVERTER_FAILED``: it is not what was asked for; or a child ended.
        """
        assert candidate.path is not None
        found = self._produced.describe(candidate.path)
        census = found["census"]
        require_weights(census, self._model.variable_elements)
        if candidate.recipe.name in (STATIC_INT8.name, TENSORFLOW_INT8.name) and not candidate.recipe.kept_float:
            require_int8(census)
        evidence: list[str] = []
        parity, drop = self._compare(candidate, evidence)
        if candidate.recipe.name != FLOAT32.name:
            evidence.append(f"{candidate.name} model: {describe_parity(parity)}")
            parity = parity | {"float32": self._equivalence.parity}
        if drop is not None:
            evidence.append(
                f"on rows held out: {drop[1]}: {drop[0].estimate:.2%} (95 %: {drop[0].low:.2%} to {drop[0].high:.2%})"
            )
        return Verification(
            parity, drop[0] if drop else None, evidence, census, found["signatures"], self._find_batches(candidate)
        )

    def _compare(self, candidate: Candidate, evidence: list[str]) -> tuple[dict[str, Any], tuple[Interval, str] | None]:
        is_float = candidate.recipe.name == FLOAT32.name
        outputs: list[OutputParity] = []
        drop: tuple[Interval, str] | None = None
        count = 0
        for signature in self._subject.signatures:
            rows, wanted = self._rows(signature.name)
            assert candidate.path is not None
            got = self._produced.answer(candidate.path, signature.name, rows)
            outputs += compare(wanted, got)
            count += len(rows)
            if self._dataset is not None:
                classes = self._dataset.signatures[signature.name].held_out.answers
                classes = classes if classes is not None and len(classes) == len(rows) else None
                values = drop_of_rows(wanted, got, classes)
                interval = bootstrap_mean(np.nan_to_num(values, posinf=1e9))
                right = None if classes is None else accuracies(wanted, got, classes)
                if right is not None:
                    told = f"right classes on rows held out: the original {right[0]:.1%}, this file {right[1]:.1%}"
                    evidence.append(told)
                if drop is None or interval.high > drop[0].high:
                    drop = interval, kind_of_drop(wanted, classes)
        if is_float:
            require_float_parity(outputs)
        else:
            mode = "int8" if candidate.recipe.is_calibrated else "dynamic"
            require_quantized_parity(outputs, mode, rows_are_real=self._dataset is not None)
        if drop is not None and self._max_drop is not None and drop[0].estimate > self._max_drop:
            raise ConvertError(
                "PARITY_FAILED",
                f"{candidate.name}: {drop[1]}, on rows held out: {drop[0].estimate:.2%} (95 %: {drop[0].low:.2%} to"
                f" {drop[0].high:.2%}); {self._max_drop:.2%} are allowed",
                "give more and truer calibration rows, or allow more with --max-drop",
            )
        kind = "random" if self._dataset is None else "calibration"
        batches = self._equivalence.parity["batches"]
        return {"rows": count, "inputs": kind, "batches": batches, **summarise(outputs)}, drop

    def _rows(self, signature: str) -> tuple[list[Feed], list[Feed]]:
        if self._dataset is None:
            return self._equivalence.rows[signature]
        return self._original.answer(signature, self._dataset.signatures[signature].held_out.feeds)

    def _find_batches(self, candidate: Candidate) -> list[int]:
        """Return the numbers of rows that the file runs at once with the answers that it gives one by one."""
        signature = self._subject.signatures[0]
        rows = self._rows(signature.name)[0][: _BATCHES[-1]]
        works = [1]
        assert candidate.path is not None
        if not signature.takes_batches or candidate.is_static:
            return works
        alone = self._produced.answer(candidate.path, signature.name, rows)
        for size in _BATCHES:
            some = [index % len(rows) for index in range(size)]
            try:
                batch = join_feeds([rows[index] for index in some])
                (together,) = self._produced.answer(candidate.path, signature.name, [batch])
                wanted = join_feeds([alone[index] for index in some])
            except (ConvertError, ValueError):  # refused, or outputs without a dimension for rows
                break
            if any(not _is_close(wanted[name], together[name]) for name in wanted):
                break
            works.append(size)
        return works


def _is_close(wanted: Any, got: Any) -> bool:
    if wanted.shape != got.shape:
        return False
    span = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)) or 1.0
    return bool(np.allclose(wanted, got, rtol=0, atol=_BATCH_TOLERANCE * span, equal_nan=True))
