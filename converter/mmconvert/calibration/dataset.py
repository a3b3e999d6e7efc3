"""The real inputs of one conversion: read, checked, and split by what they are for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmconvert.calibration.check import Checked, check_rows
from mmconvert.calibration.clipping import tell_clipping
from mmconvert.calibration.reader import read_rows, refuse
from mmconvert.calibration.split import Rows, split_rows, tell_split
from mmconvert.feed import Feed, digest_feeds
from mmconvert.source.signature import Signature


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data that passed the checks.

    Attributes:
        signatures: The rows by signature.
        rows: How many rows were given, calibration and evaluation together.
        digest: SHA-256 of all values.
        notices: What the user should know about the data.
    """

    signatures: dict[str, Rows]
    rows: int
    digest: str
    notices: list[str]

    @property
    def has_classes(self) -> bool:
        """Whether the right classes of the rows that choose and verify are known."""
        return all(rows.held_out.classes is not None for rows in self.signatures.values())

    def tell_coarse(self, max_drop: float) -> list[str]:
        """Return a notice where a single row weighs more than all the accuracy that may be lost."""
        fewest = min(min(len(rows.search.feeds), len(rows.held_out.feeds)) for rows in self.signatures.values())
        if not self.has_classes or not max_drop or fewest * max_drop >= 1:
            return []
        return [
            f"one row of {fewest} is {1 / fewest:.1%} of the accuracy, and --max-drop allows {max_drop:.1%}: a single"
            f" row decides; give {math.ceil(2 / max_drop)} rows or more with --eval"
        ]


def load_dataset(
    calibration: Path | None, evaluation: Path | None, signatures: Sequence[Signature], labels: Sequence[str] = ()
) -> Dataset:
    """Read, check and split the data of ``--calibration`` and ``--eval``; one of the two may be missing.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: not readable, wrong names, shape or type, empty, NaN, infinite, constant.
    """
    notices: list[str] = []
    given: dict[str, dict[str, Checked]] = {}
    for role, path in (("calibration", calibration), ("eval", evaluation)):
        if path is not None:
            given[role] = {}
            for name, raw in read_rows(path, signatures, labels).items():
                signature = next(each for each in signatures if each.name == name)
                given[role][name] = check_rows(path, signature, raw, role, notices)
    first = next(iter(given.values()))
    by_name = {
        name: split_rows(given.get("calibration", {}).get(name), given.get("eval", {}).get(name)) for name in first
    }
    count = sum(checked.count for role in given.values() for checked in role.values())
    notices += tell_split(next(iter(by_name.values())), count, has_evaluation=evaluation is not None)
    for signature in (each for each in signatures if each.name in by_name):
        rows = by_name[signature.name]
        notices += tell_clipping(signature.inputs, rows.calibration.feeds, rows.search.feeds + rows.held_out.feeds)
    digest = digest_feeds([checked.arrays for role in given.values() for checked in role.values()])
    return Dataset(by_name, count, digest, notices)


def require_usable(rows: Rows, signature: Signature, refusals: Callable[[list[Feed]], tuple[list[int], str]]) -> None:
    """Refuse data with a row that the model itself refuses: one unknown word fails the whole calibration.

    The rows that only verify are always tried. The others are tried only where values are places in a table.

    Args:
        rows: The rows of one signature.
        signature: The signature that they are for.
        refusals: Returns the indexes of the rows that the model refuses, and the reason for the last of them.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: which row, and why.
    """
    takes_indices = any(tensor.is_index for tensor in signature.inputs)
    for split in (rows.calibration, rows.search, rows.held_out) if takes_indices else (rows.held_out,):
        refused, reason = refusals(split.feeds)
        if refused:
            raise refuse(
                f"{split.option}: the model itself refuses row {split.numbers[refused[-1]]}: {reason}",
                f"correct the row or leave it out; the model refuses {len(refused)} of the {len(split.feeds)} rows"
                " that were tried",
            )
