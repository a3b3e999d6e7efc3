"""Finds out whether a model file is structurally whole, while somebody may still write to it.

The file is never mapped: when a file shrinks under a mapping, SIGBUS kills the process (measured: 8 of 8). It is not
read as a whole either: the walk looks at tables, not at weights, so a few pages tell for a file of any size.
"""

from __future__ import annotations

import os
from pathlib import Path

from mmdaemon.folder.bundle import is_whole_bundle
from mmdaemon.folder.opening import open_regular
from mmdaemon.folder.snapshot import FolderSource
from mmwire.errors import MmError
from mmwire.flatbuffer import Bytes
from mmwire.tflite import outline

PAGE_BYTES = 4096
# How many pages to keep: the tables of a real model lie together, between its weights.
_HELD_PAGES = 512


class PagedFile:
    """A file as a ``Buffer`` that holds at most 2 MiB of it in memory.

    Thread: one at a time.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._pages: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> Bytes:
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise ValueError("a file is read forward, without gaps")
        first, last = start // PAGE_BYTES, max(start, stop - 1) // PAGE_BYTES
        if first == last:
            return self._page(first)[start - first * PAGE_BYTES : stop - first * PAGE_BYTES]
        return self._read(start, stop - start)

    def _page(self, number: int) -> bytes:
        page = self._pages.get(number)
        if page is None:
            if len(self._pages) >= _HELD_PAGES:
                del self._pages[next(iter(self._pages))]
            start = number * PAGE_BYTES
            page = self._pages[number] = self._read(start, min(PAGE_BYTES, self._size - start))
        return page

    def _read(self, start: int, length: int) -> bytes:
        found = os.pread(self._descriptor, length, start)
        return found + bytes(length - len(found))  # it shrank: fill up with zeros, which no parser takes for a model


def is_whole(source: FolderSource) -> bool:
    """Return whether a source is complete, as far as its structure tells.

    A SavedModel is complete when mmconvert made it and all its files are there. Any other SavedModel never counts as
    complete: nothing in it tells whether its last file has arrived.

    Thread: any; opens the file, reads a few pages, closes it.
    """
    return is_whole_file(source.path) if source.kind == "tflite" else is_whole_bundle(source.path)


def is_whole_file(path: Path) -> bool:
    """Return whether every table of a ``.tflite`` file lies within the file."""
    try:
        descriptor, identity = open_regular(path)
    except MmError:
        return False
    try:
        outline(PagedFile(descriptor, identity.size))
    except (MmError, OSError):
        return False
    finally:
        os.close(descriptor)
    return True
