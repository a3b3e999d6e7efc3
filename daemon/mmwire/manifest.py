"""The model folder: the names of models, the files that belong to one, and the options of ``NAME.toml``.

Layouts: ``NAME.tflite``, ``NAME/`` holding a SavedModel, ``NAME/VERSION/{model.tflite|saved_model.pb}``;
beside them ``NAME.labels.txt`` (one label a line) and ``NAME.toml`` (``ModelOptions``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from mmwire.errors import ModelError, RequestError
from mmwire.spelling import nearest

MODEL_SUFFIX = ".tflite"
LABELS_SUFFIX = ".labels.txt"
OPTIONS_SUFFIX = ".toml"
MODEL_FILE = "model.tflite"
SAVED_MODEL_FILE = "saved_model.pb"
IGNORED_SUFFIXES = (".part", ".tmp")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
NAME_RULE = "1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"
_SHOWN_CHARACTERS = 60  # of a name or value that is refused
_VERSION = re.compile(r"[1-9][0-9]{0,17}\Z")  # a positive integer that fits 64 bits


def is_model_name(name: str) -> bool:
    """Return whether ``name`` may be a model's: ``[A-Za-z0-9][A-Za-z0-9._-]{0,63}``."""
    return _NAME.match(name) is not None


def unknown_model(name: str, known: Iterable[str] = ()) -> RequestError:
    """Return the error for a name that no model has, whoever sent it and however long it is.

    Args:
        name: The name that was asked for.
        known: The names of models; the hint is the one that was probably meant.
    """
    if not is_model_name(name):
        came = f"{name[:_SHOWN_CHARACTERS]!r}" + (
            f"... ({len(name)} characters)" if len(name) > _SHOWN_CHARACTERS else ""
        )
        return RequestError("MODEL_NOT_FOUND", f"{came} is not a model name", f"expected {NAME_RULE}")
    near = nearest(name, known)
    return RequestError(
        "MODEL_NOT_FOUND",
        f"no model named {name!r}",
        f"did you mean {near!r}?" if near else "mmctl ls lists the models",
    )


def parse_version(text: str) -> int | None:
    """Return the version that a folder name stands for, None if it stands for none."""
    return int(text) if _VERSION.match(text) else None


def is_ignored(file_name: str) -> bool:
    """Return whether the folder scan passes a file over: hidden, or a copy in progress."""
    return file_name.startswith(".") or file_name.endswith(IGNORED_SUFFIXES)


def parse_labels(text: str) -> list[str]:
    """Return the labels of a labels file: one a line, the first one for class 0."""
    return [line.strip() for line in text.removeprefix("\ufeff").splitlines()]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The options of one model, from its ``NAME.toml``. Every key is optional.

    Attributes:
        threads: Threads of one invocation, up to 64; an invocation counts as that many cores. 0 = one thread, and all
            cores for full TensorFlow.
        max_instances: Instances that this model may have. 0 = as many as there are cores, and one for full TensorFlow.
        isolation: ``thread``, or ``process`` for a process of its own.
        max_queue: Requests that may wait for this model. 0 = the daemon's default.
        max_run_s: Seconds that one invocation may take. 0 = the daemon's default.
        image_mean: For a float input: the client subtracts this from each pixel (0 to 255).
        image_scale: For a float input: the client divides the difference by this. With the defaults pixels go from 0
            to 1.
    """

    threads: int = 0
    max_instances: int = 0
    isolation: str = "thread"
    max_queue: int = 0
    max_run_s: float = 0.0
    image_mean: float = 0.0
    image_scale: float = 255.0

    def as_dict(self) -> dict[str, Any]:
        """Return the options by key, for ``mmctl show``."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_CHOICES: dict[str, tuple[str, ...]] = {"isolation": ("thread", "process")}
_RANGES: dict[str, tuple[float, float]] = {
    "threads": (0, 64),
    "max_instances": (0, 64),
    "max_queue": (0, 1_000_000),
    "max_run_s": (0, 86_400),
    "image_mean": (-1e9, 1e9),
    "image_scale": (-1e9, 1e9),
}


def parse_options(text: str, file_name: str = "NAME.toml") -> ModelOptions:
    """Read a ``NAME.toml``.

    Args:
        text: Its content.
        file_name: What errors call it.

    Raises:
        ModelError: ``MODEL_INVALID``: not TOML, or as ``read_options``.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError only
        raise ModelError(
            "MODEL_INVALID", f"{file_name} is not TOML: {error}", "write one key a line: threads = 2"
        ) from None
    return read_options(table, file_name)


def read_options(table: Mapping[str, Any], file_name: str = "NAME.toml") -> ModelOptions:
    """Return the options that a table gives.

    Args:
        table: Values by key.
        file_name: What errors call the file that they stand in.

    Raises:
        ModelError: ``MODEL_INVALID``: an unknown key (with the nearest known one), a value of another type or outside
            of its range.
    """
    known = {field.name: field for field in fields(ModelOptions)}
    for key, value in table.items():
        if key not in known:
            raise ModelError("MODEL_INVALID", f"{file_name}: unknown key {key!r}", _key_hint(key, value, known))
        if not _fits(key, value):
            raise ModelError(
                "MODEL_INVALID",
                f"{file_name}: {key}: expected {_expected(key)}, got {_shown(value)}",
                _hint(key, value),
            )
    values: dict[str, Any] = {key: float(value) if _is_float(key) else value for key, value in table.items()}
    return ModelOptions(**values)


def _is_float(key: str) -> bool:
    return isinstance(getattr(_DEFAULTS, key), float)


def _fits(key: str, value: Any) -> bool:
    if key in _CHOICES:
        return value in _CHOICES[key]
    if isinstance(value, bool) or not isinstance(value, (int, float) if _is_float(key) else int):
        return False
    low, high = _RANGES[key]
    return low <= value <= high and not (key == "image_scale" and value == 0)


def _expected(key: str) -> str:
    if key in _CHOICES:
        return " or ".join(f'"{choice}"' for choice in _CHOICES[key])
    low, high = _RANGES[key]
    kind = "a number" if _is_float(key) else "a whole number"
    return f"{kind} from {low:.15g} to {high:.15g}" + (", not 0" if key == "image_scale" else "")


def _shown(value: Any) -> str:
    """Return a value as it stands in TOML, shortened."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    try:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    except ValueError:  # a whole number of more digits than Python prints
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _key_hint(key: str, value: Any, known: Iterable[str]) -> str:
    if near := nearest(key, known):
        return f"did you mean {near}?"
    if isinstance(value, Mapping):
        return f"write the keys at the top of the file, without [{key}]"
    return f"known keys: {', '.join(known)}"


def _hint(key: str, value: Any) -> str:
    if isinstance(value, str) and key in _RANGES and value.strip().isdecimal():
        return f"write it without quotes: {key} = {value.strip()}"
    if isinstance(value, str) and (near := nearest(value, _CHOICES.get(key, ()))):
        return f'did you mean "{near}"?'
    return f"change it, or take the line out: the default is {_shown(getattr(_DEFAULTS, key))}"


_DEFAULTS = ModelOptions()
