"""The job: what one run was asked to do, and the checks that need no look at the model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mmconvert.backends.process.limit import Limits
from mmwire.errors import ClientError, ConvertError
from mmwire.manifest import is_model_name, parse_version

QUANTIZE_CHOICES = ("auto", "float32", "float16", "dynamic", "int8", "int16x8")
OBJECTIVES = ("latency", "size", "memory")
PRESETS = ("quick", "default", "thorough")
_CALIBRATED = ("int8", "int16x8")


@dataclass(frozen=True, slots=True)
class Job:
    """One conversion.

    Attributes:
        source: SavedModel folder, or a ``.keras`` or ``.h5`` file.
        quantize: One of ``QUANTIZE_CHOICES``; ``auto`` searches if there is data, and is float32 otherwise.
        output: File to write, None if the result is only published.
        publish: Model folder to publish into, None if the result is only written.
        evaluation: Rows that choose among candidates and verify the chosen one.
        max_drop: The most accuracy that the result may lose, as a share.
        signature: The one signature to convert, None for all.
        cache: The folder that keeps results for the next run, None to keep nothing.
    """

    source: Path
    name: str
    quantize: str = "auto"
    output: Path | None = None
    publish: Path | None = None
    calibration: Path | None = None
    evaluation: Path | None = None
    labels: Path | None = None
    signature: str | None = None
    max_drop: float = 0.01
    objective: str = "latency"
    preset: str = "default"
    report: Path | None = None
    cache: Path | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def has_data(self) -> bool:
        """Whether there are real rows."""
        return self.calibration is not None or self.evaluation is not None

    @property
    def searches(self) -> bool:
        """Whether the best form is searched for."""
        return self.quantize == "auto" and self.has_data


def require_data(quantize: str, has_data: bool) -> None:
    """Check that there is data if the form needs measured ranges.

    Raises:
        ConvertError: ``CALIBRATION_MISSING``.
    """
    if quantize in _CALIBRATED and not has_data:
        raise ConvertError(
            "CALIBRATION_MISSING",
            f"--quantize {quantize} needs --calibration DATA: the quantizer measures activations on real inputs",
            "give 100 or more real inputs (.npz, .npy, .csv or a folder of images), or use --quantize dynamic",
        )


def require_apart(job: Job) -> None:
    """Check that no output overwrites an input, or lies inside the model.

    Raises:
        ClientError: ``USAGE``.
    """
    read = {"the model": job.source, "--calibration": job.calibration, "--eval": job.evaluation, "--labels": job.labels}
    written = {"-o": job.output, "--report": job.report}
    for option, target in written.items():
        for role, source in read.items():
            if target is None or source is None:
                continue
            place, kept = target.resolve(), source.resolve()
            if place == kept or (kept in place.parents and role == "the model"):
                raise ClientError("USAGE", f"{option} {target} would overwrite {role}", "name another file")


def derive_name(source: Path, asked: str | None) -> str:
    """Return the model's name: ``--name``, or else the folder's name with forbidden characters replaced by ``-``.

    A version folder (``kws/3``) gives the name of the folder above it.

    Raises:
        ClientError: ``USAGE``: ``--name`` is not a model name, or the folder's name has no usable character.
    """
    if asked is not None:
        if not is_model_name(asked):
            raise ClientError(
                "USAGE",
                f"--name {asked!r} is not a model name",
                "a name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit",
            )
        return asked
    folder = source.resolve()
    label = folder.parent.name if parse_version(folder.name) is not None and folder.parent.name else folder.name
    label = re.sub(r"\.(keras|h5|hdf5)$", "", label)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", label).lstrip("._-").rstrip("-")[:64]
    if not is_model_name(name):
        raise ClientError("USAGE", f"the folder name {label!r} cannot become a model name", "give one with --name")
    return name
