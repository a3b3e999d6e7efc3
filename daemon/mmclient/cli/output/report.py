"""What ``mmctl predict`` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import click
import numpy as np

from mmclient.answer import Answer
from mmclient.array import Array
from mmclient.cli.input.source import Feed
from mmclient.cli.output.classification import Classes
from mmclient.cli.table import cell

_MAX_LABEL = 40
_SHORT = 8  # values of a tensor in one line


class Report(Protocol):
    """Takes answers one after the other."""

    def add(self, feed: Feed, index: int, answer: Answer) -> None:
        """Take the answer to a row."""

    def finish(self, total_us: int, output: Path | None) -> None:
        """Print what is left to say."""


class JsonReport:
    """One document."""

    def __init__(self, model: str, classes: Classes | None) -> None:
        self._model = model
        self._classes = classes
        self._version = 0
        self._queue_us = self._run_us = 0
        self._arrays: dict[str, list[Array]] = {}
        self._top: list[dict[str, Any]] = []

    def add(self, feed: Feed, index: int, answer: Answer) -> None:
        """Take the answer to a row."""
        self._version = answer.version
        self._queue_us += answer.queue_us
        self._run_us += answer.run_us
        for name, array in answer.outputs.items():
            self._arrays.setdefault(name, []).append(array)
        if self._classes is not None:
            for scores in self._classes.scores(answer):
                top = self._classes.top(scores)
                self._top += [{"row": index, **entry} for entry in top] if feed.count > 1 else top

    def finish(self, total_us: int, output: Path | None) -> None:
        """Print the document."""
        outputs = [_output(name, arrays) for name, arrays in self._arrays.items()]
        if self._classes is not None:
            outputs[0]["top"] = self._top
        timing = {"queue": self._queue_us, "run": self._run_us, "total": total_us}
        document = {"model": self._model, "version": self._version, "outputs": outputs, "timing_us": timing}
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def _output(name: str, arrays: list[Array]) -> dict[str, Any]:
    array = arrays[0] if len(arrays) == 1 else np.concatenate([np.atleast_1d(part) for part in arrays])
    return {"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "data": nested(array)}


def nested(array: Array) -> Any:
    """Return an array as nested lists; NaN and infinities, which JSON has not, as None."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return array.tolist()
    values = array.astype(object)
    values[~np.isfinite(array)] = None
    return values.tolist()


class TextReport:
    """Lines for a person; of many rows one line each, as they come."""

    def __init__(self, classes: Classes | None, is_quiet: bool) -> None:
        self._classes = classes
        self._is_quiet = is_quiet
        self._rows = 0

    def add(self, feed: Feed, index: int, answer: Answer) -> None:
        """Print the answer to a row."""
        self._rows += 1
        if self._is_quiet:
            return
        label = cell(feed.labels[index])
        width = max(map(len, feed.labels)) if index < len(feed.labels) else 0
        if self._classes is not None:
            for scores in self._classes.scores(answer):
                self._print_top(label, width, scores)
        elif feed.count > 1:
            shown = "  ".join(f"{cell(name)} {_line(array)}" for name, array in answer.outputs.items())
            click.echo(f"{label.ljust(width)}  {shown}")
        else:
            for name, array in answer.outputs.items():
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
        """Say where the rows were written."""
        if output is not None:
            click.echo(f"{self._rows} {'row' if self._rows == 1 else 'rows'} written to {output}")


def _line(array: Array) -> str:
    return np.array2string(array, threshold=_SHORT, edgeitems=3, max_line_width=10**6).replace("\n", "")
