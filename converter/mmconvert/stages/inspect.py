"""Stage inspect: the model is read without TensorFlow; a model that cannot be converted is refused at once."""

from __future__ import annotations

from mmconvert.conversion import Conversion
from mmconvert.job import Job
from mmconvert.source.folder import (
    KERAS_SUFFIXES,
    find_labels,
    read_model,
    require_keras_file,
    require_variables,
    take_stamp,
    tree_digest,
)
from mmconvert.source.inspection import Inspection, inspect, require_portable
from mmconvert.source.signature import Signature, choose_signatures, require_convertible
from mmconvert.source.subject import Subject
from mmconvert.workshop import Workshop
from mmwire.errors import ClientError

_SIDES = 2  # a single score may have two labels: one for no and one for yes


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with its subject; a Keras file is exported to a SavedModel first.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: damaged, no signature, types or ranks that cannot be served, Python code.
        RequestError: ``SIGNATURE_NOT_FOUND``: the model has no signature of the name given with ``--signature``.
        ClientError: ``USAGE``: the labels do not fit.
    """
    job = conversion.job
    workshop.progress.on_step(str(job.source))
    is_keras = job.source.suffix in KERAS_SUFFIXES and job.source.is_file()
    if is_keras:
        require_keras_file(job.source)
    else:
        model = read_model(job.source)
    stamp = take_stamp(job.source)
    digest = tree_digest(job.source, stamp)
    folder, repairs = job.source, list[str]()
    if is_keras:
        folder, repairs = workshop.tensorflow.export(job.source, digest)
        model = read_model(folder)
    inspection = inspect(model)
    require_variables(folder, {op for ops in inspection.ops.values() for op in ops})
    signatures = choose_signatures(inspection.signatures, job.signature)
    for signature in signatures:
        require_convertible(signature)
        require_portable(inspection, signature)
    labels = find_labels(job.source, job.labels)
    return conversion.adding(
        *_tell(inspection, signatures),
        *_check_labels(job, signatures[0], labels),
        subject=Subject(folder, model, stamp, digest, inspection, signatures, labels, repairs),
    )


def _tell(inspection: Inspection, signatures: tuple[Signature, ...]) -> list[str]:
    names = [signature.name for signature in signatures]
    others = sorted(set(inspection.signatures) - set(names))
    converted = f"signature {names[0]!r} is" if len(names) == 1 else f"signatures {', '.join(names)} are"
    return [f"{converted} converted" + (f"; left out: {', '.join(others)}" if others else "")]


def _check_labels(job: Job, signature: Signature, labels: list[str]) -> list[str]:
    """Compare labels with the classes of a model that has one output of one row of scores.

    Raises:
        ClientError: ``USAGE``: the file given with ``--labels`` does not fit.
    """
    shape = signature.outputs[0].shape if len(signature.outputs) == 1 else None
    if not labels or shape is None or len(shape) != 2 or shape[1] in (-1, len(labels)):
        return []
    if shape[1] == 1 and len(labels) <= _SIDES:
        return []
    message = f"{len(labels)} labels for the {shape[1]} classes of output {signature.outputs[0].name!r}"
    if job.labels is not None:
        raise ClientError("USAGE", message, "one label a line, in the order of the classes")
    return [f"{message}: one of the two is wrong"]
