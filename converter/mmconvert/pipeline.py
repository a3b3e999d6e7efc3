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

from mmconvert.bundle import BUNDLE_FILE, describe_bundle, stage_bundle
from mmconvert.calibration.dataset import Dataset, load_dataset
from mmconvert.conversion import Conversion
from mmconvert.job import Job
from mmconvert.outcome import Outcome, rejection
from mmconvert.pack.provenance import tool_versions
from mmconvert.pack.seal import seal
from mmconvert.progress import Progress
from mmconvert.publish import bundle_path, published_path, require_writable, write_bundle, write_whole
from mmconvert.source.folder import Stamp, find_labels, read_model, require_unchanged, take_stamp, tree_digest
from mmconvert.source.inspection import Inspection, inspect, require_portable
from mmconvert.source.repair import repair
from mmconvert.source.signature import Signature, choose_signature, require_convertible
from mmconvert.verdict import FULL_TF, full_tf_ground
from mmwire.errors import EXIT_REFUSED, ClientError, ConvertError, MmError
from mmwire.manifest import LABELS_SUFFIX


@dataclass(frozen=True, slots=True)
class Subject:
    """What is converted, as stage inspect found it."""

    model: bytes
    stamp: Stamp
    inspection: Inspection
    signature: Signature
    labels: list[str]


@dataclass(frozen=True, slots=True)
class Product:
    """What passed every gate, with what is to be told of it.

    Attributes:
        content: The packed file, or the ``mmconvert.json`` of a FULL_TF folder.
        folder: The staged FULL_TF folder, None for a file.
    """

    content: bytes
    total_bytes: int
    verdict: str
    reason: str
    parity: dict[str, Any]
    repairs: list[str]
    calibration: dict[str, Any] | None
    versions: dict[str, str]
    folder: Path | None = None


def convert(job: Job, progress: Progress) -> Outcome:
    """Convert, compare, pack and write one SavedModel; nothing is written unless every gate was passed.

    A model that LiteRT cannot run as TensorFlow does becomes a FULL_TF folder. What is refused is an outcome too.

    Raises:
        MmError: The command line asked for something that cannot be (exit status 2), or a bug.
    """
    start = time.monotonic()
    evidence: list[str] = []
    try:
        return _convert(job, start, evidence, progress)
    except MmError as error:
        if error.exit_status != EXIT_REFUSED:
            raise
        return rejection(error, job.name, evidence, _seconds_since(start))


def _convert(job: Job, start: float, evidence: list[str], progress: Progress) -> Outcome:
    require_tensorflow()
    targets = _check_targets(job)
    progress.on_stage("inspect", str(job.saved_model))
    subject = _inspect(job, evidence)
    try:
        with tempfile.TemporaryDirectory(prefix="mmconvert-") as folder:
            product = _work(job, subject, Path(folder), start + job.limits.wall_s, evidence, progress)
            require_unchanged(job.saved_model, subject.stamp)
            if product.folder is not None:
                targets = [bundle_path(target) for target in targets]
            progress.on_stage("publish", ", ".join(str(target) for target in targets))
            for target in targets:
                _publish(product, target, subject.labels)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConvertError(
            "CONVERTER_FAILED",
            f"the temporary folder {tempfile.gettempdir()} cannot be used: {reason}",
            "point TMPDIR to a folder with room",
        ) from None
    return Outcome(
        verdict=product.verdict,
        reason=product.reason,
        evidence=evidence,
        output=str(targets[0]),
        published=str(targets[-1]) if job.publish is not None else None,
        name=job.name,
        sha256=hashlib.sha256(product.content).hexdigest(),
        bytes=product.total_bytes,
        source_bytes=subject.stamp.total_bytes,
        quantize=job.quantize,
        signature=subject.signature.name,
        parity=product.parity,
        repairs=product.repairs,
        labels=len(subject.labels),
        calibration=product.calibration,
        versions=product.versions,
        seconds=_seconds_since(start),
    )


def _seconds_since(start: float) -> float:
    return round(time.monotonic() - start, 2)


