"""Rows that travel in one request, and how many rows a request should have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmclient.answer import Answer
from mmclient.array import Array
from mmclient.encode import RowEncoder
from mmwire.errors import MmError, RequestError
from mmwire.message import ResultHead
from mmwire.tensor import SignatureSpec

_MAX_BYTES = 64 * 1024  # above this, copying costs more than a round trip
_MAX_BUFFERS = 512  # of one sendmsg; Source: IOV_MAX is 1024 on Linux
_RUN_US = 5_000  # a request of many rows must not keep an instance from others for longer


@dataclass(slots=True, eq=False)
class Group:
    """One request of ``ask_many``.

    Attributes:
        rows: The rows as they came; kept until the answer, so that they can be sent again.
        arrays: The rows, encoded.
        bare: For each row, whether it came without a leading dimension.
        size_bytes: Of all arrays together.
        deadline: On the stream's own clock; 0 before the group is sent.
        answers: One for each row, once the answer has come.
        failure: The error that came instead.
    """

    rows: list[Any] = field(default_factory=list)
    arrays: list[list[Array]] = field(default_factory=list)
    bare: list[bool] = field(default_factory=list)
    size_bytes: int = 0
    deadline: float = 0.0
    answers: list[Answer] | None = None
    failure: MmError | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is neither an answer nor a failure."""
        return self.answers is None and self.failure is None

    def add(self, encoder: RowEncoder, row: Any) -> None:
        """Take a row.

        Raises:
            RequestError: ``BAD_TENSOR``.
        """
        arrays, is_bare = encoder.encode(row)
        self.rows.append(row)
        self.arrays.append(arrays)
        self.bare.append(is_bare)
        for array in arrays:
            self.size_bytes += array.nbytes

    def parts(self) -> list[Array]:
        """Return the arrays in the order of the wire: every row of the first input, then of the second."""
        return [arrays[index] for index in range(len(self.arrays[0])) for arrays in self.arrays]

    def on_answer(self, spec: SignatureSpec, head: ResultHead, outputs: dict[str, Array]) -> None:
        """Divide an answer among the rows."""
        count = len(self.rows)
        answers: list[Answer] = []
        columns = [(tensor.name, outputs[tensor.name], tensor.has_rows and spec.has_rows) for tensor in spec.outputs]
        for index, is_bare in enumerate(self.bare):
            mine: dict[str, Array] = {}
            for name, array, has_rows in columns:
                if has_rows:
                    array = array[index, ...] if is_bare else array[index : index + 1]
                mine[name] = array.copy() if count > 1 else array
            first = 1 if index == 0 else 0
            shares = [total // count + first * (total % count) for total in (head.queue_us, head.run_us)]
            answers.append(Answer(mine, head.version, shares[0], shares[1]))
        self.answers = answers


class Sizing:
    """Decides how many rows go into one request: many small, quick rows, or one row of any other kind.

    Args:
        spec: The signature's tensors.
        max_payload_bytes: The most that the daemon takes in one request.
    """

    def __init__(self, spec: SignatureSpec, max_payload_bytes: int) -> None:
        self._may_group = spec.has_rows and spec.is_static
        self._may_group &= all(tensor.has_rows and tensor.is_static for tensor in spec.outputs)
        tensors = (*spec.inputs, *spec.outputs) if self._may_group else ()
        row_bytes = sum(tensor.row_bytes for tensor in tensors)
        by_bytes = min(_MAX_BYTES, max_payload_bytes) // max(1, row_bytes)
        self._most = max(1, min(by_bytes, _MAX_BUFFERS // max(1, len(spec.inputs))))
        self._limit = 1  # until an answer shows what a row costs

    def is_full(self, group: Group) -> bool:
        """Return whether a group should get no further row."""
        return len(group.rows) >= self._limit

    def on_answer(self, rows: int, run_us: int) -> None:
        """Learn from an answer; at most double the rows of a request."""
        if self._may_group:
            affordable = _RUN_US * rows // max(1, run_us)
            self._limit = max(1, min(self._most, affordable, 2 * max(rows, self._limit)))


def each_row(rows: Iterable[Any]) -> Iterator[Any]:
    """Return the rows of an iterable, of an array, or of a mapping of arrays by input name.

    Raises:
        RequestError: ``BAD_TENSOR``: there are no rows, or the arrays of a mapping differ in theirs.
    """
    for values in rows.values() if isinstance(rows, Mapping) else (rows,):
        if not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
            raise RequestError(
                "BAD_TENSOR", f"expected rows, got {type(values).__name__}", "pass an array or an iterable of arrays"
            )
    if not isinstance(rows, Mapping):
        return iter(rows)
    names = list(rows)
    if len({len(values) for values in rows.values()}) > 1:
        got = ", ".join(f"{name}: {len(values)}" for name, values in rows.items())
        raise RequestError("BAD_TENSOR", f"expected the same number of rows in every input, got {got}")
    return (dict(zip(names, values, strict=True)) for values in zip(*rows.values(), strict=True))
