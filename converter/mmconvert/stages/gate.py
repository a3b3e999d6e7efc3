"""Stage gate: is the float model the same function as the original?"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.backends.tensorflow.backend import FloatModel, TensorFlowBackend
from mmconvert.calibration.dataset import Dataset, require_usable
from mmconvert.feed import Feed
from mmconvert.outcome import describe_parity
from mmconvert.parity.gate import require_comparable, require_float_parity, summarise
from mmconvert.parity.metric import OutputParity, compare
from mmconvert.parity.rows import batch_feed, random_feeds
from mmconvert.source.signature import Signature
from mmconvert.source.subject import Subject
from mmconvert.verdict import require_weights
from mmwire.errors import ConvertError

MAX_PARITY_ROWS = 128  # each is run one at a time, in TensorFlow and in LiteRT
_STEPS = 3


@dataclass(slots=True)
class Equivalence:
    """What the gate found.

    Attributes:
        parity: Figures over the rows that were held to the limits.
        rows: By signature, rows with TensorFlow's answers: what later stages compare with.
    """

    evidence: list[str] = field(default_factory=list)
    parity: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, tuple[list[Feed], list[Feed]]] = field(default_factory=dict)

    def note(self, line: str) -> None:
        """Add a line of evidence; what is found again is not said again."""
        if line not in self.evidence:
            self.evidence.append(line)


def require_equivalence(
    subject: Subject, model: FloatModel, original: TensorFlowBackend, produced: LiteRTBackend, dataset: Dataset | None
) -> Equivalence:
    """Compare the float model with TensorFlow: random rows, real ones where there are any, a batch, and two steps.

    Real rows are then the measure: a random one may stand where a comparison or a sort tips over by rounding.

    Raises:
        ConvertError: ``PARITY_FAILED``; ``CONVERTER_FAILED``: weights are missing, LiteRT refuses;
            ``CALIBRATION_INVALID``: TensorFlow refuses a real row; or a child ended.
    """
    require_weights(produced.describe(model.path)["census"], model.variable_elements)
    found = Equivalence()
    trial = _Trial(model, original, produced, found, len(subject.signatures) > 1)
    random: list[OutputParity] = []
    for signature in subject.signatures:
        try:
            random += trial.run(signature, random_feeds(signature))
        except ConvertError as error:
            if dataset is None or error.code != "SAVED_MODEL_INVALID":
                raise
            found.evidence.append(f"random rows were left out: {error.message}")
    if random:
        (require_float_parity if dataset is None else require_comparable)(random)
        trial.tell("random", random)
    if dataset is not None:
        real: list[OutputParity] = []
        for signature in subject.signatures:
            rows = dataset.signatures[signature.name]
            require_usable(rows, signature, partial(original.refusals, signature.name))
            feeds = rows.held_out.feeds
            real += trial.run(signature, feeds[:MAX_PARITY_ROWS])
        require_float_parity(real)
        trial.tell("calibration", real)
    if model.keeps_state:
        _require_equal_steps(subject, model, original, produced)
        found.evidence.append(f"the model keeps state: equal from its first step, and over {_STEPS} steps in a row")
    return found


class _Trial:
    """Runs the same rows through both and notes what came of it."""

    def __init__(
        self,
        model: FloatModel,
        original: TensorFlowBackend,
        produced: LiteRTBackend,
        found: Equivalence,
        names_signatures: bool,
    ) -> None:
        self._model = model
        self._original = original
        self._produced = produced
        self._found = found
        self._names_signatures = names_signatures
        self._batches: set[int] = set()
        self._rows = 0

    def run(self, signature: Signature, rows: list[Feed]) -> list[OutputParity]:
        rows, wanted = self._original.answer(signature.name, rows)
        self._found.rows[signature.name] = (rows, wanted)
        got = self._produced.answer(self._model.path, signature.name, rows)
        self._rows = len(rows)
        self._batches.add(1)
        batch = batch_feed(signature, rows)
        wanted = list(wanted)
        if batch is not None:
            try:
                wanted += self._original.answer(signature.name, [batch])[1]
                got += self._produced.answer(self._model.path, signature.name, [batch])
                self._batches.add(len(next(iter(batch.values()))))
            except ConvertError as error:
                del wanted[len(got) :]
                if error.code == "CONVERTER_FAILED":
                    self._found.note(f"takes one row at a time, whatever its signature says: {error.message}")
                elif error.code != "SAVED_MODEL_INVALID":
                    raise
        return compare(wanted, got, f"{signature.name}/" if self._names_signatures else "")

    def tell(self, kind: str, outputs: list[OutputParity]) -> None:
        figures = {"rows": self._rows, "inputs": kind, "batches": sorted(self._batches), **summarise(outputs)}
        self._found.parity = figures
        self._found.evidence.append(f"float model: {describe_parity(figures)}")
        self._batches = set()


def _require_equal_steps(
    subject: Subject, model: FloatModel, original: TensorFlowBackend, produced: LiteRTBackend
) -> None:
    for signature in subject.signatures:
        rows = random_feeds(signature)[-_STEPS:]
        rows, wanted = original.answer(signature.name, rows, resets=False)
        got = produced.answer(model.path, signature.name, rows, resets=False)
        require_float_parity(compare(wanted, got, "after some steps, "))
