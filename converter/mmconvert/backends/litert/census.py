"""Counting what a ``.tflite`` holds: operations, their types, weights.

Source: the TFLite schema, version 3, as ``ai_edge_litert.schema_py_generated`` reads it.
"""

from __future__ import annotations

import math
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from mmconvert.backends.litert.tensor_type import FLOAT_TYPES

_OPS = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPES = {number: name for name, number in vars(schema.TensorType).items() if not name.startswith("_")}
_HEAVY_OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL")
_EDGE_OPS = ("QUANTIZE", "DEQUANTIZE", "CAST")  # they bring data into or out of int8 and compute nothing


def take_census(content: bytes) -> dict[str, Any]:
    """Return counts over all subgraphs of a model.

    Returns:
        ``ops`` by name; ``float_ops``: those that compute in floating point, by name; ``edge_ops``: how many bring data
        into or out of int8; ``int16_ops``: how many of the heavy ones give int16; ``inputs`` and ``outputs``: the
        types of the main subgraph; ``weights``: elements of constant tensors by type.
    """
    model = schema.Model.GetRootAs(content, 0)
    names = [_op_name(model.OperatorCodes(index)) for index in range(model.OperatorCodesLength())]
    ops: dict[str, int] = {}
    float_ops: dict[str, int] = {}
    edge_ops = int16_ops = 0
    weights: dict[str, int] = {}
    counted: set[int] = set()
    for graph in (model.Subgraphs(index) for index in range(model.SubgraphsLength())):
        tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
        for tensor in tensors:
            if _has_data(model.Buffers(tensor.Buffer())) and tensor.Buffer() not in counted:
                counted.add(tensor.Buffer())
                kind = _TYPES[tensor.Type()]
                weights[kind] = weights.get(kind, 0) + math.prod(_shape(tensor))
        for operator in (graph.Operators(index) for index in range(graph.OperatorsLength())):
            name = names[operator.OpcodeIndex()]
            ops[name] = ops.get(name, 0) + 1
            kinds = _kinds_given(operator, tensors)
            if name in _EDGE_OPS:
                edge_ops += 1
            elif any(kind in FLOAT_TYPES for kind in kinds):
                float_ops[name] = float_ops.get(name, 0) + 1
            elif name in _HEAVY_OPS and "INT16" in kinds:
                int16_ops += 1
    main = model.Subgraphs(0)
    return {
        "ops": ops,
        "float_ops": float_ops,
        "edge_ops": edge_ops,
        "int16_ops": int16_ops,
        "weights": weights,
        "inputs": [_TYPES[main.Tensors(main.Inputs(index)).Type()] for index in range(main.InputsLength())],
        "outputs": [_TYPES[main.Tensors(main.Outputs(index)).Type()] for index in range(main.OutputsLength())],
    }


def list_operations(content: bytes) -> list[dict[str, str]]:
    """Return the operations of the main graph in their order: ``op``, ``output`` (its first tensor), ``dtype``."""
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    found = []
    for operator in (graph.Operators(index) for index in range(graph.OperatorsLength())):
        if operator.OutputsLength():
            tensor = graph.Tensors(operator.Outputs(0))
            name = (tensor.Name() or b"").decode("utf-8", "replace")
            op = _op_name(model.OperatorCodes(operator.OpcodeIndex()))
            found.append({"op": op, "output": name, "dtype": _TYPES[tensor.Type()]})
    return found


def _op_name(code: Any) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    custom: bytes = code.CustomCode() or b""
    return custom.decode("utf-8", "replace") or str(_OPS.get(number, f"operation {number}"))


def _has_data(buffer: Any) -> bool:
    """Return whether a buffer holds data, inside the FlatBuffer or behind it."""
    return bool(buffer.DataLength() or buffer.Size())


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.Shape(index) for index in range(tensor.ShapeLength()))


def _kinds_given(operator: Any, tensors: list[Any]) -> list[str]:
    outputs = [operator.Outputs(index) for index in range(operator.OutputsLength())]
    return [_TYPES[tensors[index].Type()] for index in outputs if index >= 0]
