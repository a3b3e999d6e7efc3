"""Stage pack: the chosen file becomes the one that is published, with goldens, facts, labels and digest inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.candidate import Candidate
from mmconvert.feed import Feed
from mmconvert.pack.seal import seal
from mmconvert.parity.rows import golden_feeds
from mmconvert.source.subject import Subject
from mmconvert.stages.verify import Verification
from mmwire.errors import ConvertError

_CHECKED_ROWS = 4


def pack(
    candidate: Candidate,
    subject: Subject,
    produced: LiteRTBackend,
    dataset: Dataset | None,
    verification: Verification,
    facts: dict[str, Any],
    workspace: Path,
) -> bytes:
    """Return the packed file.

    Raises:
        ConvertError: ``CONVERTER_FAILED``, ``PARITY_FAILED``: packing changed an answer.
    """
    assert candidate.path is not None
    feeds = {
        signature.name: golden_feeds(
            signature, [] if dataset is None else dataset.signatures[signature.name].calibration.feeds
        )
        for signature in subject.signatures
    }
    has_integers = any(verification.census["weights"].get(kind) for kind in ("INT8", "INT4"))
    packed = seal(
        candidate.path.read_bytes(),
        subject.labels,
        facts,
        goldens=_record(produced, candidate.path, feeds, has_integers),
        io_facts={"signatures": verification.signatures, "batches": verification.batches},
        recipe=json.loads(json.dumps(candidate.recipe.rules)),
    )
    path = workspace / "packed.tflite"
    path.write_bytes(packed)
    for name, rows in feeds.items():
        try:
            before = produced.answer(candidate.path, name, rows[:_CHECKED_ROWS])
        except ConvertError:
            continue  # made-up rows that the model refuses
        after = produced.answer(path, name, rows[:_CHECKED_ROWS])
        for wanted, got in zip(before, after, strict=True):
            if any(wanted[key].tobytes() != got[key].tobytes() for key in wanted):
                raise ConvertError("PARITY_FAILED", "packing changed what the file answers", "this is a bug; report it")
    return packed


def _record(produced: LiteRTBackend, path: Path, feeds: dict[str, list[Feed]], has_integers: bool) -> bytes:
    try:
        return produced.record_goldens(path, feeds, has_integers)
    except ConvertError:
        return b""  # made-up rows that the model refuses: there is nothing to replay
