"""Scoring: how much accuracy a candidate costs on the rows that choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.calibration.split import Split
from mmconvert.candidate.candidate import Candidate
from mmconvert.feed import Array, Feed
from mmconvert.parity.drop import drop_of_rows, kind_of_drop
from mmconvert.parity.gate import require_quantized_parity
from mmconvert.parity.metric import are_probabilities, compare
from mmconvert.parity.statistic import bootstrap_mean
from mmconvert.parity.summary import summarise
from mmwire.errors import ConvertError

_FLOOR = 1e-9  # of a probability, before its logarithm
_MAX_FLIPS = 12


class Score:
    """Compares files with the float model on the same rows.

    Args:
        splits: Rows by signature.
        float_file: Its answers are the reference.
        max_drop: Most accuracy that may be lost.
    """

    def __init__(self, litert: LiteRTBackend, splits: dict[str, Split], float_file: Path, max_drop: float) -> None:
        self._litert = litert
        self._splits = splits
        self._max_drop = max_drop
        self._reference = {name: litert.answer(float_file, name, split.feeds) for name, split in splits.items()}

    @property
    def kind(self) -> str:
        """The measure of the drop of these rows, in words."""
        name = next(iter(self._splits))
        return kind_of_drop(self._reference[name], self._splits[name].classes)

    @property
    def rows(self) -> int:
        """How many rows every candidate is scored on."""
        return sum(len(split.feeds) for split in self._splits.values())

    def judge(self, candidate: Candidate) -> None:
        """Fill in how much accuracy the candidate costs, and refuse it where that is too much.

        Raises:
            ConvertError: LiteRT refuses the file (``CONVERTER_FAILED``), or the child ended.
        """
        first = next(iter(self._splits))
        for name, split in self._splits.items():
            answers = self._litert.answer(candidate.file, name, split.feeds)
            outputs = compare(self._reference[name], answers)
            drop = drop_of_rows(self._reference[name], answers, split.classes)
            interval = bootstrap_mean(drop) if np.isfinite(drop).all() else None
            figures = summarise(outputs)
            if candidate.drop is None or (interval and interval.high > candidate.drop.high):
                candidate.drop = interval
            if figures["sqnr_db"] is not None:
                candidate.sqnr_db = min(figures["sqnr_db"], candidate.sqnr_db or np.inf)
            candidate.agreement = figures["top1_agreement"]
            candidate.kl = _divergence(self._reference[name], answers)
            if name == first:
                candidate.flips = _flips(self._reference[name], answers, split.classes)
            try:
                require_quantized_parity(outputs, "int8", rows_are_real=True)
            except ConvertError as error:
                candidate.refusal = error.message
            if interval is not None and interval.high > self._max_drop and not candidate.refusal:
                candidate.refusal = (
                    f"drop {interval.estimate:.2%}, with 95 % confidence up to {interval.high:.2%};"
                    f" {self._max_drop:.2%} are allowed"
                )

    def sqnr_db(self, path: Path, rows: int) -> float:
        """Return the SQNR over some of the rows; it is cheap and shows small differences.

        Raises:
            ConvertError: LiteRT refuses the file (``CONVERTER_FAILED``), or the child ended.
        """
        worst = np.inf
        for name, split in self._splits.items():
            answers = self._litert.answer(path, name, split.feeds[:rows])
            outputs = compare(self._reference[name][:rows], answers)
            worst = min(worst, *(output.sqnr_db for output in outputs))
        return float(worst)


def _flips(reference: list[Feed], answers: list[Feed], classes: Array | None) -> list[dict[str, int | float]]:
    """Return rows whose class a file changes, beginning with those of which the float model was surest."""
    found: list[dict[str, int | float]] = []
    for output in sorted(reference[0]):
        wanted, got = _scores(reference, output), _scores(answers, output)
        if wanted is None or got is None:
            continue
        for row in np.flatnonzero(wanted.argmax(axis=1) != got.argmax(axis=1)):
            a, b = int(wanted[row].argmax()), int(got[row].argmax())
            margin = float(wanted[row, a] - wanted[row, b])
            flip: dict[str, int | float] = {"row": int(row), "from": a, "to": b, "margin": round(margin, 4)}
            if classes is not None:
                flip["right"] = int(classes[row])
            found.append(flip)
        break
    return sorted(found, key=lambda flip: -flip["margin"])[:_MAX_FLIPS]


def _scores(rows: list[Feed], output: str) -> Array | None:
    if any(row[output].size < 2 or row[output].shape != rows[0][output].shape for row in rows):
        return None
    return np.stack([row[output].ravel() for row in rows])


def _divergence(reference: list[Feed], answers: list[Feed]) -> float | None:
    """Return the mean Kullback-Leibler divergence from the float model's distribution, None where there is none."""
    for output in sorted(reference[0]):
        wanted, got = _scores(reference, output), _scores(answers, output)
        if wanted is None or got is None or not are_probabilities(wanted):
            continue
        p, q = np.maximum(wanted, _FLOOR), np.maximum(got, _FLOOR)
        return float(f"{(p * np.log(p / q)).sum(axis=1).mean():.4g}")
    return None
