"""JSON and CSV: numbers without a dtype, read as real values."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from mmwire.errors import RequestError
from mmwire.tensor import TensorSpec


def read_bytes(path: str) -> bytes:
    """Return what a file holds.

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
        RequestError: ``BAD_INPUT``: no JSON, or neither a list nor an object.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RequestError("BAD_INPUT", f"{source} is not JSON: {error}") from None
    if isinstance(value, list) or (isinstance(value, dict) and value):
        return value
    raise RequestError(
        "BAD_INPUT",
        f"{source}: expected a list of numbers or an object of them, got {type(value).__name__}",
        'for example [1, 2, 3] or {"input": [1, 2, 3]}',
    )


def read_csv(path: str, tensor: TensorSpec) -> Any:
    """Return a row for each line, in the shape that the input takes; a first line without any number is a header.

    Raises:
        RequestError: ``BAD_INPUT``.
    """
    try:
        lines = [line for line in csv.reader(read_bytes(path).decode("utf-8-sig").splitlines()) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError("BAD_INPUT", f"{path} is not CSV: {error}") from None
    if lines and not any(_is_number(value) for value in lines[0]):
        lines = lines[1:]
    if not lines:
        raise RequestError("BAD_INPUT", f"{path} holds no row of numbers")
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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
