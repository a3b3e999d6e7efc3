"""The labels of a ``.tflite`` in TFLite Metadata: a metadata entry names the file, a zip behind the model holds it.

Models of the TFLite Task Library, MediaPipe and Coral keep their labels there. When these cannot be read, the model
itself may be fine: then it has no labels.

Source: metadata_schema.fbs of tflite-support, version 1.1.0 (``ModelMetadata``, ``SubGraphMetadata``,
``TensorMetadata``, ``AssociatedFile``), and its guide: associated files are a zip archive behind the FlatBuffer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from mmwire.flatbuffer import Buffer, OutOfBoundsError, Table
from mmwire.tflite import TfliteFile
from mmwire.zip import ZipError, read_member

METADATA_ENTRY = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_AXIS_LABELS, _VALUE_LABELS = 2, 3  # labels for the places on an axis; labels for the values
_MOST_METADATA_BYTES = 1 << 20
_MOST_TENSORS = 64
_MOST_FILES = 64  # of a tensor
_MOST_NAME_BYTES = 256


def associated_labels(buffer: Buffer, file: TfliteFile, most_bytes: int) -> bytes | None:
    """Return the label file of the first output that has one, None where there is none that can be read.

    Args:
        buffer: The whole file.
        file: Its outline.
        most_bytes: A larger label file is passed over.
    """
    _, length = file.metadata.get(METADATA_ENTRY, (0, 0))
    metadata = b"" if length > _MOST_METADATA_BYTES else file.entry(buffer, METADATA_ENTRY) or b""
    if metadata[4:8] != _IDENTIFIER:
        return None
    try:
        name = next(_label_files(metadata), None)
        return None if name is None else read_member(buffer, name, most_bytes)
    except (OutOfBoundsError, ZipError):
        return None


def _label_files(metadata: bytes) -> Iterator[str]:
    """Yield the names of the outputs' label files, in the order of the outputs."""
    for subgraph in islice(Table.root(metadata).tables(3), 1):  # the first subgraph is the main one
        for tensor in islice(subgraph.tables(3), _MOST_TENSORS):
            for associated in islice(tensor.tables(6), _MOST_FILES):
                is_short = associated.vector(0, 1)[1] <= _MOST_NAME_BYTES
                if associated.u8(2) in (_AXIS_LABELS, _VALUE_LABELS) and is_short:
                    yield associated.text(0)
