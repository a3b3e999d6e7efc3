"""Stage pack for what LiteRT cannot run: the SavedModel itself, repaired, in a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmconvert.backends.tensorflow.backend import TensorFlowBackend
from mmconvert.bundle import BUNDLE_FILE, describe_bundle, stage_bundle
from mmconvert.calibration.dataset import Dataset
from mmconvert.parity.gate import MAX_RELATIVE_ERROR
from mmconvert.parity.metric import compare
from mmconvert.parity.rows import random_feeds
from mmconvert.source.subject import Subject
from mmconvert.stages.gate import MAX_PARITY_ROWS
from mmconvert.verdict import FULL_TF
from mmwire.errors import ConvertError


def stage_full_tf(
    subject: Subject,
    original: TensorFlowBackend,
    dataset: Dataset | None,
    reason: str,
    evidence: list[str],
    provenance: Mapping[str, Any],
    workspace: Path,
) -> tuple[Path, bytes]:
    """Return the staged folder, compared with where it came from, and the bytes of its ``mmconvert.json``.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``, TensorFlow refuses the folder or the rows; ``PARITY_FAILED``.
    """
    folder = workspace / "bundle"
    files = stage_bundle(original.loadable(), folder)
    evidence.append(_require_same(subject, original, dataset, folder))
    content = describe_bundle(
        verdict=FULL_TF,
        reason=reason,
        evidence=evidence,
        provenance=provenance,
        signatures=subject.signatures,
        files=files,
    )
    (folder / BUNDLE_FILE).write_bytes(content)
    return folder, content


def _require_same(subject: Subject, original: TensorFlowBackend, dataset: Dataset | None, folder: Path) -> str:
    count = 0
    for signature in subject.signatures:
        real = [] if dataset is None else dataset.signatures[signature.name].held_out.feeds[:MAX_PARITY_ROWS]
        rows, wanted = original.answer(signature.name, real or random_feeds(signature))
        count += len(rows)
        for output in compare(wanted, original.answer_from(folder, signature.name, rows)):
            if output.shape_error or output.non_finite or output.relative_error > MAX_RELATIVE_ERROR:
                raise ConvertError("PARITY_FAILED", f"output {output.name!r} differs once it is in a folder of its own")
    kind = "random" if dataset is None else "real"
    return f"TensorFlow loads the folder by itself and answers as before: {count} {kind} rows"
