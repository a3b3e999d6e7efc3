"""What a graph writes to, on graphs small enough to see it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mmdaemon.runtime.tensorflow.effect import GraphEffects


def node(op: str, *inputs: str, name: str = "", calls: tuple[str, ...] = ()) -> Any:
    """A node with the fields that are read; every function that it calls is an attribute."""
    attributes = {
        str(place): SimpleNamespace(func=SimpleNamespace(name=called), list=SimpleNamespace(func=()))
        for place, called in enumerate(calls)
    }
    return SimpleNamespace(op=op, name=name or op, input=inputs, attr=attributes)


def function(name: str, arguments: str, *nodes: Any) -> Any:
    signature = SimpleNamespace(name=name, input_arg=[SimpleNamespace(name=one) for one in arguments.split()])
    return SimpleNamespace(signature=signature, node_def=nodes)


def graph(*nodes: Any, functions: tuple[Any, ...] = ()) -> Any:
    return SimpleNamespace(node=nodes, library=SimpleNamespace(function=functions))


ADD = function("add", "handle", node("AssignAddVariableOp", "handle", "one:output:0"))
READ = function("read", "handle", node("ReadVariableOp", "handle"))


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (graph(node("ReadVariableOp", "a"), node("ResourceGather", "b", "indices")), set()),
        (graph(node("AssignVariableOp", "a", "b_value"), node("ReadVariableOp", "b")), {"a"}),
        (graph(node("SomethingNew", "x", "b")), {"b"}),
        (graph(node("NoOp", "^a")), set()),
        (graph(node("Identity", "a", name="i"), node("AssignVariableOp", "i:0", "x")), {"a"}),
        (graph(node("PartitionedCall", "a", calls=("add",)), functions=(ADD,)), {"a"}),
        (graph(node("PartitionedCall", "a", calls=("read",)), functions=(READ,)), set()),
        (graph(node("add", "b"), functions=(ADD,)), {"b"}),
        (graph(node("If", "a", "b", calls=("read", "add")), functions=(READ, ADD)), {"b"}),
        (graph(node("Custom", "a", calls=("read",)), functions=(READ,)), {"a"}),
    ],
    ids=[
        "reading",
        "assigning",
        "an unknown operation counts as writing",
        "a control dependency is no use",
        "through an identity",
        "in a function",
        "reading in a function",
        "an operation that is a function",
        "in one branch, behind the condition",
        "an unknown call hands on who knows what",
    ],
)
def test_a_written_resource_is_found(found: Any, written: set[str]) -> None:
    assert GraphEffects(found).written(["a", "b"]) == written


def test_the_written_argument_is_found_through_loops_and_nested_calls() -> None:
    body = function("body", "i kept changed", node("StatefulPartitionedCall", "changed", calls=("add",)))
    condition = function("condition", "i kept changed", node("ReadVariableOp", "kept"))
    loop = node("While", "i", "a", "b", name="loop", calls=("condition", "body"))
    assert GraphEffects(graph(loop, functions=(body, condition, ADD))).written(["a", "b"]) == {"b"}


def test_a_resource_stays_the_same_through_a_loop() -> None:
    body = function("body", "i handle", node("ReadVariableOp", "handle"))
    loop = node("While", "i", "a", name="loop", calls=("body",))
    after = node("AssignVariableOp", "loop:output:1", "x")
    assert GraphEffects(graph(loop, after, functions=(body,))).written(["a"]) == {"a"}


def test_a_function_that_calls_itself_ends() -> None:
    again = function("again", "handle", node("PartitionedCall", "handle", calls=("again",)))
    found = GraphEffects(graph(node("PartitionedCall", "a", calls=("again",)), functions=(again,)))
    assert found.written(["a"]) == set()
    assert found.operations() == {"PartitionedCall"}


def test_only_operations_that_can_run_are_listed() -> None:
    found = graph(node("PartitionedCall", "a", calls=("read",)), functions=(READ, ADD))
    assert GraphEffects(found).operations() == {"PartitionedCall", "ReadVariableOp"}
