"""Records: what is asked under a monitor never waits for the disk."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.store.layout import Layout
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.record import NameRecord
from mmdaemon.store.records import Records
from mmwire.errors import ModelError
from mmwire.manifest import ModelOptions, read_options

LIMIT_S = 20.0
SOURCE = FolderSource("a", None, "tflite", Path("/m/a.tflite"), FileIdentity(1, 2, 3, 4, 5))


class SlowLedger(Ledger):
    """A disk that takes a record when the test says so."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.writing = threading.Event()
        self.go_on = threading.Event()

    def save(self, record: NameRecord) -> None:
        self.writing.set()
        assert self.go_on.wait(LIMIT_S)
        super().save(record)


def test_nothing_but_the_writer_waits_for_a_slow_disk(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.prepare()
    ledger = SlowLedger(layout)
    records = Records(ledger)
    writer = threading.Thread(target=records.put, args=(SOURCE, "0" * 64))
    writer.start()
    assert ledger.writing.wait(LIMIT_S)
    asked: list[object] = []

    def ask() -> None:
        records.on_serving("a", 1, ModelOptions(threads=2))
        records.set_unloaded("a", True)
        asked.extend([records.next_version("a"), records.is_stored(SOURCE), records.is_unloaded("a")])
        asked.append(records.is_kept("a", 1))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(LIMIT_S / 10)
    ledger.go_on.set()
    writer.join(LIMIT_S)
    assert asked == [2, True, True, True]
    assert records.write_down() and not records.write_down()
    read = ledger.load("a")
    assert (read.serving, read.unloaded, read.next_version) == (1, True, 2)
    assert read.versions[1].options["threads"] == 2


def test_the_record_tells_after_a_restart_what_served_last(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.prepare()
    records = Records(Ledger(layout))
    assert records.last_served("a") == 0
    records.on_serving("a", records.put(SOURCE, "0" * 64), ModelOptions(max_queue=3))
    records.put(replace(SOURCE, identity=FileIdentity(1, 2, 3, 9, 9)), "0" * 64)  # copied again: the same bytes
    records.put(replace(SOURCE, identity=FileIdentity(1, 2, 3, 7, 7)), "1" * 64)  # what comes next does not serve
    records.write_down()
    after = Records(Ledger(layout))
    assert after.last_served("a") == 1 and after.stored("a", 1).sha256 == "0" * 64
    assert read_options(after.stored("a", 1).options) == ModelOptions(max_queue=3)
    with pytest.raises(ModelError, match="does not know version 7"):
        after.stored("a", 7)


def known_after(tmp_path: Path, *sources: FolderSource) -> Records:
    layout = Layout(tmp_path)
    layout.prepare()
    records = Records(Ledger(layout))
    for index, source in enumerate(sources):
        records.put(source, f"{index + 1:064x}")
    return records


def test_a_renamed_or_linked_version_folder_is_the_version_of_its_name(tmp_path: Path) -> None:
    one = FolderSource("a", 1, "tflite", Path("/m/a/1/model.tflite"), FileIdentity(1, 2, 3, 4, 5))
    records = known_after(tmp_path, one)
    assert records.known(one) == (1, f"{1:064x}")
    renamed = replace(one, version=2, path=Path("/m/a/2/model.tflite"))
    assert records.known(renamed) is None, "it is copied, and becomes version 2"
    assert records.put(renamed, f"{1:064x}") == 2


def test_a_link_that_leads_back_to_older_bytes_is_a_new_version(tmp_path: Path) -> None:
    one = SOURCE
    two = replace(SOURCE, identity=FileIdentity(1, 3, 3, 4, 6))
    records = known_after(tmp_path, one, two)
    records.on_serving("a", 2, ModelOptions())
    assert records.known(two) == (2, f"{2:064x}") and records.known(one) is None
    assert records.put(one, f"{1:064x}") == 3


def test_what_is_kept_of_a_name_goes_with_it(tmp_path: Path) -> None:
    records = known_after(tmp_path, SOURCE)
    records.on_serving("a", 1, ModelOptions())
    records.set_unloaded("b", True)
    assert records.names_kept() == ["a", "b"]
    for name in "ab":
        records.on_retired(name)
    assert records.names_kept() == [] and not records.is_unloaded("b")
    assert records.next_version("a") == 2
