"""Model files of other formats: which are told, and with which way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdaemon.folder.foreign import foreign_model

FOLDER = Path("/srv/models")


@pytest.mark.parametrize(
    ("file", "name", "what", "hint"),
    [
        ("ad01.h5", "ad01", "a Keras model", "mmconvert /srv/models/ad01.h5 --name ad01 --publish /srv/models"),
        ("x.keras", "x", "a Keras model", "mmconvert /srv/models/x.keras --name x --publish /srv/models"),
        ("x.hdf5", "x", "a Keras model", "mmconvert /srv/models/x.hdf5 --name x --publish /srv/models"),
        ("x.H5", "x", "a Keras model", "mv /srv/models/x.H5 /srv/models/x.h5 && mmconvert /srv/models/x.h5 --name x"),
        ("my net.h5", "my net", "a Keras model", "mmconvert '/srv/models/my net.h5' --name my_net --publish"),
        ("x.onnx", "x", "an ONNX model", "onnx2tf -i /srv/models/x.onnx -o ~/x && mmconvert ~/x --name x --publish"),
        ("x.pt", "x", "a PyTorch model", "litert-torch writes x.tflite"),
        ("x.pb", "x", "a TensorFlow graph", "mmconvert SAVED_MODEL --name x --publish /srv/models"),
        ("saved_model.pb", "saved_model", "a part of a SavedModel", "into /srv/models/NAME"),
        ("x.ckpt", "x", "a checkpoint", "mmconvert SAVED_MODEL --name x"),
        ("x.engine", "x", "compiled for another runtime", "mmconvert SAVED_MODEL --name x"),
        ("x.lite", "x", "without the suffix .tflite", "mv /srv/models/x.lite /srv/models/x.tflite"),
        ("x.tflite.gz", "x", "a compressed .tflite file", "cd /srv/models && gunzip x.tflite.gz"),
        ("x.tflite.zip", "x", "a compressed .tflite file", "cd /srv/models && unzip x.tflite.zip"),
    ],
)
def test_a_model_of_another_format_gets_a_hint(file: str, name: str, what: str, hint: str) -> None:
    found = foreign_model(FOLDER / file)
    assert found is not None
    assert found[0] == name
    error = found[1]
    assert (error.code, error.retryable) == ("MODEL_INVALID", False)
    assert error.message.startswith(f"{file} is {what}") and error.message.endswith("expected NAME.tflite")
    assert hint in error.hint


@pytest.mark.parametrize(
    "file",
    ["README", "README.md", "x.labels.txt", "x.toml", "x.npz", "x.json", "backup.zip", "photo.png", "x.tflite", "h5"],
)
def test_a_file_that_is_clearly_something_else_stays_silent(file: str) -> None:
    assert foreign_model(FOLDER / file) is None
