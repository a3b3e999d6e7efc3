"""Real .tflite files of a few hundred bytes, built without TensorFlow: every op runs in the real runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np

try:
    from ai_edge_litert import schema_py_generated as schema
except ImportError:  # an environment for another runtime: `make test-runtimes` puts this one file of LiteRT's there
    import schema_py_generated as schema

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int32": schema.TensorType.INT32,
    "bool": schema.TensorType.BOOL,
    "string": schema.TensorType.STRING,
    "resource": schema.TensorType.RESOURCE,
    "complex64": schema.TensorType.COMPLEX64,
}


class Builder:
    """Collects the tables of one model with one subgraph."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]
        self.model.metadata = []

    def tensor(
        self,
        name: str,
        dtype: str,
        shape: Sequence[int],
        value: Any = None,
        scale: float = 0.0,
        zero_point: int = 0,
        dynamic_rows: bool = False,
    ) -> int:
        made = schema.TensorT()
        made.name, made.type, made.shape = name.encode(), _TYPES[dtype], list(shape)
        if dynamic_rows:
            made.shapeSignature = [-1, *shape[1:]]
        if scale:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [zero_point]
        if value is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(value, dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            made.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def op(self, builtin: int, inputs: list[int], outputs: list[int], options: Any = None, kind: int = 0) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
        if builtin == schema.BuiltinOperator.CUSTOM:
            code.customCode = b"MissingOp"
        self.model.operatorCodes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = len(self.model.operatorCodes) - 1
        made.inputs, made.outputs = inputs, outputs
        made.builtinOptions, made.builtinOptionsType = options, kind
        self.graph.operators.append(made)

    def add(self, left: int, right: int, out: int) -> None:
        self.op(
            schema.BuiltinOperator.ADD, [left, right], [out], schema.AddOptionsT(), schema.BuiltinOptions.AddOptions
        )

    def metadata(self, name: str, data: bytes) -> None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self.model.buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = name.encode(), len(self.model.buffers) - 1
        self.model.metadata.append(entry)

    def signature(self, name: str, inputs: dict[str, int], outputs: dict[str, int]) -> None:
        made = schema.SignatureDefT()
        made.signatureKey, made.subgraphIndex = name.encode(), 0
        made.inputs, made.outputs = _map(inputs), _map(outputs)
        self.model.signatureDefs = [*(self.model.signatureDefs or []), made]

    def build(self, inputs: list[int], outputs: list[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def _map(names: dict[str, int]) -> list[Any]:
    entries = []
    for name, index in names.items():
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), index
        entries.append(entry)
    return entries


def add_constant(
    value: float,
    width: int = 4,
    padding: int = 0,
    labels: str = "",
    dynamic_rows: bool = True,
    metadata: Mapping[str, bytes] | None = None,
) -> bytes:
    """``y = x + value``, float32 [rows, width]: which version answered shows in every number of the answer."""
    made = Builder()
    x = made.tensor("x", "float32", [1, width], dynamic_rows=dynamic_rows)
    constant = made.tensor("c", "float32", [width], np.full(width, value))
    y = made.tensor("y", "float32", [1, width], dynamic_rows=dynamic_rows)
    made.add(x, constant, y)
    if labels:
        made.metadata("MM_LABELS", labels.encode())
    for name, data in (metadata or {}).items():
        made.metadata(name, data)
    if padding:
        made.metadata("padding", bytes(padding))
    made.signature("serving_default", {"x": x}, {"y": y})
    return made.build([x], [y])


def brighten(value: float) -> bytes:
    """``y = x + value``, float32 [rows, 8, 8, 1]: a grey image."""
    made = Builder()
    x = made.tensor("x", "float32", [1, 8, 8, 1], dynamic_rows=True)
    constant = made.tensor("c", "float32", [1], [value])
    y = made.tensor("y", "float32", [1, 8, 8, 1], dynamic_rows=True)
    made.add(x, constant, y)
    made.signature("serving_default", {"x": x}, {"y": y})
    return made.build([x], [y])


def add_two(names: tuple[str, str] = ("zeta", "alpha")) -> bytes:
    """``sum = zeta + 10 * alpha`` in steps of one op: two inputs whose order in the graph is not alphabetic."""
    made = Builder()
    first = made.tensor(names[0], "float32", [1, 2], dynamic_rows=True)
    second = made.tensor(names[1], "float32", [1, 2], dynamic_rows=True)
    ten = made.tensor("ten", "float32", [2], [10, 10])
    scaled = made.tensor("scaled", "float32", [1, 2], dynamic_rows=True)
    out = made.tensor("sum", "float32", [1, 2], dynamic_rows=True)
    made.op(schema.BuiltinOperator.MUL, [second, ten], [scaled], schema.MulOptionsT(), schema.BuiltinOptions.MulOptions)
    made.add(first, scaled, out)
    made.signature("serving_default", {names[0]: first, names[1]: second}, {"sum": out})
    return made.build([first, second], [out])


def main_colour() -> bytes:
    """``y = softmax(10 * mean colour of x)``, float32 [rows, 8, 8, 3] to [rows, 3]: a classifier of images."""
    made = Builder()
    x = made.tensor("x", "float32", [1, 8, 8, 3], dynamic_rows=True)
    sides = made.tensor("sides", "int32", [2], [1, 2])
    mean = made.tensor("mean", "float32", [1, 3], dynamic_rows=True)
    y = made.tensor("y", "float32", [1, 3], dynamic_rows=True)
    reducer, softmax = schema.ReducerOptionsT(), schema.SoftmaxOptionsT()
    softmax.beta = 10.0
    made.op(schema.BuiltinOperator.MEAN, [x, sides], [mean], reducer, schema.BuiltinOptions.ReducerOptions)
    made.op(schema.BuiltinOperator.SOFTMAX, [mean], [y], softmax, schema.BuiltinOptions.SoftmaxOptions)
    made.signature("serving_default", {"x": x}, {"y": y})
    return made.build([x], [y])


def quantized(scale: float = 0.5, zero_point: int = 10, width: int = 4) -> bytes:
    """``y = x + 0`` in int8 with the given scale and zero point on both sides."""
    made = Builder()
    x = made.tensor("x", "int8", [1, width], scale=scale, zero_point=zero_point, dynamic_rows=True)
    zero = made.tensor("zero", "int8", [1, width], np.full((1, width), zero_point), scale=scale, zero_point=zero_point)
    y = made.tensor("y", "int8", [1, width], scale=scale, zero_point=zero_point, dynamic_rows=True)
    made.add(x, zero, y)
    made.signature("serving_default", {"x": x}, {"y": y})
    return made.build([x], [y])


def counter() -> bytes:
    """``y = state + x`` and ``state = y``: a resource variable, set to 0 once by a subgraph of its own."""
    made = Builder()
    x = made.tensor("x", "float32", [1, 2])
    handle, before = made.tensor("handle", "resource", [1]), made.tensor("before", "float32", [1, 2])
    y = made.tensor("y", "float32", [1, 2])
    once = schema.CallOnceOptionsT()
    once.initSubgraphIndex = 1
    made.op(schema.BuiltinOperator.CALL_ONCE, [], [], once, schema.BuiltinOptions.CallOnceOptions)
    _var_handle(made, handle)
    read = schema.ReadVariableOptionsT()
    made.op(schema.BuiltinOperator.READ_VARIABLE, [handle], [before], read, schema.BuiltinOptions.ReadVariableOptions)
    made.add(before, x, y)
    _assign(made, handle, y)
    made.signature("serving_default", {"x": x}, {"y": y})
    main = made.graph
    main.inputs, main.outputs = [x], [y]
    _next_graph(made)
    handle, zero = made.tensor("handle", "resource", [1]), made.tensor("zero", "float32", [1, 2], [[0, 0]])
    _var_handle(made, handle)
    _assign(made, handle, zero)
    return made.build([], [])


def _var_handle(made: Builder, handle: int) -> None:
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = b"", b"state"
    made.op(schema.BuiltinOperator.VAR_HANDLE, [], [handle], options, schema.BuiltinOptions.VarHandleOptions)


def _assign(made: Builder, handle: int, value: int) -> None:
    options, kind = schema.AssignVariableOptionsT(), schema.BuiltinOptions.AssignVariableOptions
    made.op(schema.BuiltinOperator.ASSIGN_VARIABLE, [handle, value], [], options, kind)


def countdown() -> bytes:
    """``while x > 100: x = x - 1``: takes as long as the input says; for ever from 1e9, where a float stands still."""
    made = Builder()
    x, y = made.tensor("x", "float32", [1]), made.tensor("y", "float32", [1])
    loop = schema.WhileOptionsT()
    loop.condSubgraphIndex, loop.bodySubgraphIndex = 1, 2
    made.op(schema.BuiltinOperator.WHILE, [x], [y], loop, schema.BuiltinOptions.WhileOptions)
    made.signature("serving_default", {"x": x}, {"y": y})
    main = made.graph
    main.inputs, main.outputs = [x], [y]
    _next_graph(made)
    x, goes_on = made.tensor("x", "float32", [1]), made.tensor("goes_on", "bool", [1])
    hundred = made.tensor("hundred", "float32", [1], [100])
    options, kind = schema.GreaterOptionsT(), schema.BuiltinOptions.GreaterOptions
    made.op(schema.BuiltinOperator.GREATER, [x, hundred], [goes_on], options, kind)
    made.graph.inputs, made.graph.outputs = [x], [goes_on]
    _next_graph(made)
    x, y = made.tensor("x", "float32", [1]), made.tensor("y", "float32", [1])
    one = made.tensor("one", "float32", [1], [1])
    made.op(schema.BuiltinOperator.SUB, [x, one], [y], schema.SubOptionsT(), schema.BuiltinOptions.SubOptions)
    return made.build([x], [y])


def _next_graph(made: Builder) -> None:
    made.graph = schema.SubGraphT()
    made.graph.tensors, made.graph.operators = [], []
    made.model.subgraphs.append(made.graph)


def lookup() -> bytes:
    """``y = table[ids]``, float32 [rows, 2]; it has the places 0, 1 and 2."""
    made = Builder()
    ids = made.tensor("ids", "int32", [1], dynamic_rows=True)
    table = made.tensor("table", "float32", [3, 2], [[0, 1], [10, 11], [20, 21]])
    y = made.tensor("y", "float32", [1, 2], dynamic_rows=True)
    kind = schema.BuiltinOptions.GatherOptions
    made.op(schema.BuiltinOperator.GATHER, [table, ids], [y], schema.GatherOptionsT(), kind)
    made.signature("serving_default", {"ids": ids}, {"y": y})
    return made.build([ids], [y])


def custom_op() -> bytes:
    """A model whose only op the runtime does not have."""
    made = Builder()
    x, y = made.tensor("x", "float32", [1, 2]), made.tensor("y", "float32", [1, 2])
    made.op(schema.BuiltinOperator.CUSTOM, [x], [y])
    return made.build([x], [y])


def of_dtype(dtype: str) -> bytes:
    """A model that takes a tensor of a dtype that does not travel."""
    made = Builder()
    x, y = made.tensor("words", dtype, [1, 2]), made.tensor("y", "float32", [1, 2])
    half = made.tensor("half", "float32", [1, 2], [[0.5, 0.5]])
    made.add(half, half, y)
    return made.build([x], [y])


def two_signatures() -> bytes:
    """``plus`` and ``serving_default`` over one graph of ``y = x + 1``."""
    made = Builder()
    x = made.tensor("x", "float32", [1, 2], dynamic_rows=True)
    one = made.tensor("one", "float32", [2], [1, 1])
    y = made.tensor("y", "float32", [1, 2], dynamic_rows=True)
    made.add(x, one, y)
    made.signature("plus", {"a": x}, {"b": y})
    made.signature("serving_default", {"x": x}, {"y": y})
    return made.build([x], [y])
