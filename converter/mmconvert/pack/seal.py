"""Sealing: adds everything besides the graph to a file, and the digest over all of it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from mmconvert.pack.container import add_metadata
from mmconvert.pack.provenance import provenance_json
from mmwire.errors import InternalError, ModelError
from mmwire.golden import GOLDEN_ENTRY
from mmwire.tflite import (
    BYTES_ENTRY,
    DIGEST_BYTES,
    DIGEST_ENTRY,
    LABELS_ENTRY,
    PROVENANCE_ENTRY,
    content_digest,
    outline,
    verify_content,
)

IO_ENTRY = "MM_IO"
RECIPE_ENTRY = "MM_RECIPE"
_LENGTH_BYTES = 8
_LABELS_FILE = "labels.txt"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date, the first that a zip file can hold: equal labels give equal bytes


def seal(
    content: bytes,
    labels: Sequence[str],
    facts: Mapping[str, Any],
    *,
    goldens: bytes = b"",
    io_facts: Mapping[str, Any] | None = None,
    recipe: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    """Return the file with everything that travels with it; no byte of the graph changes.

    Labels are also appended as a zip file: readers of TFLite's own metadata look for one at the end.

    Args:
        content: The ``.tflite``.
        labels: One for each class; may be empty.
        facts: The provenance.
        goldens: As ``mmwire.golden.pack_goldens`` packs them; empty for none.
        io_facts: Types, scales and shapes of inputs and outputs, and the row counts that run at once.
        recipe: In litert-quantizer's own form.

    Raises:
        ConvertError: ``CONVERTER_FAILED``: the content is not a whole ``.tflite``.
    """
    entries: dict[str, bytes] = {}
    if labels:
        entries[LABELS_ENTRY] = "\n".join(labels).encode()
    if io_facts:
        entries[IO_ENTRY] = _json(io_facts)
    if recipe:
        entries[RECIPE_ENTRY] = _json(recipe)
    if goldens:
        entries[GOLDEN_ENTRY] = goldens
    entries[PROVENANCE_ENTRY] = provenance_json(facts)
    entries[BYTES_ENTRY] = bytes(_LENGTH_BYTES)
    entries[DIGEST_ENTRY] = bytes(DIGEST_BYTES)
    sealed = bytearray(add_metadata(content, entries))
    if labels:
        sealed += _zip_tail(labels, len(sealed))
    places = outline(sealed).metadata
    offset, length = places[BYTES_ENTRY]
    sealed[offset : offset + length] = len(sealed).to_bytes(length, "little")
    offset, length = place = places[DIGEST_ENTRY]
    sealed[offset : offset + length] = content_digest(sealed, place)
    result = bytes(sealed)
    try:
        is_sealed = verify_content(result, outline(result))
    except ModelError as error:
        raise InternalError("INTERNAL", f"the packed file does not verify: {error.message}") from error
    if not is_sealed:
        raise InternalError("INTERNAL", "the packed file carries no digest")
    return result


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _zip_tail(labels: Sequence[str], offset: int) -> bytes:
    """Return a zip file of the labels whose offsets count from the start of what it is appended to."""
    file = io.BytesIO()
    file.write(b"\0" * offset)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_LABELS_FILE, _EPOCH), "".join(f"{label}\n" for label in labels))
    return file.getvalue()[offset:]
