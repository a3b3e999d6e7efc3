"""Stage pack: labels and provenance go into the file, then the digest of all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmconvert.pack.container import add_metadata
from mmconvert.pack.provenance import provenance_json
from mmwire.errors import InternalError, ModelError
from mmwire.tflite import (
    DIGEST_BYTES,
    DIGEST_ENTRY,
    LABELS_ENTRY,
    PROVENANCE_ENTRY,
    content_digest,
    outline,
    verify_content,
)


def seal(content: bytes, labels: Sequence[str], facts: Mapping[str, Any]) -> bytes:
    """Return the file with labels, provenance and content digest; every other byte of the graph is as it was.

    Raises:
        ConvertError: ``CONVERTER_FAILED``, the content is not a whole ``.tflite``.
    """
    entries: dict[str, bytes] = {}
    if labels:
        entries[LABELS_ENTRY] = "\n".join(labels).encode()
    entries[PROVENANCE_ENTRY] = provenance_json(facts)
    entries[DIGEST_ENTRY] = bytes(DIGEST_BYTES)
    sealed = bytearray(add_metadata(content, entries))
    offset, length = place = outline(sealed).metadata[DIGEST_ENTRY]
    sealed[offset : offset + length] = content_digest(sealed, place)
    result = bytes(sealed)
    try:
        is_sealed = verify_content(result, outline(result))
    except ModelError as error:
        raise InternalError("INTERNAL", f"the packed file does not verify: {error.message}") from error
    if not is_sealed:
        raise InternalError("INTERNAL", "the packed file carries no digest")
    return result
