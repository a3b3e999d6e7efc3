"""Prints the answers of ``mmctl predict``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import click
import numpy as np

from mmclient.answer import Answer
from mmclient.array import Array
from mmclient.cli.input.feed import Feed
from mmclient.cli.output.classification import Classes
from mmclient.cli.output.table import cell
from mmwire.errors import MmError
from mmwire.message import Opened
from mmwire.tensor import TensorSpec

_MAX_LABEL = 40
_SHORT = 8  # values of a tensor in one line


class Report(Protocol):
    """Takes the outcomes of the rows one after the other."""

    def add(self, feed: Feed, index: int, outcome: Answer | MmError) -> None:
        """Take the answer to a row, or the error that the row caused."""

    def finish(self, total_us: int, output: Path | None) -> None:
        """Print what follows the last row."""


class JsonReport:
    """Prints one document.

    Args:
        opened: The signature.
        classes: The best of them are listed as ``top``; None for a model that is not a classifier.
    """

    def __init__(self, opened: Opened, classes: Classes | None) -> None:
        self._opened = opened
        self._classes = classes
        self._version = opened.version
        self._queue_us = self._run_us = 0
        self._outcomes: list[dict[str, Array] | MmError] = []
        self._top: list[dict[str, Any]] = []

    def add(self, feed: Feed, index: int, outcome: Answer | MmError) -> None:
        """Take the answer to a row, or the error that the row caused."""
        if isinstance(outcome, MmError):
            self._outcomes.append(outcome)
            return
        self._outcomes.append(outcome.outputs)
        self._version = outcome.version
        self._queue_us += outcome.queue_us
        self._run_us += outcome.run_us
        if self._classes is not None:
            for scores in self._classes.scores(outcome):
                top = self._classes.top(scores)
                self._top += [{"row": index, **entry} for entry in top] if feed.count > 1 else top

    def finish(self, total_us: int, output: Path | None) -> None:
        """Print the document."""
        outputs = [_output(tensor, self._outcomes) for tensor in self._opened.spec.outputs]
        if self._classes is not None:
            outputs[0]["top"] = self._top
        timing = {"queue": self._queue_us, "run": self._run_us, "total": total_us}
        document = {"model": self._opened.model, "version": self._version, "outputs": outputs, "timing_us": timing}
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def _output(tensor: TensorSpec, outcomes: list[dict[str, Array] | MmError]) -> dict[str, Any]:
    """Return an output with the rows of all answers; an error stands in the place of a row that failed."""
    arrays = [outcome[tensor.name] for outcome in outcomes if not isinstance(outcome, MmError)]
    if len(arrays) == len(outcomes):
        array = arrays[0] if len(arrays) == 1 else np.concatenate([np.atleast_1d(part) for part in arrays])
        return {"name": tensor.name, "dtype": array.dtype.name, "shape": list(array.shape), "data": nested(array)}
    data: list[Any] = []
    for outcome in outcomes:
        if isinstance(outcome, MmError):
            data.append({"error": outcome.as_dict()})
        else:
            data += nested(np.atleast_1d(outcome[tensor.name]))
    dtype, tail = (arrays[0].dtype.name, arrays[0].shape[1:]) if arrays else (tensor.dtype, ())
    return {"name": tensor.name, "dtype": dtype, "shape": [len(data), *tail], "data": data}


def nested(array: Array) -> Any:
    """Return an array as nested lists, with None for NaN and infinities, which JSON lacks."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return array.tolist()
    values = array.astype(object)
    values[~np.isfinite(array)] = None
    return values.tolist()


class TextReport:
    """Prints lines for a person; where there are many rows, one line for each as it comes.

    Args:
        classes: The best of them are printed; None for a model that is not a classifier.
        is_quiet: Whether the answers are not printed, because they go to a file.
    """

    def __init__(self, classes: Classes | None, *, is_quiet: bool) -> None:
        self._classes = classes
        self._is_quiet = is_quiet
        self._answered = 0
        self._failed = 0

    def add(self, feed: Feed, index: int, outcome: Answer | MmError) -> None:
        """Print the answer to a row, and count an error, which the caller prints."""
        if isinstance(outcome, MmError):
            self._failed += 1
            return
        self._answered += 1
        if self._is_quiet:
            return
        label = cell(feed.labels[index])
        width = max(map(len, feed.labels)) if index < len(feed.labels) else 0
        if self._classes is not None:
            for scores in self._classes.scores(outcome):
                self._print_top(label, width, scores)
        elif feed.count > 1:
            shown = "  ".join(f"{cell(name)} {_line(array)}" for name, array in outcome.outputs.items())
            click.echo(f"{label.ljust(width)}  {shown}")
        else:
            for name, array in outcome.outputs.items():
                shape = ",".join(map(str, array.shape))
                click.echo(f"{cell(name)} {array.dtype.name}[{shape}]\n{np.array2string(array, threshold=200)}")

    def _print_top(self, label: str, width: int, scores: Array) -> None:
        assert self._classes is not None
        as_percent = self._classes.are_probabilities(scores)
        top = self._classes.top(scores)
        names = [cell(entry["label"])[:_MAX_LABEL] if entry["label"] else "" for entry in top]
        name_width = min(_MAX_LABEL, max(map(len, self._classes.labels), default=0))
        for position, (entry, name) in enumerate(zip(top, names, strict=True)):
            score = "nan" if entry["score"] is None else f"{entry['score']:.4g}"
            if as_percent:
                score = f"{100 * entry['score']:.1f} %"
            first = label if position == 0 else ""
            shown = f"{first.ljust(width)}  {entry['index']:>5}  {name.ljust(name_width)}  {score:>10}"
            click.echo(shown.rstrip())

    def finish(self, total_us: int, output: Path | None) -> None:
        """Say where the rows were written, and how many failed."""
        if output is not None and self._answered:
            click.echo(f"{_rows(self._answered)} written to {output}")
        if self._failed:
            click.echo(f"mmctl: {self._failed} of {_rows(self._answered + self._failed)} failed", err=True)


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _line(array: Array) -> str:
    return np.array2string(array, threshold=_SHORT, edgeitems=3, max_line_width=10**6).replace("\n", "")
