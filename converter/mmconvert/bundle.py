"""FULL_TF: a SavedModel folder that full TensorFlow loads, with one file that says where it comes from.

::

    NAME/
      saved_model.pb   repaired, without optimizer slots
      variables/
      assets/          where the model has some
      mmconvert.json   verdict, reason, provenance, signatures, and the SHA-256 of every other file
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmconvert.digest import file_digest
from mmconvert.source.signature import Signature, Tensor
from mmwire.manifest import SAVED_MODEL_FILE

BUNDLE_FILE = "mmconvert.json"
FORMAT = 1
_FOLDERS = ("variables", "assets")


def stage_bundle(source: Path, target: Path) -> dict[str, str]:
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


def copy_folder(source: Path, target: Path) -> None:
    """Copy what is in a folder, links followed, but no modes.

    ``shutil.copytree`` copies those of folders, and a folder that inherited the set-group-ID bit of the service's inbox
    has one that the confined service may not set.
    """
    target.mkdir()
    for path in source.iterdir():
        if path.is_dir():
            copy_folder(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


def describe_bundle(
    *,
    verdict: str,
    reason: str,
    evidence: Iterable[str],
    provenance: Mapping[str, Any],
    signatures: Iterable[Signature],
    files: Mapping[str, str],
) -> bytes:
    """Return the bytes of ``mmconvert.json``; the same facts give the same bytes."""
    document = {
        "made_by": "mmconvert",
        "format": FORMAT,
        "verdict": verdict,
        "reason": reason,
        "evidence": list(evidence),
        "signatures": {signature.name: _specs(signature) for signature in signatures},
        "provenance": dict(provenance),
        "files": dict(files),
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _specs(signature: Signature) -> dict[str, list[dict[str, Any]]]:
    return {
        "inputs": [_spec(tensor) for tensor in signature.inputs],
        "outputs": [_spec(tensor) for tensor in signature.outputs],
    }


def _spec(tensor: Tensor) -> dict[str, Any]:
    shape = None if tensor.shape is None else list(tensor.shape)
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": shape}


def is_bundle(folder: Path) -> bool:
    """Return whether the folder is one that mmconvert made, and may therefore be replaced by a newer one."""
    try:
        document = json.loads((folder / BUNDLE_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("made_by") == "mmconvert"
