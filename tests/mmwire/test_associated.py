"""The labels that TFLite Metadata names and a zip archive behind the model holds."""

from __future__ import annotations

import random
import zipfile

import pytest

from mmwire.associated import METADATA_ENTRY, associated_labels
from mmwire.tflite import outline
from rig import tiny_tflite as tiny
from rig.tflite_metadata import AXIS_LABELS, DESCRIPTIONS, VALUE_LABELS, Files, append_files, metadata

LABELS = b"cat\ndog\n"
MOST = 1000


def model(entry: bytes, files: dict[str, bytes]) -> bytes:
    return append_files(tiny.add_constant(1, metadata={METADATA_ENTRY: entry}), files)


def labels_of(content: bytes) -> bytes | None:
    return associated_labels(memoryview(content), outline(content), MOST)


@pytest.mark.parametrize("kind", [AXIS_LABELS, VALUE_LABELS])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_label_file_of_an_output_is_read(kind: int, method: int) -> None:
    entry = metadata([[("readme.txt", DESCRIPTIONS), ("labels.txt", kind)]])
    content = tiny.add_constant(1, metadata={METADATA_ENTRY: entry})
    assert labels_of(append_files(content, {"readme.txt": b"no", "labels.txt": LABELS}, method)) == LABELS


def test_the_first_output_that_has_labels_counts_and_no_input() -> None:
    entry = metadata(
        [[], [("a.txt", AXIS_LABELS), ("a_de.txt", AXIS_LABELS)], [("b.txt", AXIS_LABELS)]],
        inputs=[[("words.txt", AXIS_LABELS)]],
    )
    files = {name: name.encode() for name in ("words.txt", "b.txt", "a_de.txt", "a.txt")}
    assert labels_of(model(entry, files)) == b"a.txt"


@pytest.mark.parametrize(
    ("outputs", "files"),
    [
        ([], {"labels.txt": LABELS}),
        ([[("labels.txt", DESCRIPTIONS)]], {"labels.txt": LABELS}),
        ([[("labels.txt", AXIS_LABELS)]], {"other.txt": LABELS}),
        ([[("labels.txt", AXIS_LABELS)]], {"labels.txt": LABELS * MOST}),
        ([[("n" * 300, AXIS_LABELS)]], {"n" * 300: LABELS}),
        ([[("../../labels.txt", AXIS_LABELS)]], {"labels.txt": LABELS}),
        ([[("no.txt", DESCRIPTIONS)] * 64 + [("labels.txt", AXIS_LABELS)]], {"labels.txt": LABELS}),
    ],
    ids=["no output", "no labels", "no file", "too large", "long name", "path", "too many"],
)
def test_without_labels_that_can_be_read_there_are_none(outputs: list[Files], files: dict[str, bytes]) -> None:
    assert labels_of(model(metadata(outputs), files)) is None


def test_a_file_without_metadata_or_archive_has_none() -> None:
    entry = metadata([[("labels.txt", AXIS_LABELS)]])
    assert labels_of(tiny.add_constant(1)) is None
    assert labels_of(append_files(tiny.add_constant(1), {"labels.txt": LABELS})) is None
    assert labels_of(tiny.add_constant(1, metadata={METADATA_ENTRY: entry})) is None
    assert labels_of(model(entry.replace(b"M001", b"M999"), {"labels.txt": LABELS})) is None
    assert labels_of(model(entry + bytes(2 << 20), {"labels.txt": LABELS})) is None


@pytest.mark.parametrize("seed", range(10))
def test_metadata_with_flipped_bytes_gives_labels_or_none(seed: int) -> None:
    entry = metadata([[("labels.txt", AXIS_LABELS)]])
    content = model(entry, {"labels.txt": LABELS})
    begin = content.index(entry)
    random_ = random.Random(seed)
    for _ in range(500):
        changed = bytearray(content)
        for _ in range(random_.randint(1, 4)):
            changed[begin + random_.randrange(len(entry))] = random_.randrange(256)
        assert labels_of(bytes(changed)) in (LABELS, None)
