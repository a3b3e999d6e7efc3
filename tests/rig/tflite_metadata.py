"""TFLite Metadata as other tools write it: a FlatBuffer that names files, and the files zipped behind the model."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

import flatbuffers

DESCRIPTIONS, AXIS_LABELS, VALUE_LABELS = 1, 2, 3
# One output's associated files: name and type of each.
Files = Sequence[tuple[str, int]]


def metadata(outputs: Sequence[Files], inputs: Sequence[Files] = ()) -> bytes:
    """Return the content of the entry TFLITE_METADATA."""
    builder = flatbuffers.Builder(256)
    tensors = {
        field: _vector(builder, [_table(builder, 7, {6: _files(builder, files)}) for files in listed])
        for field, listed in ((2, inputs), (3, outputs))
    }
    subgraph = _table(builder, 7, tensors)
    builder.Finish(_table(builder, 8, {3: _vector(builder, [subgraph])}), b"M001")
    return bytes(builder.Output())


def append_files(model: bytes, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a model with a zip archive behind it."""
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return whole.getvalue()


def _files(builder: flatbuffers.Builder, files: Files) -> int:
    return _vector(builder, [_table(builder, 4, {0: builder.CreateString(name)}, {2: kind}) for name, kind in files])


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _table(
    builder: flatbuffers.Builder, fields: int, offsets: Mapping[int, int], numbers: Mapping[int, int] | None = None
) -> int:
    builder.StartObject(fields)
    for index, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(index, offset, 0)
    for index, number in (numbers or {}).items():
        builder.PrependInt8Slot(index, number, 0)
    return int(builder.EndObject())
