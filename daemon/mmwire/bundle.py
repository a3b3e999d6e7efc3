"""``mmconvert.json``: what mmconvert says of a SavedModel that it hands over to full TensorFlow.

It lies at the top of the folder: verdict, reason, and the SHA-256 of every other file by its path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

BUNDLE_FILE = "mmconvert.json"
MADE_BY = "mmconvert"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the daemon needs of it.

    Attributes:
        reason: Why TFLite does not do.
        files: SHA-256 in hex by path, with ``/``.
    """

    reason: str
    files: Mapping[str, str]


def parse_bundle(data: bytes) -> Bundle | None:
    """Return what a ``mmconvert.json`` says; None for anything else: then the folder is like any other SavedModel."""
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
