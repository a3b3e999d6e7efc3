"""One file out of a zip archive behind other bytes; whatever the bytes are, one error escapes."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwire.zip import ZipError, read_member
from rig.tflite_metadata import append_files

FUZZ = settings(deadline=None, derandomize=True, max_examples=300)
FILES = {"readme.txt": b"read me", "labels.txt": b"cat\ndog\n" * 50}
BODY = b"a model " * 100
WHOLE = append_files(BODY, FILES)
MOST = 10_000


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_a_file_is_found_by_its_name(method: int, kind: type) -> None:
    whole = kind(append_files(BODY, FILES, method))
    assert {name: read_member(whole, name, MOST) for name in FILES} == FILES
    assert read_member(whole, "other.txt", MOST) is None


def test_an_archive_that_was_appended_as_it_was_counts_from_its_own_beginning() -> None:
    assert read_member(BODY + append_files(b"", FILES), "labels.txt", MOST) == FILES["labels.txt"]


def test_a_comment_may_follow() -> None:
    whole = io.BytesIO(WHOLE)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.comment = b"c" * 65_535
    assert read_member(whole.getvalue(), "readme.txt", MOST) == b"read me"


def test_a_file_that_is_too_large_is_refused_before_it_is_inflated() -> None:
    bomb = append_files(BODY, {"labels.txt": bytes(50_000_000)})
    assert len(bomb) < 100_000
    with pytest.raises(ZipError, match="50000000 bytes; expected at most 10000"):
        read_member(bomb, "labels.txt", MOST)


def test_a_bomb_that_lies_about_its_size_is_inflated_to_that_size_only() -> None:
    bomb = bytearray(append_files(BODY, {"labels.txt": bytes(50_000_000)}))
    entry = bomb.rindex(b"PK\x01\x02")
    struct.pack_into("<II", bomb, entry + 20, 9_000, 9_000)
    with pytest.raises(ZipError, match="damaged"):
        read_member(bytes(bomb), "labels.txt", MOST)


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [(8, 1, "encrypted"), (10, 12, "method 12"), (16, 0, "damaged"), (42, 0x7FFF_FFFF, "leads elsewhere")],
    ids=["encrypted", "method", "crc", "offset"],
)
def test_a_directory_entry_that_cannot_be_followed_is_refused(at: int, value: int, says: str) -> None:
    whole = bytearray(append_files(BODY, {"labels.txt": b"cat\n"}))
    entry = whole.rindex(b"PK\x01\x02")
    struct.pack_into("<I" if at >= 16 else "<H", whole, entry + at, value)
    with pytest.raises(ZipError, match=says):
        read_member(bytes(whole), "labels.txt", MOST)


@pytest.mark.parametrize("size", [0, 10, 2_000_000_000])
def test_a_directory_of_another_size_is_refused(size: int) -> None:
    whole = bytearray(WHOLE)
    struct.pack_into("<I", whole, whole.rindex(b"PK\x05\x06") + 12, size)
    with pytest.raises(ZipError, match="directory"):
        read_member(bytes(whole), "labels.txt", MOST)


def test_every_truncation_is_refused() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(ZipError):
            read_member(WHOLE[:length], "labels.txt", MOST)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_bytes_flip_only_one_error_escapes(seed: int) -> None:
    random_ = random.Random(seed)
    for _ in range(500):
        whole = bytearray(WHOLE)
        for _ in range(random_.randint(1, 6)):
            whole[random_.randrange(len(BODY) - 50, len(whole))] = random_.randrange(256)
        try:
            content = read_member(bytes(whole), "labels.txt", MOST)
        except ZipError:
            continue
        assert content is None or len(content) <= MOST


@FUZZ
@given(st.binary(max_size=200), st.sampled_from([b"PK\x05\x06", b"PK\x01\x02", b""]))
def test_whatever_the_bytes_only_one_error_escapes(content: bytes, signature: bytes) -> None:
    for data in (content, signature + content, content[:50] + signature + content[50:]):
        with contextlib.suppress(ZipError):
            assert read_member(data, "labels.txt", MOST) is None
