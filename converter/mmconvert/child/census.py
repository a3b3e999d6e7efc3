"""Counting what is in a ``.tflite``: operations, their types, weights. The file says what it is, not its name.

Source: the TFLite schema, version 3, as ``ai_edge_litert.schema_py_generated`` reads it.
"""

from __future__ import annotations

import math
from typing import Any

from ai_edge_litert import schema_py_generated as schema

_OPS = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPES = {number: name for name, number in vars(schema.TensorType).items() if not name.startswith("_")}
_FLOATS = ("FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16")
_EDGE_OPS = ("QUANTIZE", "DEQUANTIZE", "CAST")  # they bring data in or out of int8 and compute nothing


def take_census(content: bytes) -> dict[str, Any]:
    """Return counts of a model, all its subgraphs together.

    Returns:
        ``ops`` by name; ``float_ops``: those that compute in floating point, by name; ``inputs`` and ``outputs``: the
        types of the main subgraph; ``weights``: elements of constant tensors by type.
    """
    model = schema.Model.GetRootAs(content, 0)
    names = [_op_name(model.OperatorCodes(index)) for index in range(model.OperatorCodesLength())]
    ops: dict[str, int] = {}
    float_ops: dict[str, int] = {}
    weights: dict[str, int] = {}
    counted: set[int] = set()
    for graph in (model.Subgraphs(index) for index in range(model.SubgraphsLength())):
        tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
        for tensor in tensors:
            if model.Buffers(tensor.Buffer()).DataLength() and tensor.Buffer() not in counted:
                counted.add(tensor.Buffer())
                kind = _TYPES[tensor.Type()]
                weights[kind] = weights.get(kind, 0) + math.prod(_shape(tensor))
        for operator in (graph.Operators(index) for index in range(graph.OperatorsLength())):
            name = names[operator.OpcodeIndex()]
            ops[name] = ops.get(name, 0) + 1
            if name not in _EDGE_OPS and _gives_float(operator, tensors):
                float_ops[name] = float_ops.get(name, 0) + 1
    main = model.Subgraphs(0)
    return {
        "ops": ops,
        "float_ops": float_ops,
        "weights": weights,
        "inputs": [_TYPES[main.Tensors(main.Inputs(index)).Type()] for index in range(main.InputsLength())],
        "outputs": [_TYPES[main.Tensors(main.Outputs(index)).Type()] for index in range(main.OutputsLength())],
    }


def _op_name(code: Any) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    custom: bytes = code.CustomCode() or b""
    return custom.decode("utf-8", "replace") or str(_OPS.get(number, f"operation {number}"))


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.Shape(index) for index in range(tensor.ShapeLength()))


def _gives_float(operator: Any, tensors: list[Any]) -> bool:
    outputs = [operator.Outputs(index) for index in range(operator.OutputsLength())]
    return any(_TYPES[tensors[index].Type()] in _FLOATS for index in outputs if index >= 0)
