"""Asking for many rows, and going on after a row that fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmwire.errors import MmError

if TYPE_CHECKING:
    from mmclient.answer import Answer
    from mmclient.array import Array
    from mmclient.cli.input.feed import Feed
    from mmclient.client import Client

# Failures that one row can cause by itself. After any other failure, the next row would fail too.
_OF_A_ROW = frozenset({"BAD_INPUT", "BAD_TENSOR", "INFERENCE_FAILED", "RUN_TOO_LONG", "INSTANCE_LOST"})


@dataclass(frozen=True, slots=True)
class Asking:
    """A signature of a model, and how it is asked."""

    client: Client
    model: str
    signature: str
    version: int | None
    dequantize: bool

    def each(self, feed: Feed) -> Iterator[Answer]:
        """Yield the answer to each row.

        Raises:
            MmError: A row failed; the answers to the rows before it were yielded.
        """
        if feed.count == 1:
            yield self._one(feed.row(0))
        else:
            yield from self._many(feed.rows())

    def each_outcome(self, feed: Feed) -> Iterator[Answer | MmError]:
        """Yield the answer to each row, or the error that the row caused.

        Raises:
            MmError: The daemon cannot be asked at all.
        """
        done = 0
        while done < feed.count:
            failures: dict[int, MmError] = {}
            sent: deque[int] = deque()
            try:
                for answer in self._many(_readable_rows(feed, done, sent, failures)):
                    yield from _failures_before(sent[0], done, failures)
                    done = sent.popleft() + 1
                    yield answer
                yield from _failures_before(feed.count, done, failures)
                return
            except MmError as error:
                if error.code not in _OF_A_ROW or not sent:
                    raise
            # Several rows share a request, and one bad row fails them all. So try the first of them alone.
            yield from _failures_before(sent[0], done, failures)
            done = sent[0] + 1
            yield self._outcome(feed, sent[0])

    def _outcome(self, feed: Feed, index: int) -> Answer | MmError:
        try:
            return self._one(feed.row(index))
        except MmError as error:
            if error.code not in _OF_A_ROW:
                raise
            return error

    def _one(self, row: dict[str, Array]) -> Answer:
        return self.client.ask(
            self.model, row, signature=self.signature, version=self.version, dequantize=self.dequantize
        )

    def _many(self, rows: Iterator[dict[str, Array]]) -> Iterator[Answer]:
        return self.client.ask_many(
            self.model, rows, signature=self.signature, version=self.version, dequantize=self.dequantize
        )


def _readable_rows(
    feed: Feed, first: int, sent: deque[int], failures: dict[int, MmError]
) -> Iterator[dict[str, Array]]:
    """Yield the rows that can be read, and note which they are; note the failures of the others."""
    for index in range(first, feed.count):
        try:
            row = feed.row(index)
        except MmError as error:
            if error.code not in _OF_A_ROW:
                raise
            failures[index] = error
            continue
        sent.append(index)
        yield row


def _failures_before(index: int, done: int, failures: dict[int, MmError]) -> Iterator[MmError]:
    return (failures[failed] for failed in range(done, index))
