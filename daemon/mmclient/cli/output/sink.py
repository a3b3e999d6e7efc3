"""Writes answers to a file, which appears whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from pathlib import Path
from typing import IO, Any

import numpy as np

from mmclient.answer import Answer
from mmclient.array import Array
from mmclient.cli.input.feed import Feed
from mmclient.cli.output.classification import Classes
from mmclient.cli.output.report import nested
from mmwire.errors import MmError, RequestError
from mmwire.tensor import SignatureSpec


class Sink:
    """Takes answers one after the other; writes csv and jsonl as the answers come.

    Args:
        path: Its suffix tells the format: ``.npy``, ``.npz``, ``.csv``, ``.jsonl``.
        spec: The signature's tensors.
        classes: The best of them stand in each line of jsonl; None for a model that is not a classifier.

    Raises:
        RequestError: ``BAD_INPUT``: the file cannot be written, or its format cannot hold the outputs.
    """

    def __init__(self, path: Path, spec: SignatureSpec, classes: Classes | None) -> None:
        self._path = path
        self._format = path.suffix.lower()
        self._classes = classes
        self._arrays: dict[str, list[Array]] = {}
        self._has_header = False
        self._has_rows = False
        if self._format == ".npy" and len(spec.outputs) != 1:
            names = ", ".join(tensor.name for tensor in spec.outputs)
            raise RequestError(
                "BAD_INPUT", f"{path}: .npy holds one array, and the outputs are {names}", "write an .npz instead"
            )
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            self._file: IO[Any] = (
                self._part.open("wb") if self._format in (".npy", ".npz") else self._part.open("w", newline="")
            )
        except OSError as error:
            raise self._failed(error) from None

    def add(self, feed: Feed, index: int, outcome: Answer | MmError) -> None:
        """Take the answer to a row, or the error that the row caused, which only jsonl can hold.

        Raises:
            RequestError: ``BAD_INPUT``: the file cannot be written.
        """
        self._has_rows |= not isinstance(outcome, MmError)
        try:
            if self._format == ".jsonl":
                self._write_json(feed.labels[index], index, outcome)
            elif isinstance(outcome, MmError):
                return
            elif self._format == ".csv":
                self._write_csv(outcome)
            else:
                for name, array in outcome.outputs.items():
                    self._arrays.setdefault(name, []).append(np.atleast_1d(array))
        except OSError as error:
            raise self._failed(error) from None

    def finish(self) -> None:
        """Write the rest and give the file its name, unless no row was answered.

        Raises:
            RequestError: ``BAD_INPUT``: the file cannot be written.
        """
        if not self._has_rows:
            return
        try:
            arrays = {name: np.concatenate(parts) for name, parts in self._arrays.items()}
            if self._format == ".npy":
                np.save(self._file, next(iter(arrays.values())))
            elif self._format == ".npz":
                np.savez(self._file, **arrays)  # type: ignore[arg-type]
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Remove an unfinished file."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write_csv(self, answer: Answer) -> None:
        writer = csv.writer(self._file)
        if not self._has_header:
            self._has_header = True
            writer.writerow(name for key, array in answer.outputs.items() for name in _columns(key, array))
        writer.writerow(value for array in answer.outputs.values() for value in array.reshape(-1).tolist())

    def _write_json(self, label: str, index: int, outcome: Answer | MmError) -> None:
        line: dict[str, Any] = {"row": index, "source": label}
        if isinstance(outcome, MmError):
            line["error"] = outcome.as_dict()
        else:
            line["outputs"] = {name: nested(array) for name, array in outcome.outputs.items()}
            if self._classes is not None:
                each = self._classes.scores(outcome)
                line["top"] = [entry for scores in each for entry in self._classes.top(scores)]
        self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")

    def _failed(self, error: OSError) -> RequestError:
        return RequestError("BAD_INPUT", f"{self._path} cannot be written: {error.strerror or error}")


def _columns(name: str, array: Array) -> list[str]:
    return [name] if array.size == 1 else [f"{name}_{index}" for index in range(array.size)]
