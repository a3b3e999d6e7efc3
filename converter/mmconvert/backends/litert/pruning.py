"""Magnitude pruning: the smallest weights of 1x1 convolutions become zeros that are not stored.

XNNPACK has sparse kernels for these convolutions. The network must begin with a 3x3 convolution of stride 2 over three
channels and end with a mean, and at least two thirds of the weights must be zero and stored through DENSIFY.

Source: tensorflow/lite/delegates/xnnpack/README.md, "Sparse Inference"; schema.fbs, ``SparsityParameters``.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mmconvert.feed import Array
from mmwire.errors import ConvertError
from mmwire.tflite import IDENTIFIER

_MOST_UINT16 = 1 << 16


def prune(content: bytes, share: float) -> bytes:
    """Return the float model with this share of the weights of each 1x1 convolution left out.

    Weights that are already zero count, so that a model that was trained sparse loses nothing.

    Raises:
        ConvertError: ``OP_UNSUPPORTED``: it has no such convolution.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    code = _add_densify(model)
    pruned: set[int] = set()
    for graph in model.subgraphs:
        densify = []
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.CONV_2D:
                continue
            place = operator.inputs[1]
            weights = graph.tensors[place]
            if not _is_pointwise(model, weights) or weights.buffer in pruned:
                continue
            pruned.add(weights.buffer)
            graph.tensors.append(_make_sparse(model, weights, share))
            densify.append(_densify(code, len(graph.tensors) - 1, place))
        graph.operators = densify + graph.operators
    if not pruned:
        raise ConvertError("OP_UNSUPPORTED", "no 1x1 convolution has weights that could be pruned")
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _is_pointwise(model: Any, weights: Any) -> bool:
    is_whole = weights.type == schema.TensorType.FLOAT32 and model.buffers[weights.buffer].data is not None
    return bool(is_whole and len(weights.shape) == 4 and tuple(weights.shape[1:3]) == (1, 1))


def _add_densify(model: Any) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DENSIFY
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _make_sparse(model: Any, weights: Any, share: float) -> Any:
    """Take the data out of a tensor of weights; return a sparse tensor with the weights that are kept."""
    buffer = model.buffers[weights.buffer]
    values = np.asarray(buffer.data, np.uint8).view(np.float32).reshape(weights.shape[0], weights.shape[3])
    is_kept = np.abs(values) > np.quantile(np.abs(values), share, method="lower")
    sparse = schema.TensorT()
    sparse.name, sparse.type, sparse.shape = weights.name + b"/sparse", weights.type, list(weights.shape)
    sparse.buffer = weights.buffer
    sparse.sparsity = _describe(is_kept)
    buffer.data = np.frombuffer(values[is_kept].tobytes(), np.uint8)
    weights.buffer = 0
    return sparse


def _describe(is_kept: Array) -> Any:
    """Return the description of the stored weights: for each row of the matrix, its column numbers (CSR)."""
    dimensions = []
    for size in (len(is_kept), 1, 1):
        dense = schema.DimensionMetadataT()
        dense.format, dense.denseSize = schema.DimensionType.DENSE, size
        dimensions.append(dense)
    rows = schema.DimensionMetadataT()
    rows.format = schema.DimensionType.SPARSE_CSR
    rows.arraySegmentsType, rows.arraySegments = schema.SparseIndexVector.Int32Vector, schema.Int32VectorT()
    rows.arraySegments.values = [0, *np.cumsum(is_kept.sum(axis=1)).tolist()]
    is_narrow = is_kept.shape[1] <= _MOST_UINT16
    kind = schema.SparseIndexVector.Uint16Vector if is_narrow else schema.SparseIndexVector.Int32Vector
    rows.arrayIndicesType = kind
    rows.arrayIndices = schema.Uint16VectorT() if is_narrow else schema.Int32VectorT()
    rows.arrayIndices.values = np.nonzero(is_kept)[1].tolist()
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder, sparsity.blockMap = [0, 1, 2, 3], []
    sparsity.dimMetadata = [*dimensions, rows]
    return sparsity


def _densify(code: int, source: int, target: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [source], [target]
    operator.builtinOptionsType, operator.builtinOptions = (
        schema.BuiltinOptions.DensifyOptions,
        schema.DensifyOptionsT(),
    )
    return operator
