"""Finds out what the box has for SavedModels (TensorFlow, mmconvert, a GPU) without importing any of it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

# Device files of the kernel drivers of NVIDIA (with a number) and AMD (ROCm).
_GPU_FILES = ("nvidia[0-9]*", "kfd")
_HIDES_GPUS = "CUDA_VISIBLE_DEVICES"  # empty or -1: none; Source: the CUDA C++ programming guide
_CONVERTER = ("mmconvert", "tensorflow", "litert_quantizer")


def has_tensorflow() -> bool:
    """Return whether TensorFlow is installed."""
    return find_spec("tensorflow") is not None


def has_converter() -> bool:
    """Return whether mmconvert is installed with everything that it needs."""
    return all(find_spec(name) is not None for name in _CONVERTER)


def has_gpu(environment: Mapping[str, str], devices: Path = Path("/dev")) -> bool:
    """Return whether a GPU is visible to this process.

    Args:
        environment: The environment of the process.
        devices: The folder of device files.
    """
    if environment.get(_HIDES_GPUS, "0").strip() in ("", "-1"):
        return False
    return any(True for pattern in _GPU_FILES for _ in devices.glob(pattern))


def tensorflow_version() -> str:
    """Return the version of the installed TensorFlow; empty for none, or for an unknown one.

    ``importlib.metadata`` would tell the same, but takes 10 ms of every start. Source: PEP 427. The metadata of a
    package lies beside it, in ``NAME-VERSION.dist-info``.
    """
    found = find_spec("tensorflow")
    if found is None or found.origin is None:
        return ""
    beside = Path(found.origin).parents[1]
    names = [path.name for form in ("tensorflow", "tensorflow_cpu") for path in beside.glob(f"{form}-*.dist-info")]
    return names[0].removesuffix(".dist-info").partition("-")[2] if names else ""
