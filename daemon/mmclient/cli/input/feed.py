"""The rows of a prediction, read when their turn comes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from mmclient.array import Array


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of one input.

    Attributes:
        path: The file, where it holds one row; empty for several rows.
        count: How many rows.
        read: Returns them with their leading dimension, or raises the error of a file that cannot be read.
    """

    path: str
    count: int
    read: Callable[[], Array]


class Feed:
    """The rows of a prediction.

    Args:
        blocks: By input name; together they hold the same number of rows for each input.

    Attributes:
        count: The number of rows; 1 where the signature has no rows.
        labels: A name for each row: that of its image, else its number.
    """

    def __init__(self, blocks: dict[str, list[Block]]) -> None:
        self._blocks = blocks
        self._ends = {name: list(accumulate(block.count for block in column)) for name, column in blocks.items()}
        self.count = next((ends[-1] for ends in self._ends.values() if ends), 1)
        self._paths = [block.path for block in next(iter(blocks.values()), [])]
        self.labels = _labels(self._paths, self.count)

    def title(self, index: int) -> str:
        """Return what a message calls a row: its image, else ``row 7``."""
        return self.labels[index] if all(self._paths) else f"row {index}"

    def row(self, index: int) -> dict[str, Array]:
        """Return one row by input name.

        Raises:
            RequestError: ``BAD_INPUT`` or ``BAD_TENSOR``: its file cannot be read, or does not fit the signature.
            ClientError: ``USAGE``: reading it needs something that is not installed.
        """
        values: dict[str, Array] = {}
        for name, ends in self._ends.items():
            position = bisect_right(ends, index)
            block = self._blocks[name][position]
            array = block.read()
            first = index - (ends[position] - block.count)
            values[name] = array if self.count == 1 else array[first : first + 1]
        return values

    def rows(self) -> Iterator[dict[str, Array]]:
        """Yield every row; see ``row``."""
        return map(self.row, range(self.count))


def _labels(paths: list[str], count: int) -> list[str]:
    """Return a name for each row: the names of the images, with their folders where two have the same name."""
    if not paths or not all(paths):
        return [str(index) for index in range(count)]
    names = [Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else paths
