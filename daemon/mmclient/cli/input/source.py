"""Assigns files to inputs, and makes rows of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmclient.array import Array
from mmclient.cli.input import array_file, image, sound, text_file
from mmclient.cli.input.feed import Block, Feed
from mmclient.encode import assign, encode_tensor
from mmclient.pixels import SUFFIXES as IMAGE_SUFFIXES
from mmwire.errors import RequestError
from mmwire.message import Opened
from mmwire.tensor import SignatureSpec, TensorSpec, shape_mismatch

_STDIN = "-"
_CLASSES = "labels"  # the right answers that mmconvert --eval reads from the same file; a prediction skips them


def read_inputs(given: Sequence[str], opened: Opened, *, as_image: bool, keep_going: bool) -> Feed:
    """Return the feed that the arguments of ``-i`` describe.

    Args:
        given: ``[NAME=]FILE`` each.
        opened: The signature.
        as_image: Whether the user said that an input takes images although it does not look like one.
        keep_going: Whether a file that cannot be read is a row that fails, instead of the end.

    Raises:
        RequestError: ``BAD_INPUT``: a file cannot be read; ``BAD_TENSOR``: it does not fit the signature.
        ClientError: ``USAGE``: something is not installed.
    """
    spec = opened.spec
    blocks: dict[str, list[Block]] = {tensor.name: [] for tensor in spec.inputs}
    for name, path in _each_file(given, spec):
        tensors = {tensor.name: tensor for tensor in spec.inputs if name in ("", tensor.name)}
        try:
            found = _read(path, tensors, opened, as_image)
        except RequestError as error:
            if not keep_going:
                raise
            found = [(tensor, Block(path, 1, partial(_fail, error))) for tensor in tensors.values()]
        for tensor, block in found:
            blocks[tensor.name].append(block)
    assign(spec, {name: found for name, found in blocks.items() if found})
    counts = {name: sum(block.count for block in found) for name, found in blocks.items()}
    if len(set(counts.values())) > 1:
        got = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise RequestError("BAD_TENSOR", f"expected the same number of rows for every input, got {got}")
    feed = Feed(blocks)
    if feed.count > 1 and not spec.has_rows:
        raise RequestError("BAD_TENSOR", f"signature {spec.name!r} takes one row, got {feed.count}")
    return feed


def _fail(error: RequestError) -> Array:
    raise error


def _each_file(given: Sequence[str], spec: SignatureSpec) -> Iterator[tuple[str, str]]:
    """Yield the input's name, which may be empty, and the path of each file; a folder yields its images by name."""
    for argument in given:
        name, path = _split(argument, spec)
        if not path or not Path(path).is_dir():
            yield name, path
            continue
        try:
            images = sorted(str(file) for file in Path(path).iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        except OSError as error:
            raise RequestError("BAD_INPUT", f"{path} cannot be read: {error.strerror}") from None
        if not images:
            raise RequestError("BAD_INPUT", f"{path}: expected a folder of images, got one without", "give files")
        yield from ((name, file) for file in images)


def _split(argument: str, spec: SignatureSpec) -> tuple[str, str]:
    """Return the input's name, which may be empty, and the file of ``[NAME=]FILE``."""
    name, equals, path = argument.partition("=")
    names = [tensor.name for tensor in spec.inputs]
    if equals and name in names:
        return name, path
    if equals and not Path(argument).exists():
        expected = ", ".join(map(repr, names))
        hint = f"-i {names[0]}=FILE names an input" if names else ""
        raise RequestError("BAD_TENSOR", f"the model's inputs are {expected}, got {name!r}", hint)
    return "", argument


def _read(path: str, tensors: dict[str, TensorSpec], opened: Opened, as_image: bool) -> list[tuple[TensorSpec, Block]]:
    suffix = Path(path).suffix.lower()
    if not path:
        raise RequestError("BAD_INPUT", "expected the name of a file, got nothing", "for example -i values.npy")
    if path != _STDIN and not Path(path).exists():
        raise RequestError("BAD_INPUT", f"{path} cannot be read: No such file or directory")
    if path == _STDIN:
        value: Any = text_file.parse_json(_read_stdin(), "stdin")
    elif suffix in IMAGE_SUFFIXES:
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
            "BAD_INPUT",
            f"{path}: expected an npy, npz, json, csv, wav or image file, got {suffix or 'a name without a suffix'}",
            "save raw values with numpy.save('values.npy', array), then: mmctl predict MODEL values.npy",
        )
    values = _by_name(value, tensors, path)
    return [(tensors[key], _block(tensors[key], part)) for key, part in values.items()]


def _read_stdin() -> bytes:
    if sys.stdin.isatty():
        print("mmctl: reading JSON from the terminal; Ctrl-D ends it", file=sys.stderr)
    return sys.stdin.buffer.read()


def _by_name(value: Any, tensors: dict[str, TensorSpec], path: str) -> dict[str, Any]:
    """Return the values of a file by input name."""
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
        raise RequestError(
            "BAD_TENSOR",
            f"{path}: expected values for the inputs {names}, got one array",
            "-i NAME=FILE names the input",
        )
    return next(iter(tensors.values()))


def _block(tensor: TensorSpec, value: Any) -> Block:
    """Return an input's values as rows; add the leading dimension that a single row may lack."""
    array = encode_tensor(tensor, value)
    if tensor.has_rows and array.ndim == len(tensor.shape) - 1:
        array = array[None]
    if not tensor.accepts(array.shape) or (tensor.has_rows and array.shape[0] == 0):
        raise shape_mismatch(tensor, array.shape)
    return Block("", len(array) if tensor.has_rows else 1, lambda: array)
