"""Is a model file structurally whole? Asked of files that somebody may be writing to at this moment.

Such a file is never mapped: one that shrinks under a mapping kills the process (SIGBUS, measured 8 of 8). It is not
read as a whole either: the walk looks at tables, not at weights, so a few pages of a file of any size tell.
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
# Pages held at once: the tables of a real model lie in runs between its weights.
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
        return found + bytes(length - len(found))  # cut off since: a reader gets what it asked for, and no model


def is_whole(source: FolderSource) -> bool:
    """Return whether a source is complete for all that can be told from its structure.

    A SavedModel is, if mmconvert made it and all its files are there. Any other never is: nothing in it tells whether
    the last variable has arrived.

    Thread: any; opens the file, reads a few pages, closes it.
    """
    return is_whole_file(source.path) if source.kind == "tflite" else is_whole_bundle(source.path)


def is_whole_file(path: Path) -> bool:
    """Return whether every table of a ``.tflite`` file lies within it."""
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
