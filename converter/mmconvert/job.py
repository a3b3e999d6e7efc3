"""What one run was asked to do, checked as far as that goes without reading the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mmwire.errors import ClientError, ConvertError
from mmwire.manifest import is_model_name, parse_version

QUANTIZE_CHOICES = ("auto", "float32", "dynamic", "int8")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child processes may use.

    Attributes:
        memory_bytes: Address space of one child (RLIMIT_AS). TensorFlow alone reserves a few GiB of it.
        wall_s: Wall time of the whole conversion.
    """

    memory_bytes: int = 16 << 30
    wall_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Job:
    """One conversion.

    Attributes:
        quantize: ``float32``, ``dynamic`` or ``int8``; ``auto`` is already decided.
        output: File to write, None when only published.
        publish: Model folder to publish into, None when only written.
    """

    saved_model: Path
    name: str
    quantize: str
    output: Path | None = None
    publish: Path | None = None
    calibration: Path | None = None
    labels: Path | None = None
    signature: str | None = None
    limits: Limits = Limits()


def decide_quantize(asked: str, has_calibration: bool) -> str:
    """Return the quantization to do: ``auto`` is int8 with calibration data, else float32.

    Raises:
        ConvertError: ``CALIBRATION_MISSING``, int8 was asked for without data.
    """
    if asked == "auto":
        return "int8" if has_calibration else "float32"
    if asked == "int8" and not has_calibration:
        raise ConvertError(
            "CALIBRATION_MISSING",
            "--quantize int8 needs --calibration DATA: the ranges of the activations are measured on real inputs",
            "give 100 or more real inputs (.npz, .npy, .csv or a folder of images), or use --quantize dynamic",
        )
    return asked


def derive_name(saved_model: Path, asked: str | None) -> str:
    """Return the model's name: ``--name``, else the folder's name with what a name may not hold replaced by ``-``.

    A version folder (``kws/3``) gives the name of the folder above it.

    Raises:
        ClientError: ``USAGE``, ``--name`` is not a model name, or the folder's name holds nothing usable.
    """
    if asked is not None:
        if not is_model_name(asked):
            raise ClientError(
                "USAGE",
                f"--name {asked!r} is not a model name",
                "1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit",
            )
        return asked
    folder = saved_model.resolve()
    label = folder.parent.name if parse_version(folder.name) is not None and folder.parent.name else folder.name
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", label).lstrip("._-").rstrip("-")[:64]
    if not is_model_name(name):
        raise ClientError("USAGE", f"no model name can be made of the folder name {label!r}", "give one with --name")
    return name
