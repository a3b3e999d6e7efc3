"""From a job to its outcome: build, publish, tell."""

from __future__ import annotations

import hashlib
import importlib.util
import time
from pathlib import Path

from mmconvert.build import Product, build
from mmconvert.job import Job
from mmconvert.origin import remember_origin
from mmconvert.outcome import Outcome, rejection
from mmconvert.progress import Progress
from mmconvert.publish import bundle_path, published_path, require_writable, write_bundle, write_whole
from mmconvert.source.folder import require_unchanged
from mmwire.errors import EXIT_REFUSED, ConvertError, MmError
from mmwire.manifest import LABELS_SUFFIX


def convert(job: Job, progress: Progress) -> Outcome:
    """Convert, compare, pack and write one model; nothing is written unless every gate was passed.

    A model that LiteRT cannot run as TensorFlow does becomes a FULL_TF folder. What is refused is an outcome too.

    Raises:
        MmError: The command line asked for something that cannot be (exit status 2), or a bug.
    """
    start = time.monotonic()
    evidence: list[str] = []
    try:
        require_tensorflow()
        targets = [] if job.output is None else [require_writable(job.output)]
        if job.publish is not None:
            targets.append(published_path(job.publish, job.name))
        with build(job, progress, evidence) as product:
            require_unchanged(job.source, product.subject.stamp)
            if product.folder is not None:
                targets = [bundle_path(target) for target in targets]
            progress.on_stage("publish", ", ".join(str(target) for target in targets))
            for target in targets:
                _publish(product, target)
            remember_origin(job, product.content)
    except MmError as error:
        if error.exit_status != EXIT_REFUSED:
            raise
        return rejection(error, job.name, evidence, _seconds_since(start))
    subject, facts = product.subject, product.facts
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
        signatures=[signature.name for signature in subject.signatures],
        inputs=[tensor.name for tensor in subject.signatures[0].inputs],
        recipe=facts.get("recipe", {}).get("recipe", ""),
        parity=facts.get("parity", {}),
        drop=facts.get("drop"),
        repairs=facts["repairs"],
        labels=len(subject.labels),
        calibration=facts["calibration"],
        versions=facts["versions"],
        search=product.search,
        operations=product.operations,
        seconds=_seconds_since(start),
    )


def _seconds_since(start: float) -> float:
    return round(time.monotonic() - start, 2)


def _publish(product: Product, target: Path) -> None:
    if product.folder is None:
        write_whole(target, product.content)
        return
    labels = product.subject.labels
    if labels:
        write_whole(target.with_name(target.name + LABELS_SUFFIX), "".join(f"{label}\n" for label in labels).encode())
    write_bundle(product.folder, target)


def require_tensorflow() -> None:
    """Check that the convert extra is installed, without importing it.

    Raises:
        ConvertError: ``TENSORFLOW_MISSING``.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ConvertError(
            "TENSORFLOW_MISSING", "reading a SavedModel needs TensorFlow", "pip install 'mmdaemon[convert]'"
        )
