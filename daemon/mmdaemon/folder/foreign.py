"""Model files of other formats: the daemon cannot serve them, and says how to get a file that it can."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from mmdaemon.folder.refusal import shown
from mmwire.errors import ModelError
from mmwire.manifest import MODEL_SUFFIX, SAVED_MODEL_FILE

_KERAS = (".keras", ".h5", ".hdf5")  # mmconvert reads these
_TFLITE = (".lite", ".tfl")
_PACKED = {".gz": "gunzip", ".bz2": "bunzip2", ".xz": "unxz", ".zst": "unzstd --rm", ".zip": "unzip"}
_TORCH = (".pt", ".pth", ".safetensors")
_GRAPH = ".pb"
_CHECKPOINT = ".ckpt"
_ONNX = ".onnx"
# Files of other runtimes: TensorRT, Rockchip, Hailo, Qualcomm, Core ML, ONNX Runtime.
_COMPILED = (".engine", ".plan", ".rknn", ".hef", ".dlc", ".mlmodel", ".ort")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def foreign_model(path: Path) -> tuple[str, ModelError] | None:
    """Return the model that a file seems meant to be, and why it does not serve; None for a file of no such format.

    Args:
        path: A file in the model folder that no layout takes. Only its name is looked at.
    """
    stem, suffix = path.stem, path.suffix.lower()
    if suffix in _PACKED and Path(stem).suffix.lower() == MODEL_SUFFIX:
        hint = f"unpack it: cd {_quoted(path.parent)} && {_PACKED[suffix]} {_quoted(path.name)}"
        return Path(stem).stem, _refusal(path, f"a compressed {MODEL_SUFFIX} file", hint)
    if suffix in _TFLITE:
        target = path.with_suffix(MODEL_SUFFIX)
        return stem, _refusal(path, f"without the suffix {MODEL_SUFFIX}", f"mv {_quoted(path)} {_quoted(target)}")
    if suffix in _KERAS:
        return stem, _refusal(path, "a Keras model", _keras_command(path, suffix))
    what, hint = _other_format(path, suffix)
    return (stem, _refusal(path, what, hint)) if what else None


def _other_format(path: Path, suffix: str) -> tuple[str, str]:
    """Return what a file is, and how to get a SavedModel or a .tflite from what it was made from."""
    if path.name == SAVED_MODEL_FILE:
        return "a part of a SavedModel", f"put it with its variables/ into {_quoted(path.parent)}/NAME"
    if suffix == _ONNX:
        saved_model = f"~/{_name(path)}"
        command = f"onnx2tf -i {_quoted(path)} -o {saved_model} && {_mmconvert(saved_model, path)}"
        return "an ONNX model", f"convert it twice: {command}"
    if suffix in _TORCH:
        return "a PyTorch model", f"export it from PyTorch: litert-torch writes {_name(path)}{MODEL_SUFFIX}"
    if suffix == _GRAPH:
        return "a TensorFlow graph without its variables", _from("the model as a SavedModel folder", path)
    if suffix == _CHECKPOINT:
        return "a checkpoint", _from("the model as a SavedModel folder or .keras file", path)
    if suffix in _COMPILED:
        return "compiled for another runtime", _from("the model that it was compiled from as a SavedModel folder", path)
    return "", ""


def _from(what: str, path: Path) -> str:
    return f"save {what}, then: {_mmconvert('SAVED_MODEL', path)}"


def _keras_command(path: Path, suffix: str) -> str:
    if path.suffix == suffix:
        return _mmconvert(_quoted(path), path)
    renamed = path.with_suffix(suffix)  # mmconvert goes by the suffix in lower case
    return f"mv {_quoted(path)} {_quoted(renamed)} && {_mmconvert(_quoted(renamed), path)}"


def _mmconvert(source: str, path: Path) -> str:
    return f"mmconvert {source} --name {_name(path)} --publish {_quoted(path.parent)}"


def _refusal(path: Path, what: str, hint: str) -> ModelError:
    return ModelError("MODEL_INVALID", f"{shown(path.name)} is {what}; expected NAME{MODEL_SUFFIX}", hint)


def _name(path: Path) -> str:
    """Return the name that the model could have: the file's, in the letters of model names."""
    return _NOT_IN_NAMES.sub("_", path.stem).lstrip("._-")[:64] or "NAME"


def _quoted(path: str | Path) -> str:
    return shlex.quote(shown(path))
