"""Stage inspect: what is there, what of it is converted, and what can be refused at once."""

from __future__ import annotations

from pathlib import Path

from mmconvert.backends.process.worker import Worker
from mmconvert.cache import Cache, read_json, write_json
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
from mmwire.errors import ClientError

_FOLDER, _FACTS_FILE = "saved_model", "facts.json"


def inspect_source(job: Job, worker: Worker, cache: Cache, versions: dict[str, str], evidence: list[str]) -> Subject:
    """Read what is to be converted; a Keras file is exported to a SavedModel first.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: damaged, no signature, types or ranks that cannot be served, Python code.
        RequestError: ``SIGNATURE_NOT_FOUND``, ``--signature`` names none.
        ClientError: ``USAGE``, the labels do not fit.
    """
    folder, repairs = job.source, list[str]()
    stamp, digest = None, ""
    if job.source.suffix in KERAS_SUFFIXES and job.source.is_file():
        require_keras_file(job.source)
        stamp = take_stamp(job.source)
        digest = tree_digest(job.source, stamp)

        def export(place: Path) -> None:
            answer = worker.call("export", file=str(job.source.resolve()), folder=str(place / _FOLDER))
            write_json(place / _FACTS_FILE, answer["repairs"])

        place = cache.get("export", [digest, versions], export)
        folder, repairs = place / _FOLDER, read_json(place / _FACTS_FILE)
    model = read_model(folder)
    if stamp is None:
        stamp = take_stamp(folder)
        digest = tree_digest(folder, stamp)
    inspection = inspect(model)
    require_variables(folder, {op for ops in inspection.ops.values() for op in ops})
    signatures = choose_signatures(inspection.signatures, job.signature)
    for signature in signatures:
        require_convertible(signature)
        require_portable(inspection, signature)
    labels = find_labels(job.source, job.labels)
    evidence += _tell(inspection, signatures)
    evidence += _check_labels(job, signatures[0], labels)
    return Subject(job.source, folder, model, stamp, digest, inspection, signatures, labels, repairs)


_SIDES = 2  # of a single score: what it says no to, and what it says yes to


def _tell(inspection: Inspection, signatures: tuple[Signature, ...]) -> list[str]:
    names = [signature.name for signature in signatures]
    others = sorted(set(inspection.signatures) - set(names))
    converted = f"signature {names[0]!r} is" if len(names) == 1 else f"signatures {', '.join(names)} are"
    return [f"{converted} converted" + (f"; left out: {', '.join(others)}" if others else "")]


def _check_labels(job: Job, signature: Signature, labels: list[str]) -> list[str]:
    """Compare labels with the classes of a model that has one output of one row of scores.

    Raises:
        ClientError: ``USAGE``, the file given with ``--labels`` does not fit.
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
