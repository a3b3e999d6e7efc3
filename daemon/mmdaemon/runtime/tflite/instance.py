"""One interpreter as an instance: runs rows in batches where that gains, else one by one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdaemon.runtime.interface import Outputs, Traits
from mmdaemon.runtime.payload import Arrays, join_rows, shaped_inputs, unexpected_shapes, whole_inputs
from mmdaemon.runtime.tflite.subgraph import Subgraph, subgraphs
from mmwire.errors import InferenceError
from mmwire.tensor import Shape, SignatureSpec
from mmwire.tflite import ModelState

# Characters of failure texts that an interpreter may collect before a fresh one replaces it.
_MOST_COMPLAINTS = 16 * 1024
# Builds an interpreter for the model, with its tensors not allocated yet.
Build = Callable[[], Any]


class InterpreterInstance:
    """A model in an interpreter of the TFLite family.

    It has one interpreter for single rows, and one more for batches of each signature, from the first request with that
    many rows on. Before every row the model is as it was after loading: variable tensors are reset in place, and a
    model with resource variables gets a fresh interpreter after each invocation, because nothing else resets those.

    Attributes:
        signatures: See ``Instance``.
        batch: Rows that one invocation may run together; 1 = rows run one by one.

    Thread: one at a time.
    """

    def __init__(self, build: Build, traits: Traits) -> None:
        self._build = build
        self._state = traits.state
        self.batch = traits.batch
        self._graphs: dict[str, Subgraph] = {}
        self._batched: dict[tuple[str, int], Subgraph] = {}  # by signature and rows
        self._resized: dict[str, tuple[Shape, ...]] = {}
        self._interpreters: list[Any] = []
        self._start()
        self.signatures: Mapping[str, SignatureSpec] = {name: graph.spec for name, graph in self._graphs.items()}

    @property
    def pid(self) -> int:
        """This process."""
        return os.getpid()

    def run(
        self,
        signature: str,
        payload: bytes | memoryview,
        rows: int,
        shapes: Sequence[Shape] | None,
        go_on: Callable[[], None],
    ) -> Outputs:
        """Compute; see ``Instance.run``."""
        graph = self._graphs[signature]
        if shapes is not None:
            return self._run_shaped(graph, payload, tuple(shapes))
        if rows == 1:
            row = [
                np.frombuffer(payload, dtype, count, offset).reshape(shape)
                for dtype, count, offset, shape in graph.row_layout
            ]
            outputs = self._invoke(graph, row)
            return Outputs(outputs, unexpected_shapes(outputs, graph.row_shapes))
        outputs = self._run_rows(graph, payload, rows, go_on)
        return Outputs(outputs, unexpected_shapes(outputs, [spec.with_rows(rows) for spec in graph.spec.outputs]))

    def interrupt(self) -> bool:
        """Return False: nothing ends a computation in this process."""
        return False

    def close(self) -> None:
        """Drop the interpreters; their memory is freed with the last reference."""
        self._graphs.clear()
        self._batched.clear()
        self._interpreters.clear()

    def _start(self) -> None:
        """Replace the interpreters by a fresh one."""
        interpreter = self._build()
        graphs = subgraphs(interpreter)
        for graph in graphs.values():
            graph.allocate()
        self._graphs = graphs
        self._batched.clear()
        self._resized.clear()
        self._interpreters = [interpreter]

    def _run_rows(self, graph: Subgraph, payload: bytes | memoryview, rows: int, go_on: Callable[[], None]) -> Arrays:
        """Run full batches, then the rest row by row."""
        name, batch = graph.spec.name, self.batch
        whole = whole_inputs(graph.spec, payload, rows)
        parts: list[Arrays] = []
        first = 0
        while first < rows:
            go_on()
            count = batch if rows - first >= batch else 1
            target = self._graphs[name] if count == 1 else self._batched_graph(name, batch)
            parts.append(self._invoke(target, [value[first : first + count] for value in whole]))
            first += count
        return join_rows(parts)

    def _batched_graph(self, signature: str, rows: int) -> Subgraph:
        graph = self._batched.get((signature, rows))
        if graph is None:
            interpreter = self._build()
            graph = subgraphs(interpreter)[signature]
            graph.resize([spec.with_rows(rows) for spec in graph.spec.inputs])
            self._interpreters.append(interpreter)
            self._batched[signature, rows] = graph
        return graph

    def _run_shaped(self, graph: Subgraph, payload: bytes | memoryview, shapes: tuple[Shape, ...]) -> Outputs:
        """Run in the shapes of the request, which stay allocated for the next request with the same shapes."""
        values = shaped_inputs(graph.spec, payload, shapes)
        known = self._resized.pop(graph.spec.name, None)
        if known != shapes:
            try:
                graph.resize(list(shapes))
            except (RuntimeError, ValueError) as error:
                raise self._failure(graph, error) from None
        self._resized[graph.spec.name] = shapes  # before the run: a fresh interpreter after it forgets them
        try:
            outputs = self._invoke(graph, values)
        except InferenceError:
            self._resized.pop(graph.spec.name, None)
            raise
        return Outputs(outputs, tuple(output.shape for output in outputs))

    def _invoke(self, graph: Subgraph, values: Sequence[NDArray[Any]]) -> Arrays:
        try:
            try:
                return graph.compute(values)
            finally:  # a run that failed may have changed the state before it failed
                self._forget()
        except (RuntimeError, ValueError) as error:
            raise self._failure(graph, error) from None

    def _failure(self, graph: Subgraph, error: Exception) -> InferenceError:
        """Map an exception of the runtime, whose text may have several lines."""
        text = " ".join(graph.complaints.newest(error).split())
        if graph.complaints.size > _MOST_COMPLAINTS:
            with contextlib.suppress(RuntimeError, ValueError):  # without memory for it the old one goes on
                self._start()
        return InferenceError("INFERENCE_FAILED", f"the runtime refused to compute: {text[:300]}")

    def _forget(self) -> None:
        """Reset the state of the model."""
        if self._state is ModelState.RESOURCES:
            self._start()
        elif self._state is ModelState.VARIABLES:
            for interpreter in self._interpreters:
                interpreter.reset_all_variables()
