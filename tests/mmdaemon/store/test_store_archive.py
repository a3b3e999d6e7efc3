from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from mmdaemon.folder.subfolder import tree_identity
from mmdaemon.store.archive import is_archive, pack, require_files, unpack
from mmdaemon.store.blob import Blobs
from mmdaemon.store.layout import Layout
from mmwire.errors import ModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph" * 999)
    (folder / "variables/variables.index").write_bytes(b"index")
    (folder / ("long-" * 40)).write_bytes(b"a name that no old header holds")
    (folder / "copy.part").write_bytes(b"on its way")
    return folder


def packed(folder: Path) -> tuple[bytes, str]:
    data = bytearray()
    sha256, size, identity = pack(folder, data.extend)
    assert (size, identity) == (len(data), tree_identity(folder))
    assert hashlib.sha256(data).hexdigest() == sha256
    return bytes(data), sha256


def test_an_archive_unpacks_to_the_packed_files(folder: Path, tmp_path: Path) -> None:
    data, _ = packed(folder)
    (tmp_path / "blob").write_bytes(data)
    (tmp_path / "out").mkdir()
    unpack(str(tmp_path / "blob"), tmp_path / "out")
    files = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {str(path) for path in files} == {"saved_model.pb", "variables/variables.index", "long-" * 40}
    assert all((tmp_path / "out" / path).read_bytes() == (folder / path).read_bytes() for path in files)


def test_the_bytes_follow_from_paths_and_bytes_alone(folder: Path, tmp_path: Path) -> None:
    _, before = packed(folder)
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o755)
    folder.rename(tmp_path / "elsewhere")
    assert packed(tmp_path / "elsewhere")[1] == before
    (tmp_path / "elsewhere/variables/variables.index").write_bytes(b"indez")
    assert packed(tmp_path / "elsewhere")[1] != before


def test_a_symlink_and_a_fifo_are_refused_by_name(folder: Path) -> None:
    (folder / "link").symlink_to("saved_model.pb")
    with pytest.raises(ModelError, match="link is a symlink; expected a regular file"):
        packed(folder)
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(ModelError, match="pipe is a FIFO"):
        packed(folder)


@pytest.mark.parametrize("change", ["grow", "shrink", "new", "gone"])
def test_a_folder_that_changes_meanwhile_is_tried_again(folder: Path, change: str) -> None:
    done: list[bool] = []

    def write(_: bytes) -> None:
        if done:
            return
        done.append(True)
        index = folder / "variables/variables.index"
        if change == "grow":
            index.write_bytes(b"index" * 9999)
        elif change == "shrink":
            (folder / "saved_model.pb").write_bytes(b"")
        elif change == "new":
            (folder / "variables/more").write_bytes(b"x")
        else:
            index.unlink()

    (folder / "a").write_bytes(b"a" * 50_000)  # more than is written at once
    with pytest.raises(ModelError, match="still changing") as caught:
        pack(folder, write)
    assert caught.value.retryable


def test_a_file_that_shrinks_while_it_is_copied_is_tried_again(folder: Path) -> None:
    big = folder / "a"  # the first of them, and longer than one read
    big.write_bytes(b"a" * 1_000_000)
    with pytest.raises(ModelError, match="still changing") as caught:
        pack(folder, lambda _: os.truncate(big, 10))
    assert caught.value.retryable


def test_a_disk_that_refuses_the_archive_is_not_the_folders_fault(folder: Path) -> None:
    def full(_: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (folder / "a").write_bytes(b"a" * 1_000_000)
    with pytest.raises(OSError, match="No space left"):
        pack(folder, full)


def test_files_are_held_to_the_digests_of_mmconvert(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(packed(folder)[0])
    blob = str(tmp_path / "blob")
    index = "variables/variables.index"
    right = {index: hashlib.sha256(b"index").hexdigest()}
    require_files(blob, right)  # the other files are not named and may be anything
    with pytest.raises(ModelError, match=f"{index} has changed") as caught:
        require_files(blob, {index: hashlib.sha256(b"other").hexdigest()})
    assert caught.value.code == "DIGEST_MISMATCH"
    with pytest.raises(ModelError, match="gone is missing") as caught:
        require_files(blob, right | {"gone": right[index]})
    assert caught.value.code == "DIGEST_MISMATCH"


def test_other_bytes_are_not_an_archive(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"no archive" * 100)
    (tmp_path / "in").mkdir()
    for read in (
        lambda: unpack(str(tmp_path / "blob"), tmp_path / "in"),
        lambda: require_files(str(tmp_path / "blob"), {}),
    ):
        with pytest.raises(ModelError) as caught:
            read()
        assert caught.value.code == "MODEL_INVALID"


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../b"])
def test_nothing_is_unpacked_elsewhere(tmp_path: Path, name: str) -> None:
    import io
    import tarfile

    with tarfile.open(tmp_path / "blob", "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    (tmp_path / "in").mkdir()
    with pytest.raises(ModelError, match="not a plain file"):
        unpack(str(tmp_path / "blob"), tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_the_store_keeps_a_folder_as_one_verified_blob(layout: Layout, folder: Path) -> None:
    blobs = Blobs(layout)
    blob = blobs.ingest(folder)
    assert (layout.blobs / blob.sha256).stat().st_size == blob.size
    with blobs.open(blob.sha256) as opened:
        assert is_archive(opened.fd)
    file = folder / "saved_model.pb"
    with blobs.open(blobs.ingest(file).sha256) as opened:
        assert not is_archive(opened.fd)
    blobs.close()
