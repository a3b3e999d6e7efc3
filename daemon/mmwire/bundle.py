"""``mmconvert.json``: what mmconvert says of a SavedModel that it hands over to full TensorFlow.

It lies at the top of the folder: verdict, reason, signatures, provenance, and the SHA-256 of every other file by its
path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

BUNDLE_FILE = "mmconvert.json"
MADE_BY = "mmconvert"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of the file. The daemon needs the first two fields; the others are for people and tools.

    Attributes:
        reason: Why TFLite does not do.
        files: SHA-256 in hex by path, with ``/``.
        verdict: The converter's verdict.
        evidence: What led to the verdict, one line each.
        signatures: Inputs and outputs by signature.
        provenance: Where the model comes from.
    """

    reason: str
    files: Mapping[str, str]
    verdict: str = ""
    evidence: Sequence[str] = ()
    signatures: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def pack_bundle(bundle: Bundle) -> bytes:
    """Return the bytes of a ``mmconvert.json``; the same facts give the same bytes."""
    document = {
        "made_by": MADE_BY,
        "format": FORMAT,
        "verdict": bundle.verdict,
        "reason": bundle.reason,
        "evidence": list(bundle.evidence),
        "signatures": dict(bundle.signatures),
        "provenance": dict(bundle.provenance),
        "files": dict(bundle.files),
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def parse_bundle(data: bytes) -> Bundle | None:
    """Return what the daemon needs of a ``mmconvert.json``; None for any other content.

    A folder without a usable one is like any other SavedModel.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("made_by") != MADE_BY:
        return None
    files, reason = document.get("files"), document.get("reason", "")
    if not (isinstance(files, dict) and isinstance(reason, str) and all(map(_is_entry, files.items()))):
        return None
    return Bundle(reason, files)


def _is_entry(entry: tuple[str, Any]) -> bool:
    path = PurePosixPath(entry[0])
    return isinstance(entry[1], str) and not path.is_absolute() and ".." not in path.parts
