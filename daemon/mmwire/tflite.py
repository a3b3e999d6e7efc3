"""What a ``.tflite`` file carries besides its graph: wholeness, metadata, content digest.

``mmconvert`` writes these metadata entries, the daemon reads them, other readers ignore them:
``MM_DIGEST`` (32 bytes), ``MM_LABELS`` (text, one label a line), ``MM_PROVENANCE`` (JSON).

Source: field numbers from the TFLite schema, version 3 (``Model``, ``SubGraph``, ``Tensor``, ``Operator``,
``Buffer``, ``Metadata``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from mmwire.errors import ModelError
from mmwire.flatbuffer import Buffer, Bytes, OutOfBoundsError, Table

DIGEST_ENTRY = "MM_DIGEST"
LABELS_ENTRY = "MM_LABELS"
PROVENANCE_ENTRY = "MM_PROVENANCE"
DIGEST_BYTES = hashlib.sha256().digest_size

_IDENTIFIER = b"TFL3"
_RESOURCE_OPERATORS = range(142, 145)  # VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE
_EXTERNAL = 1  # offsets 0 and 1 mean "no external data" in Buffer.offset


class ModelState(StrEnum):
    """How a model remembers from one invocation to the next, and so what brings it back to its beginning."""

    NONE = "none"
    VARIABLES = "variables"  # variable tensors, which an interpreter can reset
    RESOURCES = "resources"  # resource variables, which only a fresh interpreter resets


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """The outline of one whole ``.tflite`` file.

    Attributes:
        metadata: Entry name -> (offset, length) of its bytes in the file.
        state: How the model remembers from one invocation to the next.
    """

    metadata: dict[str, tuple[int, int]]
    state: ModelState = ModelState.NONE

    def entry(self, buffer: Buffer, name: str) -> bytes | None:
        """Return the bytes of one metadata entry, None when the file has none of that name."""
        place = self.metadata.get(name)
        return None if place is None else bytes(buffer[place[0] : place[0] + place[1]])


def outline(buffer: Buffer) -> TfliteFile:
    """Walk a file's tables and return its outline; a truncated file does not pass.

    Raises:
        ModelError: ``MODEL_INVALID``: no TFLite file, or not whole.
    """
    if len(buffer) == 0:
        raise ModelError("MODEL_INVALID", "the file is empty", "copy the model again")
    if bytes(buffer[4:8]) != _IDENTIFIER:
        raise ModelError(
            "MODEL_INVALID",
            f"not a TFLite file: expected {_IDENTIFIER!r} at byte 4, got {bytes(buffer[4:8])!r}",
            "a SavedModel becomes one with: mmconvert SAVED_MODEL --publish MODEL_DIR",
        )
    try:
        return _walk(buffer)
    except OutOfBoundsError as error:
        raise ModelError(
            "MODEL_INVALID", f"the file is cut short or damaged: {error}", "copy the model again"
        ) from None


def _walk(buffer: Buffer) -> TfliteFile:
    model = Table.root(buffer)
    state = ModelState.NONE
    for subgraph in model.tables(2):
        for tensor in subgraph.tables(0):
            tensor.text(3)
            if tensor.u8(5):
                state = ModelState.VARIABLES
        for operator in subgraph.tables(3):
            operator.vector(1, 4)
            operator.vector(2, 4)
    if any(code.u32(3) in _RESOURCE_OPERATORS for code in model.tables(1)):
        state = ModelState.RESOURCES
    places = [_data_of(table, len(buffer)) for table in model.tables(4)]
    metadata: dict[str, tuple[int, int]] = {}
    for entry in model.tables(6):
        index = entry.u32(1)
        if index >= len(places):
            raise OutOfBoundsError(f"metadata names buffer {index} of {len(places)}")
        metadata[entry.text(0)] = places[index]
    return TfliteFile(metadata, state)


def _data_of(table: Table, file_bytes: int) -> tuple[int, int]:
    """Return offset and length of one ``Buffer``'s data, inline or behind the FlatBuffer."""
    offset, length = table.u64(1), table.u64(2)
    if offset > _EXTERNAL:
        if offset + length > file_bytes:
            raise OutOfBoundsError(f"weights at {offset}+{length} pass {file_bytes} bytes")
        return offset, length
    return table.vector(0, 1)


def content_digest(buffer: Bytes, place: tuple[int, int]) -> bytes:
    """Return SHA-256 over the whole file with the digest's own bytes taken as zero."""
    offset, length = place
    view = memoryview(buffer)
    digest = hashlib.sha256(view[:offset])
    digest.update(bytes(length))
    digest.update(view[offset + length :])
    return digest.digest()


def verify_content(buffer: Bytes, file: TfliteFile) -> bool:
    """Check the digest that the file carries; return whether it carries one.

    Raises:
        ModelError: ``DIGEST_MISMATCH``: bytes changed since ``mmconvert`` wrote the file.
    """
    recorded = file.entry(buffer, DIGEST_ENTRY)
    if recorded is None:
        return False
    if len(recorded) != DIGEST_BYTES or recorded != content_digest(buffer, file.metadata[DIGEST_ENTRY]):
        raise ModelError(
            "DIGEST_MISMATCH",
            "the file differs from what mmconvert wrote: its content digest does not match",
            "copy it again, or convert again if it was edited",
        )
    return True
