"""Stage pack: the chosen file becomes the one that is published, with goldens, facts, labels and digest inside."""

from __future__ import annotations

import json
from pathlib import Path

from mmconvert.backends.litert.tensor_type import QUANTIZED_TYPES
from mmconvert.conversion import Conversion, Product
from mmconvert.feed import Feed
from mmconvert.pack.provenance import describe_origin
from mmconvert.pack.seal import seal
from mmconvert.parity.rows import golden_feeds
from mmconvert.verdict import decide
from mmconvert.workshop import Workshop
from mmwire.errors import ConvertError

_CHECKED_ROWS = 4


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with the packed file as its product.

    Raises:
        ConvertError: ``CONVERTER_FAILED``; ``PARITY_FAILED``: packing changed an answer.
    """
    workshop.progress.on_step("writing goldens, labels, provenance and digest into the file")
    candidate, verification = conversion.candidate, conversion.verification
    verdict, reason = decide(verification.census)
    origin = describe_origin(
        conversion.subject,
        conversion.dataset,
        conversion.job.quantize,
        workshop.versions,
        conversion.model.repairs,
    )
    provenance = origin | {
        "verdict": verdict,
        "parity": verification.parity,
        "drop": verification.drop.as_dict() if verification.drop else None,
        "recipe": {
            "recipe": candidate.recipe.name,
            "kept_float": list(candidate.recipe.kept_float),
            "is_static": candidate.is_one_row,  # the key that the first release wrote
        },
    }
    feeds = _golden_feeds(conversion)
    packed = seal(
        candidate.file.read_bytes(),
        conversion.subject.labels,
        provenance,
        goldens=_record(conversion, workshop, feeds),
        io_facts={"signatures": verification.signatures, "batches": verification.batches},
        recipe=json.loads(json.dumps(candidate.recipe.rules)),
    )
    path = workshop.folder / "packed.tflite"
    path.write_bytes(packed)
    _require_same_answers(candidate.file, path, feeds, workshop)
    operations = tuple(workshop.litert.describe(path)["operations"])
    notes: list[str] = []
    if conversion.search is not None:
        reason = f"{reason}; {conversion.search['reason']}"
        notes = conversion.search["notes"]
    return conversion.adding(*notes, product=Product(packed, len(packed), verdict, reason, provenance, operations))


def _golden_feeds(conversion: Conversion) -> dict[str, list[Feed]]:
    dataset = conversion.dataset
    return {
        signature.name: golden_feeds(
            signature, [] if dataset is None else dataset.signatures[signature.name].calibration.feeds
        )
        for signature in conversion.subject.signatures
    }


def _record(conversion: Conversion, workshop: Workshop, feeds: dict[str, list[Feed]]) -> bytes:
    has_integers = any(conversion.verification.census["weights"].get(kind) for kind in QUANTIZED_TYPES)
    try:
        return workshop.litert.record_goldens(conversion.candidate.file, feeds, has_integers)
    except ConvertError:
        return b""  # the model refuses made-up rows: there is nothing to replay


def _require_same_answers(before: Path, after: Path, feeds: dict[str, list[Feed]], workshop: Workshop) -> None:
    for name, rows in feeds.items():
        try:
            answers = workshop.litert.answer(before, name, rows[:_CHECKED_ROWS])
        except ConvertError:
            continue  # the model refuses made-up rows
        for wanted, got in zip(answers, workshop.litert.answer(after, name, rows[:_CHECKED_ROWS]), strict=True):
            if any(wanted[key].tobytes() != got[key].tobytes() for key in wanted):
                raise ConvertError("PARITY_FAILED", "packing changed what the file answers", "this is a bug; report it")
