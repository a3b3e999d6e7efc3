"""Repairs that a model needs before TensorFlow can load it; they are always made in a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

from mmconvert.source.inspection import META_GRAPHS, OBJECT_GRAPH, OBJECT_NODES, SLOT_VARIABLES, Inspection
from mmconvert.source.protobuf import encode_bytes, read_fields
from mmwire.manifest import SAVED_MODEL_FILE

_PATH_TO_SLOTS = (META_GRAPHS, OBJECT_GRAPH, OBJECT_NODES)
_FINGERPRINT_FILE = "fingerprint.pb"  # describes the bytes that are replaced


def strip_slots(model: bytes) -> bytes:
    """Return a ``saved_model.pb`` without optimizer slots; all other fields stay as they are.

    TensorFlow cannot load a Keras 2 model with its optimizer: the slots point at an object that has no ``add_slot``.

    Source: https://github.com/tensorflow/tensorflow/issues/50659
    """
    return _strip(memoryview(model), _PATH_TO_SLOTS)


def _strip(message: memoryview, path: tuple[int, ...]) -> bytes:
    kept = bytearray()
    for field in read_fields(message):
        if path and field.number == path[0]:
            kept += encode_bytes(field.number, _strip(field.content, path[1:]))
        elif path or field.number != SLOT_VARIABLES:
            kept += field.raw
    return bytes(kept)


def repair(folder: Path, model: bytes, inspection: Inspection, workspace: Path) -> tuple[Path, list[str]]:
    """Return a folder that TensorFlow can load, and what was repaired to get it.

    The input is never written to. If nothing needs repair, it is the input itself. Otherwise it is a folder in
    ``workspace`` with a new ``saved_model.pb`` and links to the rest.
    """
    if not inspection.slot_variables:
        return folder, []
    copy = workspace / "repaired"
    if copy.is_dir():
        shutil.rmtree(copy)
    copy.mkdir()
    for entry in folder.iterdir():
        if entry.name not in (SAVED_MODEL_FILE, _FINGERPRINT_FILE):
            (copy / entry.name).symlink_to(entry.resolve())
    (copy / SAVED_MODEL_FILE).write_bytes(strip_slots(model))
    return copy, [f"removed {inspection.slot_variables} optimizer slots, which TensorFlow cannot load (add_slot)"]
