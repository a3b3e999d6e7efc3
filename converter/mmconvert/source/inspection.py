"""The content of ``saved_model.pb``, read without TensorFlow.

Source: saved_model.proto, meta_graph.proto, graph.proto, saved_object_graph.proto of TensorFlow 2.21 (field numbers).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mmconvert.source.graph import Graph, read_graph
from mmconvert.source.protobuf import Field, MalformedError, read_fields
from mmconvert.source.signature import UNKNOWN, Signature, Tensor, dtype_name
from mmwire.errors import ConvertError

SERVE_TAG = "serve"
_PYTHON_OPS = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
# Field numbers by message, as far as they are read here.
META_GRAPHS = 2
META_INFO, GRAPH, SIGNATURES, OBJECT_GRAPH = 1, 2, 5, 7
TAGS, TENSORFLOW_VERSION = 4, 5
OBJECT_NODES, SLOT_VARIABLES = 1, 3
_INPUTS, _OUTPUTS = 1, 2


@dataclass(frozen=True, slots=True)
class Inspection:
    """The content of a SavedModel.

    Attributes:
        signatures: By name, without those that TensorFlow keeps for itself (``__...``).
        tags: The tags of the graph that is converted, as TensorFlow's loader takes them.
        producer: The TensorFlow version that wrote it, empty if not recorded.
        slot_variables: The number of optimizer slots in the object graph.
        ops: By signature, how often each operation occurs in its computation.
    """

    signatures: dict[str, Signature]
    tags: tuple[str, ...]
    producer: str
    slot_variables: int
    ops: dict[str, Counter[str]]


def inspect(model: bytes) -> Inspection:
    """Read a ``saved_model.pb``.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: the bytes are not a SavedModel, or are cut short.
    """
    try:
        graphs = [_read_graph(field.content) for field in read_fields(memoryview(model)) if field.number == META_GRAPHS]
    except MalformedError as error:
        raise ConvertError(
            "SAVED_MODEL_INVALID", f"saved_model.pb is damaged or cut short: {error}", "export the model again"
        ) from None
    if not graphs:
        raise ConvertError("SAVED_MODEL_INVALID", "saved_model.pb holds no graph", "export the model again")
    serving = [graph for graph in graphs if SERVE_TAG in graph.tags]
    return (serving or graphs)[0]


def require_portable(inspection: Inspection, signature: Signature) -> None:
    """Check that the graph holds the whole computation of the signature.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: it calls Python code of the process that saved it.
    """
    found = [op for op in _PYTHON_OPS if inspection.ops[signature.name].get(op)]
    if found:
        raise ConvertError(
            "SAVED_MODEL_INVALID",
            f"the model calls Python code ({found[0]}, from tf.py_function or tf.numpy_function), which is not in it",
            "write that part with TensorFlow operations, or do it before and after the model",
        )


def _read_graph(message: memoryview) -> Inspection:
    signatures: dict[str, Signature] = {}
    tags: tuple[str, ...] = ()
    producer = ""
    slots = 0
    graph = Graph()
    results: dict[str, list[str]] = {}
    for field in read_fields(message):
        if field.number == META_INFO:
            info = list(read_fields(field.content))
            tags = tuple(item.text() for item in info if item.number == TAGS)
            producer = next((item.text() for item in info if item.number == TENSORFLOW_VERSION), "")
        elif field.number == GRAPH:
            graph = read_graph(field.content)
        elif field.number == SIGNATURES:
            name, content = _read_entry(field)
            if not name.startswith("__"):
                signatures[name], results[name] = _read_signature(name, content)
        elif field.number == OBJECT_GRAPH:
            slots += sum(
                item.number == SLOT_VARIABLES
                for node in read_fields(field.content)
                if node.number == OBJECT_NODES
                for item in read_fields(node.content)
            )
    ops = {name: graph.reach(tensors) for name, tensors in results.items()}
    return Inspection(signatures, tags, producer, slots, ops)


def _read_entry(field: Field) -> tuple[str, memoryview]:
    """Return key and value of one entry of a map."""
    key, value = "", field.content[:0]
    for item in read_fields(field.content):
        if item.number == 1:
            key = item.text()
        elif item.number == 2:
            value = item.content
    return key, value


def _read_signature(name: str, message: memoryview) -> tuple[Signature, list[str]]:
    """Return the signature, and the names of the graph's tensors that are its outputs."""
    sides: dict[int, list[Tensor]] = {_INPUTS: [], _OUTPUTS: []}
    results: list[str] = []
    for field in read_fields(message):
        if field.number in sides:
            label, content = _read_entry(field)
            sides[field.number].append(_read_tensor(label, content))
            if field.number == _OUTPUTS:
                results += [item.text() for item in read_fields(content) if item.number == 1]
    inputs, outputs = (tuple(sorted(side, key=lambda tensor: tensor.name)) for side in sides.values())
    return Signature(name, inputs, outputs), results


def _read_tensor(name: str, message: memoryview) -> Tensor:
    dtype, shape = 0, None
    for field in read_fields(message):
        if field.number == 2:
            dtype = field.integer
        elif field.number == 3:
            shape = _read_shape(field.content)
    return Tensor(name, dtype_name(dtype), shape)


def _read_shape(message: memoryview) -> tuple[int, ...] | None:
    sizes: list[int] = []
    for field in read_fields(message):
        if field.number == 3 and field.integer:
            return None
        if field.number == 2:
            size = next((item.signed() for item in read_fields(field.content) if item.number == 1), 0)
            sizes.append(UNKNOWN if size < 0 else size)
    return tuple(sizes)
