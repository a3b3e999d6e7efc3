from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.folder.whole import PAGE_BYTES, PagedFile, is_whole, is_whole_file


def tiny_model(weights: bytes) -> bytes:
    """One model table with one buffer that ends with the file."""
    return (
        struct.pack("<I4s", 24, b"TFL3")
        + struct.pack("<8H", 14, 8, 0, 0, 0, 0, 4, 0)  # vtable of Model: only field 4, buffers
        + struct.pack("<iI", 16, 4)
        + struct.pack("<II", 1, 12)  # one buffer
        + struct.pack("<4H", 6, 8, 4, 0)  # vtable of Buffer: field 0, data
        + struct.pack("<iII", 8, 4, len(weights))
        + weights
    )


def test_a_model_is_whole_to_the_last_byte_only(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    model = tiny_model(bytes(3 * PAGE_BYTES))
    path.write_bytes(model)
    assert is_whole_file(path)
    for cut in (0, 4, 7, 8, 30, 59, PAGE_BYTES, len(model) - 1):
        path.write_bytes(model[:cut])
        assert not is_whole_file(path), cut


def test_anything_but_a_readable_model_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole_file(tmp_path / "missing")
    os.mkfifo(tmp_path / "fifo")
    assert not is_whole_file(tmp_path / "fifo")
    (tmp_path / "text").write_text("hello, this is no model")
    assert not is_whole_file(tmp_path / "text")


def test_a_saved_model_never_counts_as_whole(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(tiny_model(b""))
    identity = FileIdentity(1, 2, 3, 4, 5)
    assert is_whole(FolderSource("a", None, "tflite", tmp_path / "a.tflite", identity))
    assert not is_whole(FolderSource("a", None, "saved_model", tmp_path, identity))


def test_a_paged_file_reads_like_the_file(tmp_path: Path) -> None:
    data = bytes(range(256)) * (PAGE_BYTES // 64)
    path = tmp_path / "a"
    path.write_bytes(data)
    with path.open("rb") as file:
        paged = PagedFile(file.fileno(), len(data))
        assert len(paged) == len(data)
        for part in (
            slice(0, 4),
            slice(PAGE_BYTES - 2, PAGE_BYTES + 2),
            slice(PAGE_BYTES, 2 * PAGE_BYTES),
            slice(len(data) - 3, len(data)),
            slice(len(data), len(data) + 4),
        ):
            assert bytes(paged[part]) == data[part], part
        with pytest.raises(ValueError, match="gaps"):
            paged[0:10:2]


def test_a_file_that_shrinks_meanwhile_reads_as_zeros(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 2 * PAGE_BYTES)
    with path.open("rb") as file:
        paged = PagedFile(file.fileno(), 2 * PAGE_BYTES)
        os.truncate(path, 10)
        assert bytes(paged[8:12]) == b"xx\0\0"
        assert bytes(paged[PAGE_BYTES - 1 : PAGE_BYTES + 1]) == b"\0\0"
