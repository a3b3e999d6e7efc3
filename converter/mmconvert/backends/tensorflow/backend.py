"""TensorFlow, asked from here: it starts only for what no earlier run has left in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmconvert.backends.process.worker import Worker
from mmconvert.cache import Cache, read_json, write_json
from mmconvert.feed import Feed, digest_feeds, load_feeds, save_feeds
from mmconvert.source.repair import repair
from mmconvert.source.subject import Subject
from mmconvert.verdict import full_tf_ground
from mmwire.errors import ConvertError, error_from_dict

_FLOAT_FILE, _STATIC_FILE, _FACTS_FILE, _ANSWER_FILE = "float.tflite", "static.tflite", "facts.json", "answers.npz"


@dataclass(frozen=True, slots=True)
class FloatModel:
    """The float stage's result.

    Attributes:
        static: The same for exactly one row, None where it was not made.
        variable_elements: What the signatures' variables hold.
        keeps_state: Whether running it changes variables.
    """

    path: Path
    static: Path | None
    repairs: list[str]
    variable_elements: int
    keeps_state: bool


class TensorFlowBackend:
    """The SavedModel in TensorFlow.

    Args:
        worker: The child process; not started before it is needed.
        versions: Of the tools; another one makes other results.
    """

    def __init__(
        self, subject: Subject, worker: Worker, cache: Cache, workspace: Path, versions: dict[str, str]
    ) -> None:
        self.subject = subject
        self._worker = worker
        self._cache = cache
        self._workspace = workspace
        self._facts: dict[str, Any] = {}
        self.repairs: list[str] = []
        self._key = [subject.digest, [signature.name for signature in subject.signatures], versions]

    def load(self, folder: Path | None = None) -> dict[str, Any]:
        """Load the repaired SavedModel, or another folder with the same signatures, if it is not yet.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``, TensorFlow cannot load it; or the child ended.
        """
        if folder is None and self._facts and self._worker.is_running:
            return self._facts
        names = [signature.name for signature in self.subject.signatures]
        tags = list(self.subject.inspection.tags)
        place = self.loadable() if folder is None else folder
        facts = self._worker.call("load", folder=str(place.resolve()), tags=tags, signatures=names)
        self._facts = facts if folder is None else {}
        return facts

    def loadable(self) -> Path:
        """Return the folder as TensorFlow can load it: the input, or a repaired copy."""
        subject = self.subject
        folder, self.repairs = repair(subject.folder, subject.model, subject.inspection, self._workspace)
        return folder

    def convert(self) -> FloatModel:
        """Return the float model.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, ``CONVERTER_FAILED``, or the child ended. What leads to full TensorFlow is
                remembered too.
        """
        place = self._cache.get("float", self._key, self._convert)
        facts = read_json(place / _FACTS_FILE)
        if "error" in facts:
            raise error_from_dict(facts["error"])
        static = place / _STATIC_FILE
        return FloatModel(
            place / _FLOAT_FILE,
            static if static.is_file() else None,
            facts["repairs"],
            facts["variable_elements"],
            facts["keeps_state"],
        )

    def _convert(self, place: Path) -> None:
        facts = dict(self.load())
        try:
            answer = self._worker.call("float", output=str(place / _FLOAT_FILE), static=False)
            facts["repairs"] = [*self.repairs, *answer["repairs"]]
            if answer["computes_shapes"]:
                self._convert_static(place)
        except ConvertError as error:
            if full_tf_ground(error) is None:
                raise
            facts["error"] = error.as_dict()
        write_json(place / _FACTS_FILE, facts)

    def _convert_static(self, place: Path) -> None:
        """Make the variant for one row: it pays where the graph computes its own shapes."""
        if not any(signature.takes_batches for signature in self.subject.signatures):
            return
        try:
            self._worker.call("float", output=str(place / _STATIC_FILE), static=True)
        except ConvertError:
            (place / _STATIC_FILE).unlink(missing_ok=True)
        if not self._worker.is_running:
            self._facts = {}

    def quantize(self, feeds: dict[str, list[Feed]]) -> Path:
        """Return the int8 model that TensorFlow's own quantizer makes; it knows graphs that the other does not.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, ``CONVERTER_FAILED``, or the child ended (``CONVERTER_CRASHED``).
        """
        key = [self._key, {name: digest_feeds(rows) for name, rows in feeds.items()}]

        def make(place: Path) -> None:
            self.load()
            files = {}
            for index, (name, rows) in enumerate(feeds.items()):
                files[name] = str(self._workspace / f"calibrate-{index}.npz")
                save_feeds(Path(files[name]), rows)
            self._worker.call("quantize", calibration=files, output=str(place / _FLOAT_FILE))

        return self._cache.get("tensorflow_int8", key, make) / _FLOAT_FILE

    def answer(self, signature: str, feeds: Sequence[Feed], resets: bool = True) -> tuple[list[Feed], list[Feed]]:
        """Return the feeds that TensorFlow takes, and its answers to them.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``, TensorFlow refuses all of them; or the child ended.
        """
        place = self._answers(signature, feeds, resets)
        refused = set(read_json(place / _FACTS_FILE)["refused"])
        kept = [feed for index, feed in enumerate(feeds) if index not in refused]
        return kept, load_feeds(place / _ANSWER_FILE)

    def refusals(self, signature: str, feeds: Sequence[Feed]) -> tuple[list[int], str]:
        """Return which feeds TensorFlow refuses, by index, and why the last of them.

        Raises:
            ConvertError: As ``answer``.
        """
        facts = read_json(self._answers(signature, feeds, True) / _FACTS_FILE)
        return facts["refused"], facts["reason"]

    def _answers(self, signature: str, feeds: Sequence[Feed], resets: bool) -> Path:
        def make(place: Path) -> None:
            self.load()
            write_json(place / _FACTS_FILE, self._ask(signature, feeds, resets, place / _ANSWER_FILE))

        return self._cache.get("answers", [self._key, signature, digest_feeds(feeds), resets], make)

    def _ask(self, signature: str, feeds: Sequence[Feed], resets: bool, output: Path) -> Any:
        question = self._workspace / "question.npz"
        save_feeds(question, feeds)
        return self._worker.call(
            "reference", signature=signature, feeds=str(question), output=str(output), resets=resets
        )

    def answer_from(self, folder: Path, signature: str, feeds: Sequence[Feed]) -> list[Feed]:
        """Return what the signature answers when it is loaded from another folder.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``, TensorFlow refuses the folder or all feeds; or the child ended.
        """
        self.load(folder)
        output = self._workspace / "other.npz"
        self._ask(signature, feeds, True, output)
        return load_feeds(output)
