"""Which file is which input, and the rows that they make together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmclient.array import Array
from mmclient.cli.input import array_file, image, sound, text_file
from mmclient.encode import assign, encode_tensor
from mmwire.errors import RequestError
from mmwire.message import Opened
from mmwire.tensor import SignatureSpec, TensorSpec, shape_mismatch

_STDIN = "-"
_CLASSES = "labels"  # the right answers that mmconvert takes beside the inputs: not asked for here


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of one input; ``read`` gives them with their leading dimension.

    Attributes:
        path: Of an image, else empty.
    """

    path: str
    count: int
    read: Callable[[], Array]


@dataclass(frozen=True, slots=True)
class Feed:
    """The rows of a prediction.

    Attributes:
        count: How many; 1 where the signature has no rows.
        labels: What to call each row: the file of an image, else its number.
    """

    count: int
    labels: Sequence[str]
    _blocks: dict[str, list[Block]]

    def rows(self) -> Iterator[dict[str, Array]]:
        """Return each row by input name; an image is read when its turn comes."""
        columns = [_each_row(blocks, self.count) for blocks in self._blocks.values()]
        for values in zip(*columns, strict=True):
            yield dict(zip(self._blocks, values, strict=True))


def read_inputs(given: Sequence[str], opened: Opened, *, as_image: bool = False) -> Feed:
    """Return the feed that the arguments of ``-i`` describe.

    Args:
        given: ``[NAME=]FILE`` each.
        opened: The signature.
        as_image: Whether the user said that an input takes images although it does not look like one.

    Raises:
        RequestError: ``BAD_INPUT``: a file cannot be read; ``BAD_TENSOR``: it does not fit the signature.
        ClientError: ``USAGE``: something is not installed.
    """
    spec = opened.spec
    blocks: dict[str, list[Block]] = {tensor.name: [] for tensor in spec.inputs}
    for name, path in _each_file(given, spec):
        for tensor, block in _read(name, path, opened, as_image):
            blocks[tensor.name].append(block)
    assign(spec, {name: found for name, found in blocks.items() if found})
    counts = {name: sum(block.count for block in found) for name, found in blocks.items()}
    if len(set(counts.values())) > 1:
        got = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise RequestError("BAD_TENSOR", f"expected the same number of rows for every input, got {got}")
    count = next(iter(counts.values()), 1)
    if count > 1 and not spec.has_rows:
        raise RequestError("BAD_TENSOR", f"signature {spec.name!r} takes one row, got {count}")
    first = next(iter(blocks.values()), [])
    return Feed(count, _labels([block.path for block in first], count), blocks)


def _labels(paths: list[str], count: int) -> list[str]:
    """Return what to call the rows: the names of images, with their folders where two have the same name."""
    if not paths or not all(paths):
        return [str(index) for index in range(count)]
    names = [Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else paths


def _each_file(given: Sequence[str], spec: SignatureSpec) -> Iterator[tuple[str, str]]:
    """Yield input names, may be empty, and files; a folder stands for the images in it, in the order of their names."""
    for argument in given:
        name, path = _split(argument, spec)
        if not Path(path).is_dir():
            yield name, path
            continue
        try:
            images = sorted(str(file) for file in Path(path).iterdir() if file.suffix.lower() in image.SUFFIXES)
        except OSError as error:
            raise RequestError("BAD_INPUT", f"{path}: {error.strerror}") from None
        if not images:
            raise RequestError("BAD_INPUT", f"{path} is a folder without images", "give files")
        yield from ((name, file) for file in images)


def _split(argument: str, spec: SignatureSpec) -> tuple[str, str]:
    """Return the input's name, may be empty, and the file of ``[NAME=]FILE``."""
    name, equals, path = argument.partition("=")
    names = [tensor.name for tensor in spec.inputs]
    if equals and name in names:
        return name, path
    if equals and not Path(argument).exists():
        raise RequestError("BAD_TENSOR", f"expected an input of {', '.join(map(repr, names))}, got {name!r}")
    return "", argument


def _read(name: str, path: str, opened: Opened, as_image: bool) -> list[tuple[TensorSpec, Block]]:
    spec = opened.spec
    suffix = Path(path).suffix.lower()
    tensors = {tensor.name: tensor for tensor in spec.inputs if name in ("", tensor.name)}
    if path == _STDIN:
        value: Any = text_file.parse_json(sys.stdin.buffer.read(), "stdin")
    elif suffix in image.SUFFIXES:
        tensor = _only(tensors, path)
        layout = image.layout_of(tensor, opened, is_asked=as_image)
        return [(tensor, Block(path, 1, lambda: image.read(path, layout, tensor, opened)))]
    elif suffix == ".npy":
        value = array_file.read_npy(path)
    elif suffix == ".npz":
        value = array_file.read_npz(path)
    elif suffix == ".json":
        value = text_file.parse_json(text_file.read_bytes(path), path)
    elif suffix == ".csv":
        value = text_file.read_csv(path, _only(tensors, path))
    elif suffix == ".wav":
        value = sound.read(path)
    else:
        raise RequestError(
            "BAD_INPUT", f"{path}: unknown kind of file {suffix!r}", "expected npy, npz, json, csv, wav or an image"
        )
    values = _by_name(value, tensors, path)
    return [(tensors[key], _block(tensors[key], part)) for key, part in values.items()]


def _by_name(value: Any, tensors: dict[str, TensorSpec], path: str) -> dict[str, Any]:
    """Return what a file holds by input name."""
    if not isinstance(value, dict):
        return {_only(tensors, path).name: value}
    if set(value) == {"input"} and "input" not in tensors:
        return _by_name(value["input"], tensors, path)
    if len(value) == 1 and len(tensors) == 1 and isinstance(next(iter(value.values())), np.ndarray):
        return dict(zip(tensors, value.values(), strict=True))
    if _CLASSES in value and _CLASSES not in tensors and len(value) > 1 and isinstance(value[_CLASSES], np.ndarray):
        return _by_name({key: part for key, part in value.items() if key != _CLASSES}, tensors, path)
    unknown = [key for key in value if key not in tensors]
    if unknown:
        expected = ", ".join(map(repr, tensors))
        raise RequestError("BAD_TENSOR", f"{path}: expected the inputs {expected}, got {', '.join(map(repr, value))}")
    return value


def _only(tensors: dict[str, TensorSpec], path: str) -> TensorSpec:
    if len(tensors) != 1:
        names = ", ".join(map(repr, tensors))
        raise RequestError("BAD_TENSOR", f"{path}: one array for the inputs {names}", "say which: -i NAME=FILE")
    return next(iter(tensors.values()))


def _block(tensor: TensorSpec, value: Any) -> Block:
    """Return an input's values as rows, with the leading dimension that a single row may lack."""
    array = encode_tensor(tensor, value)
    if tensor.has_rows and array.ndim == len(tensor.shape) - 1:
        array = array[None]
    if not tensor.accepts(array.shape) or (tensor.has_rows and array.shape[0] == 0):
        raise shape_mismatch(tensor, array.shape)
    return Block("", len(array) if tensor.has_rows else 1, lambda: array)


def _each_row(blocks: list[Block], count: int) -> Iterator[Array]:
    for block in blocks:
        array = block.read()
        if count == 1:
            yield array
        else:
            yield from (array[index : index + 1] for index in range(block.count))