def _publish(product: Product, target: Path, labels: list[str]) -> None:
    if product.folder is None:
        write_whole(target, product.content)
        return
    if labels:
        write_whole(target.with_name(target.name + LABELS_SUFFIX), "".join(f"{label}\n" for label in labels).encode())
    write_bundle(product.folder, target)


def _inspect(job: Job, evidence: list[str]) -> Subject:
    model = read_model(job.saved_model)
    stamp = take_stamp(job.saved_model)
    inspection = inspect(model)
    signature = choose_signature(inspection.signatures, job.signature)
    require_convertible(signature)
    require_portable(inspection, signature)
    labels = find_labels(job.saved_model, job.labels)
    evidence += [*_tell_signature(inspection, signature), *_check_labels(job, signature, labels)]
    return Subject(model, stamp, inspection, signature, labels)


def _work(
    job: Job, subject: Subject, workspace: Path, deadline: float, evidence: list[str], progress: Progress
) -> Product:
    """Do the stages from repair to pack in a private folder that is gone afterwards."""
    with Conversion(subject.signature, workspace, job.limits, deadline) as conversion:
        conversion.start()
        dataset = _load_dataset(job, subject.signature, progress)
        evidence += dataset.notices if dataset else []
        progress.on_stage("repair", "loading the SavedModel into TensorFlow")
        loadable, repairs = repair(job.saved_model, subject.model, subject.inspection, workspace)
        conversion.load(loadable, subject.inspection.tags)
        facts = _facts(job, subject, dataset, repairs)
        try:
            progress.on_stage("float", "converting to a float model")
            repairs += conversion.convert_float()
            progress.on_stage("parity", "comparing the float model with TensorFlow")
            candidate = conversion.compare_float(dataset)
        except ConvertError as error:
            ground = full_tf_ground(error)
            if ground is None:
                raise
            evidence.append(f"{ground}: {error.message}")
            progress.on_stage("pack", "keeping the SavedModel for full TensorFlow")
            return _keep_full_tf(error, facts, subject, conversion, loadable, evidence, dataset)
        if job.quantize != "float32":
            progress.on_stage("quantize", f"converting to {job.quantize}")
            model = conversion.quantize(job.quantize, dataset)
            progress.on_stage("verify", f"comparing the {job.quantize} model with TensorFlow")
            candidate = conversion.compare_quantized(model, job.quantize, candidate)
        evidence += candidate.evidence
        progress.on_stage("pack", "writing labels, provenance and digest into the file")
        versions = tool_versions(conversion.versions)
        facts |= {"verdict": candidate.verdict, "parity": candidate.parity, "versions": versions}
        packed = seal(candidate.path.read_bytes(), subject.labels, facts)
        conversion.require_same_answers(candidate, packed)
        return Product(
            packed,
            len(packed),
            candidate.verdict,
            candidate.reason,
            candidate.parity,
            repairs,
            facts["calibration"],
            versions,
        )


def _facts(job: Job, subject: Subject, dataset: Dataset | None, repairs: list[str]) -> dict[str, Any]:
    """Return what is known of a product before there is one; ``repairs`` goes on growing."""
    return {
        "source_digest": tree_digest(job.saved_model, subject.stamp),
        "signature": subject.signature.name,
        "quantize": job.quantize,
        "calibration": {"rows": dataset.rows, "digest": dataset.digest} if dataset else None,
        "repairs": repairs,
    }


def _keep_full_tf(
    error: ConvertError,
    facts: dict[str, Any],
    subject: Subject,
    conversion: Conversion,
    loadable: Path,
    evidence: list[str],
    dataset: Dataset | None,
) -> Product:
    folder = conversion.workspace / "bundle"
    files = stage_bundle(loadable, folder)
    evidence.append(conversion.compare_bundle(loadable, folder, subject.inspection.tags, dataset))
    versions = tool_versions(conversion.versions)
    reason = f"LiteRT cannot run it as TensorFlow does: {error.message}"
    content = describe_bundle(
        verdict=FULL_TF,
        reason=reason,
        evidence=evidence,
        provenance=facts | {"versions": versions},
        signatures=[subject.signature],
        files=files,
    )
    (folder / BUNDLE_FILE).write_bytes(content)
    total_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Product(content, total_bytes, FULL_TF, reason, {}, facts["repairs"], facts["calibration"], versions, folder)


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
