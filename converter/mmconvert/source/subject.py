"""The model that is converted, as stage inspect found it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmconvert.source.folder import Stamp
from mmconvert.source.inspection import Inspection
from mmconvert.source.signature import Signature


@dataclass(frozen=True, slots=True)
class Subject:
    """One model that, as far as can be told without TensorFlow, can be converted.

    Attributes:
        folder: The SavedModel: the one that was given, or the one that a Keras file was exported to.
        model: The bytes of its ``saved_model.pb``.
        stamp: Sizes and times of the files that were given.
        digest: SHA-256 over the files that were given.
        labels: One for each class; empty where there are none.
        repairs: What was mended to export a Keras file.
    """

    folder: Path
    model: bytes
    stamp: Stamp
    digest: str
    inspection: Inspection
    signatures: tuple[Signature, ...]
    labels: list[str]
    repairs: list[str]
