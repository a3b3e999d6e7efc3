"""Exporting a ``.keras`` or ``.h5`` file to a SavedModel, in the child process with TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmwire.errors import ConvertError

LEGACY_REPAIR = "loaded with Keras 2 (tf-keras), which wrote the file"
GROUPS_REPAIR = "ignored 'groups': 1 of DepthwiseConv2D, which has no meaning and which Keras no longer accepts"


def export(request: dict[str, Any]) -> dict[str, Any]:
    """Write the SavedModel of a Keras file to a folder that does not exist yet; reply with the repairs that it took."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)  # this process cannot change it later
    path, target = Path(request["file"]), Path(request["folder"])
    repairs: list[str] = []
    if path.suffix == ".keras" or _is_keras_3(path):
        import keras

        keras.models.load_model(path, compile=False).export(target, verbose=False)
    else:
        _load_legacy(path, repairs).export(target)
    return {"repairs": repairs}


def _is_keras_3(path: Path) -> bool:
    import h5py

    with h5py.File(path, "r") as file:
        version = file.attrs.get("keras_version", "2")
    return (version.decode() if isinstance(version, bytes) else str(version)).startswith("3")


def _load_legacy(path: Path, repairs: list[str]) -> Any:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    try:
        import tf_keras
    except ImportError:
        raise ConvertError(
            "TENSORFLOW_MISSING",
            f"{path.name} was written by Keras 2; reading it needs tf-keras",
            "pip install tf-keras",
        ) from None

    class DepthwiseConv2D(tf_keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        def __init__(self, *arguments: Any, groups: int | None = None, **options: Any) -> None:
            super().__init__(*arguments, **options)
            if groups is not None and GROUPS_REPAIR not in repairs:
                repairs.append(GROUPS_REPAIR)

    repairs.append(LEGACY_REPAIR)
    return tf_keras.models.load_model(path, compile=False, custom_objects={"DepthwiseConv2D": DepthwiseConv2D})
