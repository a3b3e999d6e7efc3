"""The graph of one signature, by tensor index: the only code that uses private methods of LiteRT's Python wrapper.

The private methods take a subgraph, the public ones do not. With the public ones every call of a signature that is not
the first costs a resize and an allocation. ``tests/mmdaemon/runtime`` holds this module to the installed version.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdaemon.runtime.payload import unsupported_dtype
from mmwire.tensor import DTYPE_BYTES, Shape, SignatureSpec, TensorSpec

DEFAULT_SIGNATURE = "serving_default"


class Complaints:
    """The texts of the failures of one interpreter. Each exception repeats the texts of all failures before it.

    Seen with LiteRT 2.3: the text grows with every failure, and each next failure takes longer.
    """

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told = ""

    def newest(self, error: Exception) -> str:
        """Return the text of the newest failure alone."""
        text = str(error)
        newest = text.removeprefix(self._told)
        self._told = text
        return newest

    @property
    def size(self) -> int:
        """Characters of all texts so far."""
        return len(self._told)


class Subgraph:
    """The graph of one signature in one interpreter.

    Attributes:
        spec: Its tensors.
        row_layout: For each input dtype, number of values, offset in bytes and shape of one row; empty for a spec that
            is not static.
        row_shapes: The shape of each output for one row.
        complaints: The failures of its interpreter.

    Shape: ``compute`` takes and returns arrays of exactly the allocated shapes and dtypes.
    Thread: one at a time; the GIL is released while it computes, held while it allocates.
    """

    __slots__ = ("_index", "_inputs", "_outputs", "_wrapper", "complaints", "row_layout", "row_shapes", "spec")

    def __init__(
        self,
        wrapper: Any,
        index: int,
        spec: SignatureSpec,
        inputs: list[int],
        outputs: list[int],
        complaints: Complaints,
    ) -> None:
        self._wrapper = wrapper
        self._index = index
        self._inputs = inputs
        self._outputs = outputs
        self.spec = spec
        self.complaints = complaints
        self.row_layout = _layout(spec) if spec.is_static else []
        self.row_shapes = [tensor.with_rows(1) for tensor in spec.outputs]

    def resize(self, shapes: list[Shape]) -> None:
        """Give every input a new shape and allocate."""
        for tensor, shape in zip(self._inputs, shapes, strict=True):
            self._wrapper.ResizeInputTensor(tensor, np.asarray(shape, np.int32), False, self._index)
        self._wrapper.AllocateTensors(self._index)

    def allocate(self) -> None:
        """Allocate the shapes in the file."""
        self._wrapper.AllocateTensors(self._index)

    def compute(self, values: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy the inputs in, invoke, and return copies of the outputs, in the shapes of this run."""
        wrapper, index = self._wrapper, self._index
        for tensor, value in zip(self._inputs, values, strict=True):
            wrapper.SetTensor(tensor, value, index)
        wrapper.Invoke(index)
        return [wrapper.GetTensor(tensor, index) for tensor in self._outputs]


def _layout(spec: SignatureSpec) -> list[tuple[np.dtype[Any], int, int, Shape]]:
    layout: list[tuple[np.dtype[Any], int, int, Shape]] = []
    offset = 0
    for tensor in spec.inputs:
        shape = tensor.with_rows(1)
        layout.append((np.dtype(tensor.dtype), math.prod(shape), offset, shape))
        offset += tensor.row_bytes
    return layout


def subgraphs(interpreter: Any) -> dict[str, Subgraph]:
    """Return the graphs of a loaded model by signature, the default one first.

    Raises:
        ModelError: ``MODEL_INVALID``: a tensor has a dtype that cannot travel.
    """
    wrapper, complaints = interpreter._interpreter, Complaints()
    definitions = interpreter._get_full_signature_list()
    if not definitions:
        inputs = [(detail["name"], detail) for detail in interpreter.get_input_details()]
        outputs = [(detail["name"], detail) for detail in interpreter.get_output_details()]
        return {DEFAULT_SIGNATURE: _subgraph(wrapper, 0, DEFAULT_SIGNATURE, inputs, outputs, complaints)}
    found: dict[str, Subgraph] = {}
    for key in sorted(definitions, key=lambda name: (name != DEFAULT_SIGNATURE, name)):
        runner = interpreter.get_signature_runner(key)
        index = wrapper.GetSubgraphIndexFromSignature(key)
        found[key] = _subgraph(
            wrapper,
            index,
            key,
            _in_order(runner.get_input_details()),
            _in_order(runner.get_output_details()),
            complaints,
        )
    return found


def _in_order(details: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(details.items(), key=lambda item: (item[1]["index"], item[0]))


def _subgraph(
    wrapper: Any,
    index: int,
    name: str,
    inputs: list[tuple[str, dict[str, Any]]],
    outputs: list[tuple[str, dict[str, Any]]],
    complaints: Complaints,
) -> Subgraph:
    takes_rows = bool(inputs) and all(_leads_with_rows(detail) for _, detail in inputs)
    spec = SignatureSpec(
        name,
        tuple(_spec("input", tensor, detail, takes_rows) for tensor, detail in inputs),
        tuple(_spec("output", tensor, detail, takes_rows) for tensor, detail in outputs),
    )
    takes, gives = ([detail["index"] for _, detail in side] for side in (inputs, outputs))
    return Subgraph(wrapper, index, spec, takes, gives, complaints)


def _leads_with_rows(detail: dict[str, Any]) -> bool:
    shape = _signature_shape(detail)
    return bool(shape) and shape[0] in (-1, 1)


def _signature_shape(detail: dict[str, Any]) -> Shape:
    """Return the declared shape, or the present shape where the file declares none."""
    declared = tuple(int(dim) for dim in detail["shape_signature"])
    return declared or tuple(int(dim) for dim in detail["shape"])


def _spec(kind: str, name: str, detail: dict[str, Any], takes_rows: bool) -> TensorSpec:
    dtype = np.dtype(detail["dtype"]).name
    if dtype not in DTYPE_BYTES:
        shown = "string" if np.dtype(detail["dtype"]).kind in "SUO" else dtype
        raise unsupported_dtype(f"{kind} {name!r}", shown)
    shape = _signature_shape(detail)
    if takes_rows and shape and shape[0] in (-1, 1):
        shape = (-1, *shape[1:])
    scale, zero_point = detail["quantization"]
    return TensorSpec(name, dtype, shape, float(scale), int(zero_point))
