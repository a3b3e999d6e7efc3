"""The stages in their order; each is done elsewhere.

inspect -> repair -> float -> parity -> calibrate -> quantize -> verify -> pack -> publish; calibration data is already
read and checked while TensorFlow starts.
"""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmconvert.calibration.dataset import Dataset, load_dataset
from mmconvert.conversion import Candidate, Conversion
from mmconvert.job import Job
from mmconvert.outcome import Outcome
from mmconvert.pack.provenance import tool_versions
from mmconvert.pack.seal import seal
from mmconvert.progress import Progress
from mmconvert.publish import published_path, require_writable, write_whole
from mmconvert.source.folder import Stamp, find_labels, read_model, require_unchanged, take_stamp, tree_digest
from mmconvert.source.inspection import Inspection, inspect
from mmconvert.source.repair import repair
from mmconvert.source.signature import Signature, choose_signature, require_convertible
from mmwire.errors import ClientError, ConvertError


@dataclass(frozen=True, slots=True)
class Subject:
    """What is converted, as stage inspect found it."""

    model: bytes
    stamp: Stamp
    inspection: Inspection
    signature: Signature
    labels: list[str]
    evidence: list[str]


@dataclass(frozen=True, slots=True)
class Product:
    """A packed file that passed every gate, with what is to be told of it."""

    packed: bytes
    candidate: Candidate
    evidence: list[str]
    repairs: list[str]
    calibration: dict[str, Any] | None
    versions: dict[str, str]


def convert(job: Job, progress: Progress) -> Outcome:
    """Convert, compare, pack and write one SavedModel; nothing is written unless every gate was passed.

    Raises:
        MmError: What refused the conversion; the codes are those of ``ConvertError``, and ``USAGE`` or
            ``SIGNATURE_NOT_FOUND`` for what the command line asked for.
    """
    start = time.monotonic()
    require_tensorflow()
    targets = _check_targets(job)
    progress.on_stage("inspect", str(job.saved_model))
    subject = _inspect(job)
    product = _work(job, subject, start + job.limits.wall_s, progress)
    require_unchanged(job.saved_model, subject.stamp)
    progress.on_stage("publish", ", ".join(str(target) for target in targets))
    for target in targets:
        write_whole(target, product.packed)
    return Outcome(
        verdict=product.candidate.verdict,
        reason=product.candidate.reason,
        evidence=product.evidence,
        output=str(targets[0]),
        published=str(targets[-1]) if job.publish is not None else None,
        name=job.name,
        sha256=hashlib.sha256(product.packed).hexdigest(),
        bytes=len(product.packed),
        source_bytes=subject.stamp.total_bytes,
        quantize=job.quantize,
        signature=subject.signature.name,
        parity=product.candidate.parity,
        repairs=product.repairs,
        labels=len(subject.labels),
        calibration=product.calibration,
        versions=product.versions,
        seconds=round(time.monotonic() - start, 2),
    )


def _inspect(job: Job) -> Subject:
    model = read_model(job.saved_model)
    stamp = take_stamp(job.saved_model)
    inspection = inspect(model)
    signature = choose_signature(inspection.signatures, job.signature)
    require_convertible(signature)
    labels = find_labels(job.saved_model, job.labels)
    evidence = [*_tell_signature(inspection, signature), *_check_labels(job, signature, labels)]
    return Subject(model, stamp, inspection, signature, labels, evidence)


def _work(job: Job, subject: Subject, deadline: float, progress: Progress) -> Product:
    """Do the stages from repair to pack in a private folder that is gone afterwards."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="mmconvert-") as folder,
            Conversion(subject.signature, Path(folder), job.limits, deadline) as conversion,
        ):
            conversion.start()  # TensorFlow takes seconds to import; the data is read meanwhile
            dataset = _load_dataset(job, subject.signature, progress)
            progress.on_stage("repair", "loading the SavedModel into TensorFlow")
            loadable, repairs = repair(job.saved_model, subject.model, subject.inspection, Path(folder))
            conversion.load(loadable, subject.inspection.tags)
            progress.on_stage("float", "converting to a float model")
            repairs += conversion.convert_float()
            progress.on_stage("parity", "comparing the float model with TensorFlow")
            candidate = conversion.compare_float(dataset)
            if job.quantize != "float32":
                progress.on_stage("quantize", f"converting to {job.quantize}")
                model = conversion.quantize(job.quantize, dataset)
                progress.on_stage("verify", f"comparing the {job.quantize} model with TensorFlow")
                candidate = conversion.compare_quantized(model, job.quantize, candidate)
            progress.on_stage("pack", "writing labels, provenance and digest into the file")
            product = _pack(job, subject, conversion, dataset, candidate, repairs)
            conversion.require_same_answers(candidate, product.packed)
            return product
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConvertError(
            "CONVERTER_FAILED",
            f"the temporary folder {tempfile.gettempdir()} cannot be used: {reason}",
            "point TMPDIR to a folder with room",
        ) from None


def _pack(
    job: Job,
    subject: Subject,
    conversion: Conversion,
    dataset: Dataset | None,
    candidate: Candidate,
    repairs: list[str],
) -> Product:
    calibration = {"rows": dataset.rows, "digest": dataset.digest} if dataset else None
    versions = tool_versions(conversion.versions)
    facts = {
        "source_digest": tree_digest(job.saved_model, subject.stamp),
        "signature": subject.signature.name,
        "quantize": job.quantize,
        "verdict": candidate.verdict,
        "calibration": calibration,
        "parity": candidate.parity,
        "repairs": repairs,
        "versions": versions,
    }
    packed = seal(candidate.path.read_bytes(), subject.labels, facts)
    evidence = [*subject.evidence, *(dataset.notices if dataset else []), *candidate.evidence]
    return Product(packed, candidate, evidence, repairs, calibration, versions)


def require_tensorflow() -> None:
    """Check that the convert extra is installed, without importing it.

    Raises:
        ConvertError: ``TENSORFLOW_MISSING``.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ConvertError(
            "TENSORFLOW_MISSING", "reading a SavedModel needs TensorFlow", "pip install 'mmdaemon[convert]'"
        )


def _check_targets(job: Job) -> list[Path]:
    targets = [] if job.output is None else [require_writable(job.output)]
    return targets if job.publish is None else [*targets, published_path(job.publish, job.name)]


def _tell_signature(inspection: Inspection, signature: Signature) -> list[str]:
    others = sorted(set(inspection.signatures) - {signature.name})
    return [f"signature {signature.name!r} is converted" + (f"; left out: {', '.join(others)}" if others else "")]


def _check_labels(job: Job, signature: Signature, labels: list[str]) -> list[str]:
    """Compare labels with the classes of a model that has one output of one row of scores.

    Raises:
        ClientError: ``USAGE``, the file given with ``--labels`` does not fit.
    """
    shape = signature.outputs[0].shape if len(signature.outputs) == 1 else None
    if not labels or shape is None or len(shape) != 2 or shape[1] in (-1, 1, len(labels)):
        return []
    message = f"{len(labels)} labels for the {shape[1]} classes of output {signature.outputs[0].name!r}"
    if job.labels is not None:
        raise ClientError("USAGE", message, "one label a line, in the order of the classes")
    return [f"{message}: one of the two is wrong"]


def _load_dataset(job: Job, signature: Signature, progress: Progress) -> Dataset | None:
    if job.calibration is None:
        return None
    progress.on_stage("calibrate", f"reading {job.calibration}")
    return load_dataset(job.calibration, signature)
