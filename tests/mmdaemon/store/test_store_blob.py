from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.store import blob as blob_module
from mmdaemon.store.blob import Blobs
from mmdaemon.store.copying import CHUNK_BYTES
from mmdaemon.store.layout import Layout
from mmwire.errors import ModelError

DATA = b"a model" * 1000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def blobs(layout: Layout) -> Iterator[Blobs]:
    blobs = Blobs(layout)
    yield blobs
    blobs.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.tflite"
    path.write_bytes(DATA)
    return path


def no_disk(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)


def test_a_copy_is_private_read_only_and_named_by_its_bytes(blobs: Blobs, layout: Layout, model: Path) -> None:
    blob = blobs.ingest(model)
    assert (blob.sha256, blob.size, blob.identity, blob.fd) == (SHA, len(DATA), FileIdentity.of(model.stat()), None)
    stored = layout.blobs / SHA
    assert stored.stat().st_mode & 0o777 == 0o400
    assert stored.read_bytes() == DATA
    assert list(layout.tmp.iterdir()) == []


def test_an_open_blob_has_the_copied_bytes_whatever_happens_to_the_users_file(blobs: Blobs, model: Path) -> None:
    blobs.ingest(model)
    model.write_bytes(b"something else")
    with blobs.open(SHA) as opened:
        assert Path(opened.path).read_bytes() == DATA
        assert opened.size == len(DATA)
        assert not os.get_inheritable(opened.fd)
    opened.close()


def test_the_same_bytes_are_kept_once(blobs: Blobs, layout: Layout, model: Path, tmp_path: Path) -> None:
    blobs.ingest(model)
    inode = (layout.blobs / SHA).stat().st_ino
    (tmp_path / "copy").write_bytes(DATA)
    assert blobs.ingest(tmp_path / "copy").sha256 == SHA
    assert (layout.blobs / SHA).stat().st_ino == inode
    assert list(layout.tmp.iterdir()) == []


