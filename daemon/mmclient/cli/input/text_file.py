"""JSON and CSV: numbers without a dtype, read as real values."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from mmwire.errors import RequestError
from mmwire.tensor import TensorSpec

_JSON_EXAMPLE = 'for example [1, 2, 3] or {"input": [1, 2, 3]}'
_SHOWN = 40  # characters of a wrong text
# The first bytes of files that people pipe into a command. Source: the specification of each format.
_MAGICS = {
    b"\x93NUMPY": ("a numpy array", "npy"),
    b"PK\x03\x04": ("an archive", "npz"),
    b"\x89PNG": ("a PNG image", "png"),
    b"\xff\xd8\xff": ("a JPEG image", "jpg"),
    b"BM": ("a BMP image", "bmp"),
    b"GIF8": ("a GIF image", "gif"),
    b"RIFF": ("a RIFF file", "wav"),
}


def read_bytes(path: str) -> bytes:
    """Return the bytes of a file.

    Raises:
        RequestError: ``BAD_INPUT``.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RequestError("BAD_INPUT", f"{path} cannot be read: {error.strerror}") from None


def parse_json(data: bytes, source: str) -> Any:
    """Return nested lists of numbers, or an object of them by input name.

    Raises:
        RequestError: ``BAD_INPUT``: not JSON, or neither a list nor an object.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _not_text(data, source) from None
    if not text.strip():
        raise RequestError("BAD_INPUT", f"{source}: expected JSON, got nothing", _JSON_EXAMPLE)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise RequestError("BAD_INPUT", f"{source}: expected JSON, got {shown!r}: {error}", _JSON_EXAMPLE) from None
    if isinstance(value, list) or (isinstance(value, dict) and value):
        return value
    raise RequestError(
        "BAD_INPUT",
        f"{source}: expected a list of numbers or an object of them, got {text.strip()[:_SHOWN]}",
        _JSON_EXAMPLE,
    )


def _not_text(data: bytes, source: str) -> RequestError:
    for magic, (kind, suffix) in _MAGICS.items():
        if data.startswith(magic):
            hint = f"give it as a file: mmctl predict MODEL FILE.{suffix}"
            return RequestError("BAD_INPUT", f"{source}: expected JSON, got {kind}", hint)
    hint = "save raw values with numpy.save('values.npy', array), then: mmctl predict MODEL values.npy"
    return RequestError("BAD_INPUT", f"{source}: expected JSON, got {len(data)} bytes that are not text", hint)


def read_csv(path: str, tensor: TensorSpec) -> Any:
    """Return a row for each line, in the shape that the input takes; a first line without any number is a header.

    Raises:
        RequestError: ``BAD_INPUT``.
    """
    try:
        lines = [line for line in csv.reader(read_bytes(path).decode("utf-8-sig").splitlines()) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError("BAD_INPUT", f"{path} is not CSV: {error}") from None
    _check_separator(path, lines)
    if lines and not any(_is_number(value) for value in lines[0]):
        lines = lines[1:]
    if not lines:
        raise RequestError(
            "BAD_INPUT", f"{path}: expected a line of numbers for each row, got none", "for example 1,2,3"
        )
    for number, line in enumerate(lines, 1):
        wrong = next((value for value in line if not _is_number(value)), None)
        if wrong is not None:
            raise RequestError("BAD_INPUT", f"{path}: row {number}: expected numbers, got {wrong!r}")
        if len(line) != len(lines[0]):
            raise RequestError("BAD_INPUT", f"{path}: row {number} has {len(line)} values, row 1 {len(lines[0])}")
    rows = np.array(lines, dtype=np.float64)
    shape = tensor.shape[1:] if tensor.has_rows else tensor.shape
    if tensor.is_static and int(np.prod(shape)) == rows.shape[1]:
        rows = rows.reshape(len(rows), *shape)
    return rows.tolist() if tensor.has_rows or len(rows) > 1 else rows[0].tolist()


def _check_separator(path: str, lines: list[list[str]]) -> None:
    """Refuse other separators than the comma: a decimal comma would turn one number into two.

    Raises:
        RequestError: ``BAD_INPUT``.
    """
    for name, separator, quoted in (("semicolons", ";", "';'"), ("tabs", "\t", "'\\t'")):
        if any(separator in value for line in lines[:2] for value in line):
            shown = ",".join(lines[0])[:_SHOWN]
            raise RequestError(
                "BAD_INPUT",
                f"{path}: expected values with commas between them, got {name}: {shown!r}",
                f"if no number has a decimal comma: tr {quoted} , < {path} > commas.csv",
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
