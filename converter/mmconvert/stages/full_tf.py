"""Stage pack for models that LiteRT cannot run: the SavedModel itself, repaired, in a folder of its own.

::

    NAME/
      saved_model.pb   repaired, without optimizer slots
      variables/
      assets/          where the model has some
      mmconvert.json   verdict, reason, provenance, signatures, and the SHA-256 of every other file
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mmconvert.conversion import Conversion, Product
from mmconvert.digest import file_digest
from mmconvert.durable import copy_folder
from mmconvert.pack.provenance import describe_origin
from mmconvert.parity.gate import MAX_RELATIVE_ERROR
from mmconvert.parity.metric import compare
from mmconvert.parity.rows import MAX_PARITY_ROWS, random_feeds
from mmconvert.source.signature import Signature, Tensor
from mmconvert.verdict import FULL_TF
from mmconvert.workshop import Workshop
from mmwire.bundle import BUNDLE_FILE, Bundle, pack_bundle
from mmwire.errors import ConvertError
from mmwire.manifest import SAVED_MODEL_FILE

_FOLDERS = ("variables", "assets")


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with a staged folder as its product.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: TensorFlow refuses the folder or the rows; ``PARITY_FAILED``: it answers
            otherwise once it is in a folder of its own.
    """
    workshop.progress.on_step("keeping the SavedModel for full TensorFlow")
    subject, obstacle = conversion.subject, conversion.obstacle
    assert obstacle is not None
    mended, repairs = workshop.tensorflow.mend(subject)
    folder = workshop.folder / "bundle"
    files = _stage(mended, folder)
    conversion = conversion.adding(_require_same(conversion, workshop, folder))
    reason = f"LiteRT cannot run it as TensorFlow does: {obstacle.message}"
    provenance = describe_origin(subject, conversion.dataset, conversion.job.quantize, workshop.versions, repairs)
    content = pack_bundle(
        Bundle(
            reason,
            files,
            FULL_TF,
            conversion.evidence,
            {signature.name: _describe_signature(signature) for signature in subject.signatures},
            provenance,
        )
    )
    (folder / BUNDLE_FILE).write_bytes(content)
    total_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return conversion.adding(product=Product(content, total_bytes, FULL_TF, reason, provenance, folder=folder))


def _stage(source: Path, target: Path) -> dict[str, str]:
    """Copy what TensorFlow needs of a SavedModel; return the SHA-256 of each file by its path in the folder.

    Links are followed: the source may be a repaired folder that links to the original's variables.
    """
    target.mkdir()
    shutil.copyfile(source / SAVED_MODEL_FILE, target / SAVED_MODEL_FILE)
    for name in _FOLDERS:
        if (source / name).is_dir():
            copy_folder(source / name, target / name)
    (target / "variables").mkdir(exist_ok=True)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    return {path.relative_to(target).as_posix(): file_digest(path) for path in files}


def _require_same(conversion: Conversion, workshop: Workshop, folder: Path) -> str:
    """Compare the folder with the model that it comes from; return the evidence."""
    subject, dataset, tensorflow = conversion.subject, conversion.dataset, workshop.tensorflow
    count = 0
    for signature in subject.signatures:
        real = [] if dataset is None else dataset.signatures[signature.name].held_out.feeds[:MAX_PARITY_ROWS]
        rows, wanted = tensorflow.answer(subject, signature.name, real or random_feeds(signature))
        count += len(rows)
        for output in compare(wanted, tensorflow.answer_from(folder, subject, signature.name, rows)):
            if output.shape_error or output.non_finite or output.relative_error > MAX_RELATIVE_ERROR:
                raise ConvertError("PARITY_FAILED", f"output {output.name!r} differs once it is in a folder of its own")
    kind = "random" if dataset is None else "real"
    return f"TensorFlow loads the folder by itself and answers as before: {count} {kind} rows"


def _describe_signature(signature: Signature) -> dict[str, list[dict[str, Any]]]:
    return {
        "inputs": [_describe_tensor(tensor) for tensor in signature.inputs],
        "outputs": [_describe_tensor(tensor) for tensor in signature.outputs],
    }


def _describe_tensor(tensor: Tensor) -> dict[str, Any]:
    shape = None if tensor.shape is None else list(tensor.shape)
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": shape}
