from __future__ import annotations

import os

import pytest

from mmdaemon.store.sealed import open_memory, seal


def test_sealed_memory_cannot_be_changed_by_anybody() -> None:
    descriptor = open_memory("test")
    try:
        os.write(descriptor, b"abc")
        seal(descriptor)
        again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)
        assert os.read(again, 9) == b"abc"
        os.close(again)
        for change in (lambda: os.pwrite(descriptor, b"x", 0), lambda: os.ftruncate(descriptor, 1)):
            with pytest.raises(PermissionError):
                change()
        with pytest.raises(PermissionError):
            seal(descriptor)
    finally:
        os.close(descriptor)