def test_a_blob_of_another_size_is_replaced(blobs: Blobs, layout: Layout, model: Path) -> None:
    (layout.blobs / SHA).write_bytes(b"cut")
    blobs.ingest(model)
    assert (layout.blobs / SHA).read_bytes() == DATA


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 3])
def test_a_file_of_any_size_is_kept(blobs: Blobs, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    blob = blobs.ingest(tmp_path / "a")
    assert blob.sha256 == hashlib.sha256(data).hexdigest()
    with blobs.open(blob.sha256) as opened:
        assert Path(opened.path).read_bytes() == data


@pytest.mark.parametrize("change", ["grow", "shrink", "overwrite"])
def test_a_file_that_changes_during_the_copy_is_not_taken(
    blobs: Blobs, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(bytes(2 * CHUNK_BYTES))
    os.utime(path, ns=(0, 0))
    real, calls = os.pread, []

    def read(descriptor: int, length: int, offset: int) -> bytes:
        if not calls:
            calls.append(offset)
            with path.open("r+b") as file:
                if change == "grow":
                    file.seek(0, os.SEEK_END)
                    file.write(b"more")
                elif change == "shrink":
                    file.truncate(10)
                else:
                    file.write(b"other")
        return real(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", read)
    with pytest.raises(ModelError, match="still changing") as caught:
        blobs.ingest(path)
    assert (caught.value.code, caught.value.retryable) == ("MODEL_INVALID", True)
    assert list(layout.blobs.iterdir()) == []
    assert list(layout.tmp.iterdir()) == []


def test_a_disk_that_does_not_give_the_users_file_is_not_the_stores_fault(
    blobs: Blobs, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(ModelError) as caught:
        blobs.ingest(model)
    assert (caught.value.code, caught.value.retryable) == ("MODEL_UNREADABLE", True)


def test_neither_a_fifo_nor_a_symlink_is_copied(blobs: Blobs, model: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(model)
    for name in ("fifo", "link", "missing"):
        with pytest.raises(ModelError) as caught:
            blobs.ingest(tmp_path / name)
        assert caught.value.code == "MODEL_UNREADABLE"


@pytest.mark.parametrize("damage", ["flip", "cut", "append"])
def test_a_damaged_blob_is_refused_removed_and_copied_again(
    blobs: Blobs, layout: Layout, model: Path, damage: str
) -> None:
    blobs.ingest(model)
    stored = layout.blobs / SHA
    stored.chmod(0o600)
    data = bytearray(DATA)
    if damage == "flip":
        data[3000] ^= 1
    stored.write_bytes(data[:-1] if damage == "cut" else data + b"x" * (damage == "append"))
    with pytest.raises(ModelError) as caught:
        blobs.open(SHA)
    assert (caught.value.code, caught.value.retryable) == ("DIGEST_MISMATCH", True)
    assert not stored.exists()
    blobs.ingest(model)
    with blobs.open(SHA) as opened:
        assert Path(opened.path).read_bytes() == DATA


def test_a_blob_that_is_not_there(blobs: Blobs) -> None:
    with pytest.raises(ModelError) as caught:
        blobs.open(SHA)
    assert (caught.value.code, caught.value.retryable) == ("STORE_FAILED", True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO])
def test_memory_does_when_the_disk_does_not(
    blobs: Blobs, model: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    no_disk(monkeypatch, number)
    blob = blobs.ingest(model)
    assert blob.sha256 == SHA
    assert blob.fd is not None
    with pytest.raises(PermissionError):
        os.write(blob.fd, b"x")
    with pytest.raises(PermissionError):
        os.ftruncate(blob.fd, 0)
    assert blobs.ingest(model).fd == blob.fd
    model.unlink()
    with blobs.open(SHA) as one, blobs.open(SHA) as other:
        assert Path(one.path).read_bytes() == Path(other.path).read_bytes() == DATA


def test_a_disk_that_fills_up_during_the_copy(
    blobs: Blobs, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(3 * CHUNK_BYTES)
    (tmp_path / "a").write_bytes(data)
    room = tmp_path / "room"
    room.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", room]).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        small = Layout(room / "store")
        small.prepare()
        blobs = Blobs(small)
        blob = blobs.ingest(tmp_path / "a")
        assert blob.fd is not None
        assert list(small.tmp.iterdir()) == []
        with blobs.open(blob.sha256) as opened:
            assert Path(opened.path).read_bytes() == data
        blobs.close()
    finally:
        subprocess.run(["umount", room], check=True)


def test_without_disk_and_memory_the_store_fails(blobs: Blobs, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    no_disk(monkeypatch, errno.ENOSPC)
    monkeypatch.setattr(blob_module, "open_memory", refuse)
    with pytest.raises(ModelError, match="cannot keep") as caught:
        blobs.ingest(model)
    assert (caught.value.code, caught.value.retryable) == ("STORE_FAILED", True)


def test_an_error_that_more_memory_would_not_mend_is_the_stores(
    blobs: Blobs, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_disk(monkeypatch, errno.EMFILE)
    with pytest.raises(ModelError, match="cannot keep") as caught:
        blobs.ingest(model)
    assert (caught.value.code, caught.value.retryable) == ("STORE_FAILED", True)


def test_a_copy_into_memory_that_fails_leaves_no_descriptor(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_disk(monkeypatch, errno.ENOSPC)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(ModelError) as caught:
        blobs.ingest(tmp_path / "missing")
    assert caught.value.code == "MODEL_UNREADABLE"
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_disk_that_cannot_read_a_blob(blobs: Blobs, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    blobs.ingest(model)
    monkeypatch.setattr(blob_module, "digest_of", broken)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(ModelError, match="cannot read blob") as caught:
        blobs.open(SHA)
    assert (caught.value.code, caught.value.retryable) == ("STORE_FAILED", True)
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("then", ["gone", "mended"])
def test_a_damaged_blob_that_is_gone_or_mended_meanwhile_is_not_removed_again(
    blobs: Blobs, layout: Layout, model: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    blobs.ingest(model)
    stored = layout.blobs / SHA

    def damaged(_: int) -> str:
        stored.unlink()
        if then == "mended":
            stored.write_bytes(DATA)
        return "0" * 64

    monkeypatch.setattr(blob_module, "digest_of", damaged)
    with pytest.raises(ModelError) as caught:
        blobs.open(SHA)
    assert caught.value.code == "DIGEST_MISMATCH"
    assert stored.exists() == (then == "mended")


def test_collect_keeps_what_is_needed_and_what_just_arrived(blobs: Blobs, layout: Layout, model: Path) -> None:
    (layout.blobs / ("0" * 64)).write_bytes(b"")
    blobs.ingest(model)
    assert blobs.collect(set()) == ["0" * 64]
    assert blobs.collect({SHA}) == []
    with blobs.open(SHA) as opened:
        assert blobs.collect(set()) == [SHA]
        assert Path(opened.path).read_bytes() == DATA
    assert list(layout.blobs.iterdir()) == []


def test_a_released_blob_is_collected_from_disk_and_memory(
    blobs: Blobs, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.ingest(model)
    blobs.release(SHA)
    assert blobs.collect(set()) == [SHA]
    no_disk(monkeypatch, errno.ENOSPC)
    blob = blobs.ingest(model)
    assert blob.fd is not None
    blobs.release(SHA)
    assert blobs.collect(set()) == [SHA]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(blob.fd)


def test_many_threads_with_the_same_and_other_files(blobs: Blobs, layout: Layout, tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(bytes([number]) * 100_000)
        paths += [path] * 4
    together = threading.Barrier(8)

    def take(path: Path) -> str:
        together.wait()
        sha256 = blobs.ingest(path).sha256
        blobs.collect(set())
        with blobs.open(sha256) as opened:
            assert Path(opened.path).read_bytes() == path.read_bytes()
        return sha256

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(take, paths))
    assert {path.name for path in layout.blobs.iterdir()} == found
    assert len(found) == 4


def test_a_power_cut_at_any_step_leaves_a_whole_blob_or_none(layout: Layout, model: Path, power: Any) -> None:
    power.steps.clear()
    Blobs(layout).ingest(model)
    steps = list(power.steps)
    assert steps.index("fsync file") < steps.index("replace") < steps.index("fsync folder blobs")
    outcomes = set()
    for cut_at in range(len(steps)):
        for path in (*layout.blobs.iterdir(), *layout.tmp.iterdir()):
            power.cut_at = None
            path.unlink()
        power.steps.clear()
        power.cut_at = cut_at
        with pytest.raises(power.error):
            Blobs(layout).ingest(model)
        power.cut_at = None
        layout.sweep()
        found = [path.read_bytes() for path in layout.blobs.iterdir()]
        assert found in ([], [DATA]), steps[cut_at]
        outcomes.add(len(found))
        blobs = Blobs(layout)  # the next start
        blobs.ingest(model)
        with blobs.open(SHA) as opened:
            assert Path(opened.path).read_bytes() == DATA
    assert outcomes == {0, 1}
