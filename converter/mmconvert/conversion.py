"""One conversion's native steps: what is asked of the two child processes, and the gates between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mmconvert.calibration.dataset import Dataset
from mmconvert.child.worker import Worker
from mmconvert.feed import save_feeds
from mmconvert.job import Limits
from mmconvert.outcome import describe_parity
from mmconvert.parity.gate import (
    MAX_RELATIVE_ERROR,
    require_comparable,
    require_float_parity,
    require_quantized_parity,
    summarise,
)
from mmconvert.parity.metric import compare
from mmconvert.parity.rows import random_feeds
from mmconvert.parity.trial import Laboratory, Measurement, Trial
from mmconvert.source.signature import Signature
from mmconvert.verdict import decide, require_int8, require_weights
from mmwire.errors import ConvertError

_PACK_ROWS = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A produced file that passed its gates.

    Attributes:
        trial: The rows it was last compared on.
    """

    path: Path
    verdict: str
    reason: str
    evidence: list[str]
    parity: dict[str, Any]
    trial: Trial


class Conversion:
    """The children of one conversion, from their start to their end.

    Args:
        signature: What is converted.
        workspace: Private folder for the files that go between the processes.
        limits: Of each child.
        deadline: Monotonic seconds at which the conversion is given up.
    """

    def __init__(self, signature: Signature, workspace: Path, limits: Limits, deadline: float) -> None:
        self._signature = signature
        self.workspace = workspace
        self._original = Worker("mmconvert.child.original", workspace, limits, deadline)
        self._produced = Worker("mmconvert.child.produced", workspace, limits, deadline)
        self._laboratory = Laboratory(self._original, self._produced, signature, workspace)
        self._float_file = workspace / "float.tflite"
        self._variable_elements = 0
        self.versions: dict[str, str] = {}

    def __enter__(self) -> Conversion:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._original.stop()
        self._produced.stop()

    def start(self) -> None:
        """Start the child with TensorFlow."""
        self._original.start()

    def load(self, folder: Path, tags: tuple[str, ...]) -> None:
        """Load the SavedModel into the child.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``, TensorFlow cannot load it; or the child ended.
        """
        answer = self._original.call(
            "load", folder=str(folder.resolve()), tags=list(tags), signature=self._signature.name
        )
        self.versions = answer["versions"]
        self._variable_elements = answer["variable_elements"]
        self._laboratory.keeps_state = answer["keeps_state"]

    def convert_float(self) -> list[str]:
        """Make the float model; return the repairs that it took.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, ``CONVERTER_FAILED``, or the child ended.
        """
        repairs: list[str] = self._original.call("float", output=str(self._float_file))["repairs"]
        return repairs

    def compare_float(self, dataset: Dataset | None) -> Candidate:
        """Compare the float model with TensorFlow, on random rows and on real ones where there are any.

        Real rows are then the measure: a random one may stand where a comparison or a sort tips over by rounding.

        Raises:
            ConvertError: ``PARITY_FAILED``, ``CONVERTER_FAILED``, or the child ended.
        """
        census = self._take_census(self._float_file)
        require_weights(census, self._variable_elements)
        evidence: list[str] = []
        trials: list[Trial] = []
        try:
            trials.append(self._laboratory.prepare("random", random_feeds(self._signature), are_real=False))
        except ConvertError as error:
            if dataset is None or error.code != "SAVED_MODEL_INVALID":
                raise
            evidence.append(f"random rows were left out: {error.message}")
        if dataset is not None:
            trials.append(self._laboratory.prepare("calibration", dataset.parity, are_real=True))
        for trial in trials:
            measurement = self._laboratory.measure(self._float_file, trial)
            gate = require_float_parity if trial.are_real or dataset is None else require_comparable
            gate(measurement.outputs)
            parity = _figures(trial, measurement)
            evidence.append(f"float model: {describe_parity(parity)}")
        if measurement.batch_error:
            evidence.append(f"takes one row at a time, whatever its signature says: {measurement.batch_error}")
        if self._laboratory.keeps_state:
            evidence.append("the model keeps state; parity was measured from its first step")
        verdict, reason = decide(census, "float32")
        return Candidate(self._float_file, verdict, reason, evidence, parity, trial)

    def quantize(self, mode: str, dataset: Dataset | None) -> Path:
        """Make the quantized model; return its file.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, ``CONVERTER_FAILED``, or the child ended (``CONVERTER_CRASHED``).
        """
        output, calibration = self.workspace / f"{mode}.tflite", self.workspace / "calibrate.npz"
        if dataset is not None:
            save_feeds(calibration, dataset.calibration)
        self._original.call("quantize", mode=mode, calibration=str(calibration), output=str(output))
        return output

    def compare_quantized(self, model: Path, mode: str, float_candidate: Candidate) -> Candidate:
        """Compare the quantized model with TensorFlow: on real rows if there are any.

        Raises:
            ConvertError: ``CONVERTER_FAILED``, the file is not what was asked for; ``PARITY_FAILED``.
        """
        census = self._take_census(model)
        require_weights(census, self._variable_elements)
        if mode == "int8":
            require_int8(census)
        trial = float_candidate.trial
        measurement = self._laboratory.measure(model, trial)
        require_quantized_parity(measurement.outputs, mode, trial.are_real)
        parity = _figures(trial, measurement) | {"float32": float_candidate.parity}
        verdict, reason = decide(census, mode)
        evidence = [*float_candidate.evidence, f"{mode} model: {describe_parity(parity)}"]
        return Candidate(model, verdict, reason, evidence, parity, trial)

    def compare_bundle(self, source: Path, folder: Path, tags: tuple[str, ...], dataset: Dataset | None) -> str:
        """Load a FULL_TF folder and compare its answers with those of where it came from; return the evidence.

        Raises:
            ConvertError: ``SAVED_MODEL_INVALID``, TensorFlow refuses the folder or the rows; ``PARITY_FAILED``.
        """
        rows = random_feeds(self._signature) if dataset is None else dataset.parity
        answers = []
        for place in (source, folder):
            self.load(place, tags)  # also after a crash, which took the loaded model with it
            rows, answer = self._laboratory.ask_original("bundle", rows)
            answers.append(answer)
        for output in compare(*answers):
            if output.shape_error or output.non_finite or output.relative_error > MAX_RELATIVE_ERROR:
                raise ConvertError("PARITY_FAILED", f"output {output.name!r} differs once it is in a folder of its own")
        kind = "random" if dataset is None else "real"
        return f"TensorFlow loads the folder by itself and answers as before: {len(rows)} {kind} rows"

    def require_same_answers(self, candidate: Candidate, packed: bytes) -> None:
        """Check that packing changed no bit of what the file answers.

        Raises:
            ConvertError: ``PARITY_FAILED``, it did.
        """
        path = self.workspace / "packed.tflite"
        path.write_bytes(packed)
        save_feeds(self.workspace / "pack.npz", candidate.trial.rows[:_PACK_ROWS])
        before = self._laboratory.ask_produced(candidate.path, "pack")
        after = self._laboratory.ask_produced(path, "pack")
        for wanted, got in zip(before, after, strict=True):
            if any(
                not np.array_equal(wanted[name], got[name], equal_nan=wanted[name].dtype.kind == "f") for name in got
            ):
                raise ConvertError("PARITY_FAILED", "packing changed what the file answers", "this is a bug; report it")

    def _take_census(self, model: Path) -> dict[str, Any]:
        answer = self._produced.call("describe", model=str(model))
        self.versions["ai-edge-litert"] = answer["version"]
        census: dict[str, Any] = answer["census"]
        return census


def _figures(trial: Trial, measurement: Measurement) -> dict[str, Any]:
    return {
        "rows": len(trial.rows),
        "inputs": "calibration" if trial.are_real else "random",
        "batches": measurement.batches,
        **summarise(measurement.outputs),
    }
