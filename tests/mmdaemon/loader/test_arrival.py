"""Bringing a source up, with a runtime that only counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tiny_tflite as tiny
from mmdaemon.folder.scan import scan
from mmdaemon.loader.arrival import Arrival, Bounds
from mmdaemon.loader.arrived import Refused
from mmdaemon.loader.instances import Instances
from mmdaemon.loader.records import Records
from mmdaemon.loader.route import Policy, Way
from mmdaemon.store.blob import Blobs
from mmdaemon.store.layout import Layout
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.verdict import Verdict, Verdicts


class CountingRuntime:
    name, version, caution = "fake", "1", ""

    def __init__(self) -> None:
        self.loads = 0

    def load(self, path: str, threads: int, traits: Any) -> Any:
        self.loads += 1

        class Instance:
            def __init__(self) -> None:
                self.signatures: dict[str, Any] = {}

            def close(self) -> None:
                return None

        return Instance()


def never(source: Path, name: str) -> Any:
    raise AssertionError("nothing is to be converted")


def test_labels_that_cannot_be_read_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    """A deployment that is never published would stay in memory."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "a.tflite").write_bytes(tiny.add_constant(1))
    (folder / "a.labels.txt").write_bytes(b"\xff\xfe")
    layout = Layout(tmp_path / "store")
    layout.prepare()
    runtime = CountingRuntime()
    with ThreadPoolExecutor(1) as executor:
        arrival = Arrival(
            Records(Ledger(layout)),
            Blobs(layout),
            Verdicts(layout),
            lambda blob, threads: Verdict(True),
            never,
            lambda: Policy("auto", False, False, False, False),
            {Way.THREAD: runtime},
            Instances(executor),
            Bounds(2, 1 << 30, "cpu"),
        )
        [source] = scan(folder).sources["a"]
        result = arrival.bring_up(source, 1)
    assert isinstance(result, Refused) and "UTF-8" in result.error.message
    assert runtime.loads == 0
