"""Stage gate: the float model must be the same function as the original."""

from __future__ import annotations

from functools import partial

from mmconvert.calibration.dataset import require_usable
from mmconvert.conversion import Conversion, Equivalence
from mmconvert.feed import Feed
from mmconvert.parity.gate import require_comparable, require_float_parity
from mmconvert.parity.metric import OutputParity, compare
from mmconvert.parity.rows import MAX_PARITY_ROWS, batch_feed, random_feeds
from mmconvert.parity.summary import describe_parity, summarise
from mmconvert.source.signature import Signature
from mmconvert.verdict import require_weights
from mmconvert.workshop import Workshop
from mmwire.errors import ConvertError

_STEPS = 3


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with the equivalence of its float model.

    The model is compared with TensorFlow on random rows, on real rows if there are any, on a batch, and over several
    steps if it keeps state. Real rows decide if there are any: on a random row, rounding may tip a comparison.

    Raises:
        ConvertError: ``PARITY_FAILED``; ``CONVERTER_FAILED``: weights are missing, LiteRT refuses;
            ``CALIBRATION_INVALID``: TensorFlow refuses a real row; or a child ended.
    """
    workshop.progress.on_step("comparing the float model with TensorFlow")
    subject, model, dataset = conversion.subject, conversion.model, conversion.dataset
    require_weights(workshop.litert.describe(model.path)["census"], model.variable_elements)
    comparison = _FloatComparison(conversion, workshop)
    random: list[OutputParity] = []
    for signature in subject.signatures:
        try:
            random += comparison.compare(signature, random_feeds(signature))
        except ConvertError as error:
            if dataset is None or error.code != "SAVED_MODEL_INVALID":
                raise
            comparison.evidence.append(f"random rows were left out: {error.message}")
    if random:
        (require_float_parity if dataset is None else require_comparable)(random)
        comparison.conclude("random", random)
    if dataset is not None:
        real: list[OutputParity] = []
        for signature in subject.signatures:
            rows = dataset.signatures[signature.name]
            require_usable(rows, signature, partial(workshop.tensorflow.refusals, subject, signature.name))
            real += comparison.compare(signature, rows.held_out.feeds[:MAX_PARITY_ROWS])
        require_float_parity(real)
        comparison.conclude("calibration", real)
    if model.keeps_state:
        _require_equal_steps(conversion, workshop)
        comparison.evidence.append(
            f"the model keeps state: equal from its first step, and over {_STEPS} steps in a row"
        )
    return conversion.adding(*comparison.evidence, equivalence=Equivalence(comparison.parity, comparison.rows))


class _FloatComparison:
    """Runs the same rows through the original and the float model, and notes what it sees."""

    def __init__(self, conversion: Conversion, workshop: Workshop) -> None:
        self._conversion = conversion
        self._workshop = workshop
        self._batches: set[int] = set()
        self._count = 0
        self.evidence: list[str] = []
        self.parity: dict[str, object] = {}
        self.rows: dict[str, tuple[list[Feed], list[Feed]]] = {}

    def compare(self, signature: Signature, rows: list[Feed]) -> list[OutputParity]:
        """Compare the answers to rows one at a time and, where the signature takes batches, to one batch of them."""
        subject, path = self._conversion.subject, self._conversion.model.path
        tensorflow, litert = self._workshop.tensorflow, self._workshop.litert
        rows, wanted = tensorflow.answer(subject, signature.name, rows)
        self.rows[signature.name] = (rows, wanted)
        got = litert.answer(path, signature.name, rows)
        self._count = len(rows)
        self._batches.add(1)
        batch = batch_feed(signature, rows)
        wanted = list(wanted)
        if batch is not None:
            try:
                wanted += tensorflow.answer(subject, signature.name, [batch])[1]
                got += litert.answer(path, signature.name, [batch])
                self._batches.add(len(next(iter(batch.values()))))
            except ConvertError as error:
                del wanted[len(got) :]
                self._note_refused_batch(error)
        return compare(wanted, got, f"{signature.name}/" if len(subject.signatures) > 1 else "")

    def _note_refused_batch(self, error: ConvertError) -> None:
        """Note that only LiteRT refuses batches; a batch that TensorFlow refuses too says nothing.

        Raises:
            ConvertError: It has another cause.
        """
        if error.code == "SAVED_MODEL_INVALID":
            return
        if error.code != "CONVERTER_FAILED":
            raise error
        line = f"takes one row at a time, whatever its signature says: {error.message}"
        if line not in self.evidence:
            self.evidence.append(line)

    def conclude(self, kind: str, outputs: list[OutputParity]) -> None:
        """Keep the figures of the rows compared since the last conclusion."""
        figures = {"rows": self._count, "inputs": kind, "batches": sorted(self._batches), **summarise(outputs)}
        self.parity = figures
        self.evidence.append(f"float model: {describe_parity(figures)}")
        self._batches = set()


def _require_equal_steps(conversion: Conversion, workshop: Workshop) -> None:
    subject = conversion.subject
    for signature in subject.signatures:
        rows = random_feeds(signature)[-_STEPS:]
        rows, wanted = workshop.tensorflow.answer(subject, signature.name, rows, resets=False)
        got = workshop.litert.answer(conversion.model.path, signature.name, rows, resets=False)
        require_float_parity(compare(wanted, got, "after some steps, "))
