"""A ``.tflite`` file besides its graph: whether it is whole, its metadata, its content digest.

``mmconvert`` writes these metadata entries and the daemon reads them; other readers ignore them: ``MM_BYTES`` (the
length of the file with everything that is appended to it, 8 bytes), ``MM_DIGEST`` (32 bytes), ``MM_GOLDEN``
(``mmwire.golden``), ``MM_IO`` (JSON: tensors, batches), ``MM_LABELS`` (text, one label a line), ``MM_PROVENANCE``
(JSON), ``MM_RECIPE`` (JSON, in litert-quantizer's form).

Source: field numbers from the TFLite schema, version 3 (``Model``, ``SubGraph``, ``Tensor``, ``Operator``,
``Buffer``, ``Metadata``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from mmwire.errors import ModelError
from mmwire.flatbuffer import Buffer, Bytes, OutOfBoundsError, Table

DIGEST_ENTRY = "MM_DIGEST"
LABELS_ENTRY = "MM_LABELS"
PROVENANCE_ENTRY = "MM_PROVENANCE"
BYTES_ENTRY = "MM_BYTES"
DIGEST_BYTES = hashlib.sha256().digest_size

IDENTIFIER = b"TFL3"
_RESOURCE_OPERATORS = range(142, 145)  # VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE
_EXTERNAL = 1  # offsets 0 and 1 mean "no external data" in Buffer.offset
_TABLE_BYTES = 8  # a table takes at least this: its offset in a vector, and its offset to its vtable
_MOST_TABLES = 250_000  # a walk of about a second; a model of 4 MB has 500
_NAME_BYTES = 256  # no entry that matters here has a longer name
_OUR_NAMES = re.compile(f"{DIGEST_ENTRY}|{PROVENANCE_ENTRY}".encode())


class ModelState(StrEnum):
    """Where a model keeps state from one invocation to the next, and therefore how that is reset."""

    NONE = "none"
    VARIABLES = "variables"  # variable tensors, which an interpreter can reset
    RESOURCES = "resources"  # resource variables, which only a fresh interpreter resets


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """The outline of one whole ``.tflite`` file.

    Attributes:
        metadata: Entry name -> (offset, length) of its bytes in the file.
        state: Where the model keeps state from one invocation to the next.
    """

    metadata: dict[str, tuple[int, int]]
    state: ModelState = ModelState.NONE

    def entry(self, buffer: Buffer, name: str) -> bytes | None:
        """Return the bytes of one metadata entry, None when the file has none of that name."""
        place = self.metadata.get(name)
        return None if place is None else bytes(buffer[place[0] : place[0] + place[1]])


def outline(buffer: Buffer) -> TfliteFile:
    """Walk the tables of a file and return its outline. A truncated file is refused.

    Raises:
        ModelError: ``MODEL_INVALID``: not a TFLite file, or not whole.
    """
    if len(buffer) == 0:
        raise ModelError("MODEL_INVALID", "the file is empty", "copy the model again")
    if bytes(buffer[4:8]) != IDENTIFIER:
        raise ModelError(
            "MODEL_INVALID",
            f"not a TFLite file: expected {IDENTIFIER!r} at byte 4, got {bytes(buffer[4:8])!r}",
            "a SavedModel becomes one with: mmconvert SAVED_MODEL --publish MODEL_DIR",
        )
    try:
        file = _walk(buffer)
        recorded = file.entry(buffer, BYTES_ENTRY)
        if recorded is not None and len(buffer) < int.from_bytes(recorded, "little"):
            raise OutOfBoundsError(f"{len(buffer)} of {int.from_bytes(recorded, 'little')} bytes")
        return file
    except OutOfBoundsError as error:
        raise ModelError(
            "MODEL_INVALID", f"the file is cut short or damaged: {error}", "copy the model again"
        ) from None


def _walk(buffer: Buffer) -> TfliteFile:
    model = Table.root(buffer)
    tables = _Walk(len(buffer)).tables
    state = ModelState.NONE
    for subgraph in tables(model, 2):
        for tensor in tables(subgraph, 0):
            tensor.vector(0, 4)
            tensor.vector(3, 1)
            if tensor.u8(5):
                state = ModelState.VARIABLES
        for operator in tables(subgraph, 3):
            operator.vector(1, 4)
            operator.vector(2, 4)
    for code in tables(model, 1):
        if code.u32(3) in _RESOURCE_OPERATORS:
            state = ModelState.RESOURCES
    places = [_data_of(table, len(buffer)) for table in tables(model, 4)]
    metadata: dict[str, tuple[int, int]] = {}
    for entry in tables(model, 6):
        index = entry.u32(1)
        if index >= len(places):
            raise OutOfBoundsError(f"metadata names buffer {index} of {len(places)}")
        if entry.vector(0, 1)[1] <= _NAME_BYTES:
            metadata[entry.text(0)] = places[index]
    return TfliteFile(metadata, state)


class _Walk:
    """Counts the tables that a walk visits. In a crafted file tables share tables, and a walk could take hours."""

    def __init__(self, file_bytes: int) -> None:
        self._left = self._most = min(_MOST_TABLES, file_bytes // _TABLE_BYTES)

    def tables(self, table: Table, index: int) -> Iterator[Table]:
        for item in table.tables(index):
            self._left -= 1
            if self._left < 0:
                raise OutOfBoundsError(f"its tables refer to more than {self._most} tables")
            yield item


def _data_of(table: Table, file_bytes: int) -> tuple[int, int]:
    """Return offset and length of the data of one ``Buffer``, inside the FlatBuffer or behind it."""
    offset, length = table.u64(1), table.u64(2)
    if offset > _EXTERNAL:
        if offset + length > file_bytes:
            raise OutOfBoundsError(f"weights at {offset}+{length} pass {file_bytes} bytes")
        return offset, length
    return table.vector(0, 1)


def content_digest(buffer: Bytes, place: tuple[int, int]) -> bytes:
    """Return the SHA-256 of the whole file, with zeros in the place of the digest itself."""
    offset, length = place
    view = memoryview(buffer)
    digest = hashlib.sha256(view[:offset])
    digest.update(bytes(length))
    digest.update(view[offset + length :])
    return digest.digest()


def verify_content(buffer: Bytes, file: TfliteFile) -> bool:
    """Check the digest in the file; return whether it has one.

    A file that names entries of ``mmconvert`` but has no digest entry is refused too: the damage may have hit the way
    to the digest.

    Raises:
        ModelError: ``DIGEST_MISMATCH``: bytes changed since ``mmconvert`` wrote the file.
    """
    recorded = file.entry(buffer, DIGEST_ENTRY)
    if recorded is None and _OUR_NAMES.search(buffer) is None:
        return False
    if (
        recorded is None
        or len(recorded) != DIGEST_BYTES
        or recorded != content_digest(buffer, file.metadata[DIGEST_ENTRY])
    ):
        raise ModelError(
            "DIGEST_MISMATCH",
            "the file differs from what mmconvert wrote: its content digest does not match",
            "copy the file again, or convert the model again if somebody edited the file",
        )
    return True
