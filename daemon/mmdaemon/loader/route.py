"""The way that a model is served on this box: a worker thread, a process of its own, or full TensorFlow. Pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mmdaemon.folder.snapshot import FolderSource
from mmwire.bundle import Bundle
from mmwire.errors import ModelError
from mmwire.installation import install_hint


class Way(Enum):
    """The way to run a version."""

    THREAD = "thread"  # the TFLite runtime, in the daemon
    PROCESS = "process"  # the TFLite runtime, in a process of its own
    TENSORFLOW = "tensorflow"  # full TensorFlow, in a process of its own


@dataclass(frozen=True, slots=True)
class Policy:
    """The choices of the configuration about SavedModels, and what the box has.

    Attributes:
        tensorflow: ``models.tensorflow``.
        convert_on_drop: ``models.convert_on_drop``.
        has_tensorflow: Whether it is installed.
        has_converter: Whether mmconvert is, with all that it needs.
        has_gpu: Whether one is visible.
    """

    tensorflow: str
    convert_on_drop: bool
    has_tensorflow: bool
    has_converter: bool
    has_gpu: bool


def is_to_be_converted(source: FolderSource, bundle: Bundle | None, policy: Policy) -> bool:
    """Return whether a SavedModel goes through mmconvert first; False when TensorFlow takes it as it is.

    1. One that mmconvert handed over (it has a ``bundle``) goes to TensorFlow wherever that is installed.
    2. Any other goes there on a box with a GPU, or with ``always``.
    3. Else it is converted, if that was asked for.

    Raises:
        ModelError: ``MODEL_INVALID``: none of this; the hint is the way out.
    """
    if policy.tensorflow == "never":
        reason = "a SavedModel folder, and models.tensorflow is 'never'"
        raise ModelError("MODEL_INVALID", reason, "set it to 'auto'" if bundle else _convert_it(source))
    if bundle is not None:
        if policy.has_tensorflow:
            return False
        raise ModelError(
            "MODEL_INVALID",
            f"only full TensorFlow can run this model ({bundle.reason}), and it is not installed here",
            _install("tensorflow", source),
        )
    wanted = policy.tensorflow == "always" or policy.has_gpu
    if wanted and policy.has_tensorflow:
        return False
    if policy.convert_on_drop:
        if policy.has_converter:
            return True
        raise ModelError(
            "MODEL_INVALID",
            "a SavedModel folder to be converted on drop, and mmconvert's extra is not installed here",
            _install("convert", source),
        )
    if wanted:
        raise ModelError(
            "MODEL_INVALID",
            "a SavedModel folder, and TensorFlow is not installed here",
            _install("tensorflow", source),
        )
    raise ModelError("MODEL_INVALID", "a SavedModel folder, which is not served as it is", _convert_it(source))


def _install(extra: str, source: FolderSource) -> str:
    return f"{install_hint(extra, sys.prefix)}; then: mmctl load {source.name}"


def _convert_it(source: FolderSource) -> str:
    folder = source.path.parent if source.version is None else source.path.parent.parent
    moved = Path("~") / source.path.relative_to(folder)  # beside it no NAME.tflite may lie: two layouts of one name
    return f"mv {folder / source.name} ~/ && mmconvert {moved} --name {source.name} --publish {folder}"
