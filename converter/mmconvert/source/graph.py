"""The operations that a signature really runs: a SavedModel also holds every other function that was ever traced.

Source: graph.proto, node_def.proto, attr_value.proto, function.proto of TensorFlow 2.21 (field numbers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mmconvert.source.protobuf import read_fields

_NODES, _LIBRARY, _FUNCTIONS = 1, 2, 1
_FUNCTION_SIGNATURE, _FUNCTION_NODES = 1, 3
_NAME, _OP, _INPUT, _ATTRIBUTE = 1, 2, 3, 5
_VALUE, _LIST, _FUNCTION, _LIST_FUNCTION = 2, 1, 10, 9


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its operation, the nodes that it reads, the functions that it calls."""

    op: str
    inputs: tuple[str, ...]
    calls: tuple[str, ...]


@dataclass(slots=True)
class Graph:
    """The nodes of the main graph by name, and those of every function of the library."""

    nodes: dict[str, Node] = field(default_factory=dict)
    functions: dict[str, list[Node]] = field(default_factory=dict)

    def reach(self, tensors: Iterable[str]) -> Counter[str]:
        """Return how often each operation occurs in the computation of these tensors (``node:0``).

        A function that is called from several places counts once.
        """
        ops: Counter[str] = Counter()
        names, calls = [tensor.partition(":")[0] for tensor in tensors], list[str]()
        seen: set[str] = set()
        while names:
            name = names.pop().removeprefix("^").partition(":")[0]
            if name in seen or name not in self.nodes:
                continue
            seen.add(name)
            ops[self.nodes[name].op] += 1
            names += self.nodes[name].inputs
            calls += self.nodes[name].calls
        called: set[str] = set()
        while calls:
            call = calls.pop()
            if call in called or call not in self.functions:
                continue
            called.add(call)
            for node in self.functions[call]:
                ops[node.op] += 1
                calls += [*node.calls, node.op]  # the operation may be a function itself
        return ops


def read_graph(message: memoryview) -> Graph:
    """Read a ``GraphDef``.

    Raises:
        MalformedError: It is damaged.
    """
    graph = Graph()
    for item in read_fields(message):
        if item.number == _NODES:
            name, node = _read_node(item.content)
            graph.nodes[name] = node
        elif item.number == _LIBRARY:
            for entry in read_fields(item.content):
                if entry.number == _FUNCTIONS:
                    function, nodes = _read_function(entry.content)
                    graph.functions[function] = nodes
    return graph


def _read_function(message: memoryview) -> tuple[str, list[Node]]:
    name, nodes = "", []
    for item in read_fields(message):
        if item.number == _FUNCTION_SIGNATURE:
            name = _text(item.content, _NAME)
        elif item.number == _FUNCTION_NODES:
            nodes.append(_read_node(item.content)[1])
    return name, nodes


def _read_node(message: memoryview) -> tuple[str, Node]:
    name, op = "", ""
    inputs: list[str] = []
    calls: list[str] = []
    for item in read_fields(message):
        if item.number == _NAME:
            name = item.text()
        elif item.number == _OP:
            op = item.text()
        elif item.number == _INPUT:
            inputs.append(item.text())
        elif item.number == _ATTRIBUTE:
            calls += _read_calls(item.content)
    return name, Node(op, tuple(inputs), tuple(calls))


def _read_calls(attribute: memoryview) -> Iterator[str]:
    for value in read_fields(attribute):
        if value.number != _VALUE:
            continue
        for item in read_fields(value.content):
            if item.number == _FUNCTION:
                yield _text(item.content, _NAME)
            elif item.number == _LIST:
                for entry in read_fields(item.content):
                    if entry.number == _LIST_FUNCTION:
                        yield _text(entry.content, _NAME)


def _text(message: memoryview, number: int) -> str:
    return next((item.text() for item in read_fields(message) if item.number == number), "")
