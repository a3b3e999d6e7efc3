"""Running the same feeds through the original and through a produced file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mmconvert.child.worker import Worker
from mmconvert.feed import Feed, load_feeds, save_feeds
from mmconvert.parity.metric import OutputParity, compare
from mmconvert.parity.rows import batch_feed
from mmconvert.source.signature import Signature
from mmwire.errors import ConvertError


@dataclass(slots=True)
class Trial:
    """Rows with what TensorFlow answered to them; asked once, compared with every produced file.

    Attributes:
        are_real: Whether the rows come from calibration data.
        batch: One feed of several rows, None when the signature or TensorFlow does not take one.
    """

    name: str
    rows: list[Feed]
    are_real: bool
    answers: list[Feed]
    batch: Feed | None = None
    batch_answers: list[Feed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measurement:
    """How a produced file did in a trial.

    Attributes:
        batch_error: Why the runtime refused several rows at once, empty when it did not.
    """

    outputs: list[OutputParity]
    batches: list[int]
    batch_error: str = ""


class Laboratory:
    """The two child processes and the folder through which they get and give feeds."""

    def __init__(self, original: Worker, produced: Worker, signature: Signature, workspace: Path) -> None:
        self._original = original
        self._produced = produced
        self._signature = signature
        self._workspace = workspace
        self.keeps_state = False

    def prepare(self, name: str, rows: list[Feed], are_real: bool) -> Trial:
        """Ask TensorFlow for the answers to the rows.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``, TensorFlow itself refuses them; or the child ended.
        """
        rows, answers = self.ask_original(name, rows)
        trial = Trial(name, rows, are_real, answers)
        batch = batch_feed(self._signature, rows)
        if batch is not None:
            try:
                trial.batch_answers = self.ask_original(f"{name}-batch", [batch])[1]
                trial.batch = batch
            except ConvertError as error:
                if error.code != "SAVED_MODEL_INVALID":
                    raise
        return trial

    def ask_original(self, name: str, feeds: list[Feed]) -> tuple[list[Feed], list[Feed]]:
        """Return the feeds that TensorFlow takes, and its answers to them.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``, TensorFlow refuses all of them; or the child ended.
        """
        question, answer = self._workspace / f"{name}.npz", self._workspace / f"{name}.original.npz"
        save_feeds(question, feeds)
        refused = set(self._original.call("reference", feeds=str(question), output=str(answer))["refused"])
        if refused:
            feeds = [feed for index, feed in enumerate(feeds) if index not in refused]
            save_feeds(question, feeds)
        return feeds, load_feeds(answer)

    def ask_produced(self, model: Path, name: str) -> list[Feed]:
        """Return what a produced file answers to the feeds saved under a name.

        Raises:
            ConvertError: ``CONVERTER_FAILED``, LiteRT refuses the file or the feeds; or the child ended.
        """
        answer = self._workspace / f"{name}.produced.npz"
        self._produced.call(
            "run",
            model=str(model),
            signature=self._signature.name,
            feeds=str(self._workspace / f"{name}.npz"),
            output=str(answer),
            keeps_state=self.keeps_state,
        )
        return load_feeds(answer)

    def measure(self, model: Path, trial: Trial) -> Measurement:
        """Compare a produced file with the original, row by row and, where both take it, as a batch.

        Raises:
            ConvertError: ``CONVERTER_FAILED``, LiteRT refuses the file; or the child ended.
        """
        wanted, got = list(trial.answers), self.ask_produced(model, trial.name)
        sizes, batch_error = [1], ""
        if trial.batch is not None:
            try:
                got += self.ask_produced(model, f"{trial.name}-batch")
                wanted += trial.batch_answers
                sizes.append(len(next(iter(trial.batch.values()))))
            except ConvertError as error:
                if error.code != "CONVERTER_FAILED":
                    raise
                batch_error = error.message
        return Measurement(compare(wanted, got), sizes, batch_error)
