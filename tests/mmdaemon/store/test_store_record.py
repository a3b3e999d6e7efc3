from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.store.record import NameRecord, VersionRecord, version_for

A, B, C = "a" * 64, "b" * 64, "c" * 64
IDENTITY = FileIdentity(1, 2, 3, 4, 5)
FLAT = FolderSource("m", None, "tflite", Path("/models/m.tflite"), IDENTITY)
SEVENTH = FolderSource("m", 7, "tflite", Path("/models/m/7/model.tflite"), IDENTITY)


def record_of(*sha256s: str, serving: int | None = None) -> NameRecord:
    record = NameRecord("m")
    for number, sha256 in enumerate(sha256s, 1):
        record.put(number, VersionRecord(sha256, "flat"))
    record.serving = serving
    return record


def test_the_first_flat_file_is_version_one() -> None:
    assert version_for(NameRecord("m"), FLAT, A) == 1


def test_new_bytes_get_the_next_number() -> None:
    assert version_for(record_of(A, serving=1), FLAT, B) == 2


def test_bytes_that_serve_are_not_a_new_version() -> None:
    assert version_for(record_of(A, serving=1), FLAT, A) == 1
    assert version_for(record_of(A, B, serving=1), FLAT, A) == 1  # 2 was refused, the user put 1 back


def test_bytes_of_the_newest_version_are_not_a_new_version() -> None:
    assert version_for(record_of(A, B, serving=1), FLAT, B) == 2
    assert version_for(record_of(A, B), FLAT, B) == 2


def test_older_bytes_that_come_back_are_a_new_version() -> None:
    assert version_for(record_of(A, B, serving=2), FLAT, A) == 3
    assert version_for(record_of(A, B), FLAT, A) == 3


def test_a_folder_has_its_number_whatever_came_before() -> None:
    assert version_for(record_of(A, B, serving=2), SEVENTH, A) == 7
    assert version_for(NameRecord("m", next_version=100), SEVENTH, A) == 7


def test_a_flat_file_comes_after_every_folder() -> None:
    record = NameRecord("m")
    record.put(7, VersionRecord(A, "versioned"))
    assert version_for(record, FLAT, B) == 8


def test_numbers_are_never_given_twice() -> None:
    record = record_of(A, B, serving=2)
    del record.versions[2]
    assert version_for(record, FLAT, C) == 3
    record.versions.clear()
    assert version_for(record, FLAT, A) == 3


def test_deciding_changes_nothing() -> None:
    record = record_of(A, serving=1)
    before = record.as_dict()
    version_for(record, FLAT, B)
    assert record.as_dict() == before


def test_a_serving_version_that_the_record_lost_decides_nothing() -> None:
    assert version_for(record_of(A, serving=9), FLAT, B) == 2


def test_blobs_that_stay() -> None:
    record = record_of(A, B, C, serving=3)
    assert record.blobs() == {C}
    record.previous, record.pinned = 2, 1
    assert record.blobs() == {A, B, C}
    record.serving = 99
    assert record.blobs() == {A, B}


def test_json_survives_a_round_trip() -> None:
    record = record_of(A, B, serving=2)
    record.previous, record.pinned, record.unloaded = 1, 2, True
    record.versions[2] = VersionRecord(B, "versioned", IDENTITY, {"threads": 2})
    assert NameRecord.from_dict(json.loads(json.dumps(record.as_dict()))) == record


def test_keys_of_a_later_release_are_passed_over() -> None:
    fields = record_of(A).as_dict() | {"colour": "blue"}
    fields["versions"]["1"] |= {"taste": ["sweet"]}
    assert NameRecord.from_dict(fields) == record_of(A)


def test_keys_that_came_later_have_defaults() -> None:
    fields = {"name": "m", "next_version": 2, "versions": {"1": {"sha256": A, "layout": "flat"}}}
    assert NameRecord.from_dict(fields) == record_of(A)


@pytest.mark.parametrize(
    "change",
    [
        {"next_version": 0},
        {"next_version": "2"},
        {"next_version": True},
        {"versions": []},
        {"versions": {"one": {"sha256": A, "layout": "flat"}}},
        {"versions": {"1": {"sha256": "short", "layout": "flat"}}},
        {"versions": {"1": {"sha256": A, "layout": "round"}}},
        {"versions": {"1": {"sha256": A, "layout": "flat", "identity": [1]}}},
        {"versions": {"1": {"sha256": A, "layout": "flat", "options": ["threads"]}}},
        {"versions": {"1": None}},
        {"serving": -1},
    ],
)
def test_other_json_is_not_a_record(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        NameRecord.from_dict(record_of(A).as_dict() | change)


@pytest.mark.parametrize("fields", [None, [], "x", {}, {"name": "m"}])
def test_other_json_is_refused(fields: Any) -> None:
    with pytest.raises(ValueError, match="record"):
        NameRecord.from_dict(fields)
