"""Keeps the values of the variables that a model writes to, and puts them back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from mmdaemon.runtime.tensorflow.effect import GraphEffects
from mmwire.errors import ModelError

_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
# Operations that keep something inside the graph, where nothing can put it back; and operations that write to variables
# of TensorFlow 1 (``VariableV2``), which lie inside the graph too. Such variables that are only read are like
# constants. Source: tensorflow/core/ops/{lookup,data_flow,resource_variable,state,training}_ops.cc.
_KEEPERS = re.compile(
    r"VarHandleOp|Mutable\w*HashTable\w*|\w*QueueV2|Barrier|Stage|MapStage|OrderedMapStage"
    r"|Assign(Add|Sub)?|CountUpTo|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)|StridedSliceAssign|(Sparse)?Apply\w+"
)


class VariableSnapshot:
    """The values of variables at one moment.

    They take no memory until the model writes: then TensorFlow copies a buffer that another tensor still holds.

    Args:
        variables: TensorFlow variables, initialised.
    """

    def __init__(self, variables: Sequence[Any]) -> None:
        self._values = [(variable, variable.read_value()) for variable in variables]

    def __len__(self) -> int:
        return len(self._values)

    def restore(self) -> None:
        """Give every variable its value back."""
        for variable, value in self._values:
            variable.assign(value, read_value=False)


def written_variables(signature: str, graph: Any) -> list[Any]:
    """Return the variables that a run of a signature may write to.

    Args:
        signature: Its name.
        graph: TensorFlow's ``FuncGraph`` of it.

    Raises:
        ModelError: ``MODEL_INVALID``: it writes to something that is not a variable, such as a ``MutableHashTable``,
            and that cannot be put back.
    """
    effects = GraphEffects(graph.as_graph_def())
    handles = {inner.op.name: outer for outer, inner in graph.captures if inner.dtype == tf.resource}
    variables = {id(variable.handle): variable for variable in graph.variables}
    written = [id(handles[name]) for name in sorted(effects.written(handles))]
    if not set(written) <= set(variables):
        raise _kept(signature, "a resource that is not a variable (a hash table, a queue)")
    return [variables[handle] for handle in written]


def require_whole(signature: str, graph: Any) -> None:
    """Check that everything that a signature does is in its graph, and is over when it has run.

    Raises:
        ModelError: ``MODEL_INVALID``: it calls Python code, or keeps something that cannot be put back.
    """
    operations = GraphEffects(graph.as_graph_def()).operations()
    if called := operations & _PYTHON:
        raise ModelError(
            "MODEL_INVALID",
            f"signature {signature!r} calls Python code ({called.pop()}, from tf.py_function or tf.numpy_function),"
            " which is not in the model",
            "write that part with TensorFlow operations, or do it before and after the model",
        )
    if kept := sorted(filter(_KEEPERS.fullmatch, operations)):
        raise _kept(signature, f"a resource inside its graph ({', '.join(kept)})")


def _kept(signature: str, what: str) -> ModelError:
    return ModelError(
        "MODEL_INVALID",
        f"signature {signature!r} writes to {what}; expected only variables, which are put back after every row",
        "keep state in a tf.Variable, or outside of the model",
    )
