"""What is converted, as stage inspect found it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmconvert.source.folder import Stamp
from mmconvert.source.inspection import Inspection
from mmconvert.source.signature import Signature


@dataclass(frozen=True, slots=True)
class Subject:
    """One model, read and found convertible as far as that can be told without TensorFlow.

    Attributes:
        given: What the user named: a SavedModel or a Keras file.
        folder: The SavedModel: what was given, or what a Keras file was exported to.
        model: The bytes of its ``saved_model.pb``.
        digest: SHA-256 over what was given.
        repairs: What exporting a Keras file took.
    """

    given: Path
    folder: Path
    model: bytes
    stamp: Stamp
    digest: str
    inspection: Inspection
    signatures: tuple[Signature, ...]
    labels: list[str]
    repairs: list[str]

    def signature(self, name: str) -> Signature:
        """Return one of the signatures that are converted."""
        return next(signature for signature in self.signatures if signature.name == name)
