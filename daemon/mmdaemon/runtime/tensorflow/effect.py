"""The effects of a TensorFlow graph besides its outputs: the resources that it writes to, and its operations.

Both are read from the ``GraphDef`` and from the functions that it calls, at any depth: branches, loops, nested calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Operations that take the handle of a resource and only read it. Any other operation counts as writing.
_READERS = {
    "ReadVariableOp",
    "ResourceGather",
    "ResourceGatherNd",
    "VarIsInitializedOp",
    "VariableShape",
    "LookupTableExportV2",
    "LookupTableFindV2",
    "LookupTableSizeV2",
}
# Operations that pass their inputs on to functions, with the number of inputs before those.
_CALLS = {
    "PartitionedCall": 0,
    "StatefulPartitionedCall": 0,
    "While": 0,
    "StatelessWhile": 0,
    "If": 1,
    "StatelessIf": 1,
    "Case": 1,
    "StatelessCase": 1,
}
# Operations whose output N is their input N.
_PASSES = {"Identity", "IdentityN", "While", "StatelessWhile"}


class GraphEffects:
    """The effects of a graph, including the functions that it calls.

    Args:
        graph: A ``GraphDef``.
    """

    def __init__(self, graph: Any) -> None:
        self._functions = {
            function.signature.name: ([argument.name for argument in function.signature.input_arg], function.node_def)
            for function in graph.library.function
        }
        self._nodes = graph.node
        self._writes: dict[str, set[str]] = {}

    def operations(self) -> set[str]:
        """Return the operations that a run may reach."""
        found: set[str] = set()
        seen: set[str] = set()
        left = [self._nodes]
        while left:
            for node in left.pop():
                found.add(node.op)
                names = set(self._called(node)) - seen
                seen |= names
                left += [self._functions[name][1] for name in names]
        return found

    def written(self, handles: Iterable[str]) -> set[str]:
        """Return the resources that a run may change.

        Args:
            handles: Names of the placeholders that stand for resources.
        """
        return self._written_in(self._nodes, set(handles))

    def _written_in(self, nodes: Any, handles: set[str]) -> set[str]:
        by_name = {node.name: node for node in nodes}
        found: set[str] = set()
        for node in nodes:
            if node.op in _READERS or node.op in _PASSES - _CALLS.keys():
                continue
            for index, value in enumerate(node.input):
                source = _source(value, by_name)
                if source in handles and self._writes_to(node, index):
                    found.add(source)
        return found

    def _writes_to(self, node: Any, index: int) -> bool:
        if node.op not in _CALLS and node.op not in self._functions:
            return True
        own = _CALLS.get(node.op, 0)
        return index >= own and any(self._function_writes_to(name, index - own) for name in self._called(node))

    def _function_writes_to(self, name: str, index: int) -> bool:
        arguments, nodes = self._functions[name]
        if name not in self._writes:
            self._writes[name] = set()  # until the answer is there: a function may call itself
            self._writes[name] = self._written_in(nodes, set(arguments))
        return arguments[index] in self._writes[name]

    def _called(self, node: Any) -> Iterator[str]:
        if node.op in self._functions:
            yield node.op
        for value in node.attr.values():
            for function in (value.func, *value.list.func):
                if function.name in self._functions:
                    yield function.name


def _source(value: str, nodes: Mapping[str, Any]) -> str:
    """Return the name of the node that a value comes from, through operations that only pass it on."""
    while True:
        name, _, rest = value.partition(":")
        node = nodes.get(name)
        if node is None or node.op not in _PASSES:
            return name
        value = node.input[int(rest.rpartition(":")[2] or 0)]
