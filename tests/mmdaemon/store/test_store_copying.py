from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.store.copying import CHUNK_BYTES, copy_verified, digest_of, write_all


def test_bytes_and_digest(tmp_path: Path) -> None:
    data = os.urandom(CHUNK_BYTES + 10)
    (tmp_path / "a").write_bytes(data)
    with (tmp_path / "a").open("rb") as file:
        got = bytearray()
        file.read(100)  # where the offset is does not matter
        sha256 = copy_verified(file.fileno(), FileIdentity.of(os.fstat(file.fileno())), got.extend)
        assert (bytes(got), sha256) == (data, hashlib.sha256(data).hexdigest())
        assert digest_of(file.fileno()) == sha256


def test_an_error_of_the_destination_is_raised_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    def full(_: bytes) -> None:
        raise OSError(28, "full")

    with (tmp_path / "a").open("rb") as file, pytest.raises(OSError, match="full"):
        copy_verified(file.fileno(), FileIdentity.of(os.fstat(file.fileno())), full)


def test_a_short_write_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    got = bytearray()

    def write(_: int, data: memoryview) -> int:
        got.extend(data[:3])
        return len(data[:3])

    monkeypatch.setattr(os, "write", write)
    write_all(0, b"0123456789")
    assert got == b"0123456789"
