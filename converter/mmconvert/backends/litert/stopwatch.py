"""How long one run of a model takes, and into how many pieces the delegate cuts the graph."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

_SLICE_S = 0.002  # of one model in one round: long for the clock, short for the burst of another process
_DROP_AFTER = 4
_HOPELESS = 4.0  # times as slow as the fastest: such a model is not timed further


def measure_latency(models: Mapping[str, Path], rounds: int, rows: int) -> dict[str, Any]:
    """Run models in turns; return the milliseconds of one run in each round, by model.

    In turns, another busy process slows all of them alike. A model that is hopelessly slow stops early; its list is
    then shorter.
    """
    runners = {name: prepare(path, rows) for name, path in models.items()}
    found: dict[str, list[float]] = {name: [] for name in runners}
    repeats = {name: _repeats(runner) for name, runner in runners.items()}
    for number in range(rounds):
        names = list(runners)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            began = time.perf_counter()
            for _ in range(repeats[name]):
                runners[name].invoke()
            found[name].append((time.perf_counter() - began) / repeats[name] * 1e3)
        if number + 1 == _DROP_AFTER:
            best = min(min(times) for times in found.values())
            runners = {name: runner for name, runner in runners.items() if min(found[name]) < _HOPELESS * best}
    return {name: [round(ms, 6) for ms in times] for name, times in found.items()}


def prepare(model: Path, rows: int) -> Interpreter:
    """Return a warmed-up interpreter with zeros for its inputs, for this many rows at once."""
    runner = Interpreter(model_path=str(model), num_threads=1)
    if rows > 1:
        for details in runner.get_input_details():
            shape = [rows, *details["shape"][1:]]
            runner.resize_tensor_input(details["index"], shape)
    runner.allocate_tensors()
    for details in runner.get_input_details():
        runner.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    for _ in range(3):
        runner.invoke()
    return runner


def _repeats(runner: Interpreter) -> int:
    began = time.perf_counter()
    runner.invoke()
    return int(min(200, max(1, _SLICE_S / max(time.perf_counter() - began, 1e-7))))


def count_partitions(model: Path) -> int:
    """Return the number of pieces that the default delegate runs."""
    runner = Interpreter(model_path=str(model), num_threads=1)
    runner.allocate_tensors()
    return sum(operation["op_name"] == "DELEGATE" for operation in runner._get_ops_details())
