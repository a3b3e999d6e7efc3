"""One run of ``mmctl``: which daemon it asks, and how answers and errors reach the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mmclient.client import Client
from mmwire.errors import MmError, error_text

if TYPE_CHECKING:
    from tqdm import tqdm

_T = TypeVar("_T")


class Console:
    """Where a verb gets its client and prints its answer.

    Args:
        socket_path: As given; None to find it.
        as_json: Whether answers and errors are JSON documents.
    """

    def __init__(self, socket_path: str | None, as_json: bool) -> None:
        self.as_json = as_json
        self._socket_path = socket_path
        self._bar: tqdm[Any] | None = None

    def client(self, timeout_s: float = 30.0) -> Client:
        """Return a client."""
        return Client(self._socket_path, timeout=timeout_s)

    def print_json(self, document: Any) -> None:
        """Print one document, which holds no NaN."""
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))

    def print_error(self, error: MmError, about: str = "") -> None:
        """Print an error on stderr.

        Args:
            error: The error.
            about: The name of the row that failed, for a message that does not name it.
        """
        if self._bar is not None:
            self._bar.clear()
        program = "mmctl" if not about or about in error.message else f"mmctl: {about}"
        click.echo(error_text(error, program, as_json=self.as_json), err=True)

    def with_progress(self, items: Iterator[_T], count: int) -> Iterator[_T]:
        """Return the items, and show a progress bar where a person looks at stderr."""
        if count == 1 or not sys.stderr.isatty():
            return items
        from tqdm import tqdm

        self._bar = tqdm(items, total=count, unit="row", file=sys.stderr, leave=False)
        return iter(self._bar)
