"""TensorFlow, as the stages ask it. It starts only for results that no earlier run has left in the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmconvert.backends.process.worker import Worker
from mmconvert.backends.tensorflow.refusal import full_tf_ground
from mmconvert.cache import Cache, read_json, write_json
from mmconvert.feed import Feed, digest_feeds, load_feeds, save_feeds
from mmconvert.source.repair import repair
from mmconvert.source.subject import Subject
from mmwire.errors import ConvertError, error_from_dict

_SAVED_MODEL_FOLDER = "saved_model"
_FLOAT_FILE, _ONE_ROW_FILE, _FACTS_FILE, _ANSWER_FILE = "float.tflite", "one_row.tflite", "facts.json", "answers.npz"


@dataclass(frozen=True, slots=True)
class FloatModel:
    """The model as TensorFlow converted it, in float32.

    Attributes:
        one_row: The variant for exactly one row, None where it was not made.
        repairs: What was mended to get there.
        variable_elements: How many values the signatures' variables hold.
        keeps_state: Whether running the model changes variables.
    """

    path: Path
    one_row: Path | None
    repairs: list[str]
    variable_elements: int
    keeps_state: bool


class TensorFlowBackend:
    """One SavedModel in TensorFlow.

    Args:
        worker: The child process; it starts when it is needed.
        folder: Private folder for what travels to and from the child.
        versions: Of the tools; other versions make other results.
    """

    def __init__(self, worker: Worker, cache: Cache, folder: Path, versions: Mapping[str, str]) -> None:
        self._worker = worker
        self._cache = cache
        self._folder = folder
        self._versions = versions
        self._mended: tuple[Path, list[str]] | None = None
        self._loaded: tuple[Path, dict[str, Any]] | None = None

    def export(self, file: Path, digest: str) -> tuple[Path, list[str]]:
        """Return the SavedModel that a Keras file is exported to, and what was repaired on the way.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``: Keras cannot load the file; ``TENSORFLOW_MISSING``: it needs Keras 2,
                which is not installed; or the child ended.
        """

        def make(place: Path) -> None:
            target = place / _SAVED_MODEL_FOLDER
            reply = self._worker.call("export", file=str(file.resolve()), folder=str(target))
            write_json(place / _FACTS_FILE, reply["repairs"])

        place = self._cache.get("export", [digest, self._versions], make)
        return place / _SAVED_MODEL_FOLDER, read_json(place / _FACTS_FILE)

    def mend(self, subject: Subject) -> tuple[Path, list[str]]:
        """Return a folder that TensorFlow can load, and what was repaired: the input itself or a repaired copy."""
        if self._mended is None:
            self._mended = repair(subject.folder, subject.model, subject.inspection, self._folder)
        return self._mended

    def convert(self, subject: Subject) -> FloatModel:
        """Return the float model.

        The cache also remembers refusals that lead to full TensorFlow.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``, ``OP_UNSUPPORTED``, ``CONVERTER_FAILED``, or the child ended.
        """
        place = self._cache.get("float_model", self._key(subject), lambda place: self._convert(subject, place))
        facts = read_json(place / _FACTS_FILE)
        if "error" in facts:
            raise error_from_dict(facts["error"])
        one_row = place / _ONE_ROW_FILE
        return FloatModel(
            place / _FLOAT_FILE,
            one_row if one_row.is_file() else None,
            facts["repairs"],
            facts["variable_elements"],
            facts["keeps_state"],
        )

    def quantize(self, subject: Subject, feeds: Mapping[str, list[Feed]]) -> Path:
        """Return the int8 model that TensorFlow's own quantizer makes: it knows graphs that litert-quantizer does not.

        Args:
            subject: The model.
            feeds: Calibration rows by signature.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, ``CONVERTER_FAILED``, or the child ended (``CONVERTER_CRASHED``).
        """

        def make(place: Path) -> None:
            self._load(subject)
            files = {}
            for index, (name, rows) in enumerate(feeds.items()):
                files[name] = str(self._folder / f"calibrate-{index}.npz")
                save_feeds(Path(files[name]), rows)
            self._worker.call("quantize", calibration=files, output=str(place / _FLOAT_FILE))

        key = [self._key(subject), {name: digest_feeds(rows) for name, rows in feeds.items()}]
        return self._cache.get("tensorflow_int8", key, make) / _FLOAT_FILE

    def answer(
        self, subject: Subject, signature: str, feeds: Sequence[Feed], resets: bool = True
    ) -> tuple[list[Feed], list[Feed]]:
        """Return the feeds that the original accepts, and its answers to them.

        Args:
            subject: The model.
            signature: The signature that is called.
            feeds: Rows or batches.
            resets: Whether a model with state starts each feed from the state that was saved.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``: TensorFlow refuses every feed; or the child ended.
        """
        place = self._answers(subject, signature, feeds, resets)
        refused = set(read_json(place / _FACTS_FILE)["refused"])
        kept = [feed for index, feed in enumerate(feeds) if index not in refused]
        return kept, load_feeds(place / _ANSWER_FILE)

    def refusals(self, subject: Subject, signature: str, feeds: Sequence[Feed]) -> tuple[list[int], str]:
        """Return the indexes of the feeds that the original refuses, and the reason for the last of them.

        Raises:
            ConvertError: As ``answer``.
        """
        facts = read_json(self._answers(subject, signature, feeds, True) / _FACTS_FILE)
        return facts["refused"], facts["reason"]

    def answer_from(self, folder: Path, subject: Subject, signature: str, feeds: Sequence[Feed]) -> list[Feed]:
        """Return what the signature answers when it is loaded from another folder with the same signatures.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``: TensorFlow refuses the folder or every feed; or the child ended.
        """
        self._load(subject, folder)
        output = self._folder / "other.npz"
        self._ask(signature, feeds, True, output)
        return load_feeds(output)

    def _key(self, subject: Subject) -> list[Any]:
        return [subject.digest, [signature.name for signature in subject.signatures], self._versions]

    def _load(self, subject: Subject, folder: Path | None = None) -> dict[str, Any]:
        """Let the child load the mended model, or another folder, unless it has that one; return what it found."""
        wanted = (self.mend(subject)[0] if folder is None else folder).resolve()
        if self._loaded is None or self._loaded[0] != wanted or not self._worker.is_running:
            names = [signature.name for signature in subject.signatures]
            tags = list(subject.inspection.tags)
            facts = self._worker.call("load", folder=str(wanted), tags=tags, signatures=names)
            self._loaded = wanted, facts
        return self._loaded[1]

    def _convert(self, subject: Subject, place: Path) -> None:
        facts = dict(self._load(subject))
        try:
            reply = self._worker.call("convert", output=str(place / _FLOAT_FILE), one_row=False)
            facts["repairs"] = [*self.mend(subject)[1], *reply["repairs"]]
            if reply["computes_shapes"]:
                self._convert_one_row(subject, place)
        except ConvertError as error:
            if full_tf_ground(error) is None:
                raise
            facts["error"] = error.as_dict()
        write_json(place / _FACTS_FILE, facts)

    def _convert_one_row(self, subject: Subject, place: Path) -> None:
        """Make the variant for one row: it pays where the graph computes its own shapes."""
        if not any(signature.takes_batches for signature in subject.signatures):
            return
        try:
            self._worker.call("convert", output=str(place / _ONE_ROW_FILE), one_row=True)
        except ConvertError:
            (place / _ONE_ROW_FILE).unlink(missing_ok=True)

    def _answers(self, subject: Subject, signature: str, feeds: Sequence[Feed], resets: bool) -> Path:
        def make(place: Path) -> None:
            self._load(subject)
            write_json(place / _FACTS_FILE, self._ask(signature, feeds, resets, place / _ANSWER_FILE))

        return self._cache.get("answers", [self._key(subject), signature, digest_feeds(feeds), resets], make)

    def _ask(self, signature: str, feeds: Sequence[Feed], resets: bool, output: Path) -> Any:
        question = self._folder / "question.npz"
        save_feeds(question, feeds)
        return self._worker.call("answer", signature=signature, feeds=str(question), output=str(output), resets=resets)
