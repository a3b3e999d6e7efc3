from __future__ import annotations

import errno
import json
import os
from typing import Any

import pytest

from mmdaemon.store.layout import Layout
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.record import NameRecord, VersionRecord
from mmwire.errors import ModelError

A, B = "a" * 64, "b" * 64


def record_of(*sha256s: str, name: str = "m") -> NameRecord:
    record = NameRecord(name)
    for number, sha256 in enumerate(sha256s, 1):
        record.put(number, VersionRecord(sha256, "flat"))
    record.serving = len(sha256s) or None
    return record


def test_a_saved_record_is_loaded(layout: Layout) -> None:
    ledger = Ledger(layout)
    assert ledger.load("m") == NameRecord("m")
    ledger.save(record_of(A))
    ledger.save(record_of(A, B))
    ledger.save(record_of(name="other-1.0_x"))
    assert ledger.load("m") == record_of(A, B)
    assert ledger.load_all() == {"m": record_of(A, B), "other-1.0_x": record_of(name="other-1.0_x")}


def test_other_files_are_not_records(layout: Layout) -> None:
    for name in (".hidden.json", "m.json.corrupt", "notes.txt", "two words.json"):
        (layout.names / name).write_text("{}")
    assert Ledger(layout).load_all() == {}


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[]", b'{"name": "m"}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_record_is_set_aside_and_never_fatal(layout: Layout, damage: bytes) -> None:
    path = layout.names / "m.json"
    path.write_bytes(damage)
    assert Ledger(layout).load_all() == {"m": NameRecord("m")}
    assert (layout.names / "m.json.corrupt").read_bytes() == damage
    assert json.loads(path.read_bytes())["next_version"] == 1


def test_numbers_are_not_given_again_after_damage(layout: Layout) -> None:
    ledger = Ledger(layout)
    record = record_of(A, B)
    record.next_version = 42
    ledger.save(record)
    path = layout.names / "m.json"
    path.write_bytes(path.read_bytes()[:-20])
    assert ledger.load("m") == NameRecord("m", next_version=42)
    assert Ledger(layout).load("m") == NameRecord("m", next_version=42)
    ledger.save(record_of(A, B))
    path.write_bytes(path.read_bytes().replace(b"next_version", b"next_versiom"))
    assert ledger.load("m").next_version == 3


def test_every_flipped_bit_is_noticed_or_harmless(layout: Layout) -> None:
    ledger = Ledger(layout)
    ledger.save(record_of(A))
    path = layout.names / "m.json"
    good = path.read_bytes()
    for position in range(len(good)):
        data = bytearray(good)
        data[position] ^= 1 << (position % 8)
        path.write_bytes(data)
        found = ledger.load("m")
        assert found == record_of(A) or (found.versions == {} and found.next_version >= 1), position


def test_a_record_written_by_hand_is_accepted(layout: Layout) -> None:
    fields = record_of(A).as_dict()
    (layout.names / "m.json").write_text(json.dumps(fields))
    assert Ledger(layout).load("m") == record_of(A)


def test_a_record_under_another_name_is_damage(layout: Layout) -> None:
    ledger = Ledger(layout)
    ledger.save(record_of(A))
    (layout.names / "m.json").rename(layout.names / "n.json")
    assert ledger.load("n") == NameRecord("n", next_version=2)


def test_a_disk_that_refuses_is_a_store_error_and_the_old_record_stays(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(layout)
    ledger.save(record_of(A))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ModelError) as caught:
            ledger.save(record_of(A, B))
    assert (caught.value.code, caught.value.retryable) == ("STORE_FAILED", True)
    assert ledger.load("m") == record_of(A)
    assert list(layout.tmp.iterdir()) == []


def test_a_record_that_cannot_be_read_is_not_fatal(layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    (layout.names / "m.json").mkdir()
    assert Ledger(layout).load("m") == NameRecord("m")
    assert "the record of m cannot be read" in caplog.text


@pytest.mark.parametrize("old", [None, record_of(A)], ids=["first", "replace"])
def test_a_power_cut_at_any_step_leaves_the_old_or_the_new_record(
    layout: Layout, power: Any, old: NameRecord | None
) -> None:
    before, after = old or NameRecord("m"), record_of(A, B)

    def begin() -> None:
        power.cut_at = None
        (layout.names / "m.json").unlink(missing_ok=True)
        if old is not None:
            Ledger(layout).save(old)
        power.steps.clear()

    begin()
    Ledger(layout).save(after)
    steps = list(power.steps)
    assert steps == ["mkstemp", "fchmod", "fsync file", "replace", "fsync folder names"]
    outcomes = []
    for cut_at in range(len(steps)):
        begin()
        power.cut_at = cut_at
        with pytest.raises(power.error):
            Ledger(layout).save(after)
        power.cut_at = None
        layout.sweep()
        outcomes.append(Ledger(layout).load_all().get("m", NameRecord("m")))
        Ledger(layout).save(after)
        assert Ledger(layout).load("m") == after
    assert outcomes == [before] * 4 + [after]
    assert list(layout.names.glob("*.corrupt")) == []
