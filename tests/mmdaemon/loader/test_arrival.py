"""Bringing a source up, with a runtime that only counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mmdaemon.folder.scan import scan
from mmdaemon.loader.arrival import Arrivals, Box, Check
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.candidate import StoredSource
from mmdaemon.loader.instances import Instances
from mmdaemon.loader.intake import Door
from mmdaemon.loader.route import Policy, Way
from mmdaemon.runtime.interface import Runtime
from mmdaemon.store.blob import Blobs, OpenBlob
from mmdaemon.store.layout import Layout
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.records import Records
from mmdaemon.store.store import Store
from mmdaemon.store.trial import TrialResult
from mmwire.manifest import ModelOptions
from mmwire.tensor import SignatureSpec, TensorSpec
from rig import tiny_tflite as tiny

REFUSED = Policy("auto", False, False, False, False)  # of SavedModels


class Loaded:
    def __init__(self, signatures: dict[str, SignatureSpec]) -> None:
        self.signatures = signatures

    def run(self, *arguments: Any) -> Any:
        return None

    def close(self) -> None:
        return None


class CountingRuntime:
    name, version, caution = "fake", "1", ""

    def __init__(self, signatures: dict[str, SignatureSpec] | None = None) -> None:
        self.signatures = signatures or {}
        self.loads = 0

    def load(self, path: str, threads: int, traits: Any) -> Any:
        self.loads += 1
        return Loaded(self.signatures)


class Start:
    """What a start of the daemon makes over one store."""

    def __init__(self, door: Door, arrivals: Arrivals) -> None:
        self.store = door.store
        self.bring_up = arrivals.bring_up


def passes(blob: OpenBlob, threads: int) -> TrialResult:
    return TrialResult(True)


def never(source: Path, name: str) -> Any:
    raise AssertionError("nothing is to be converted")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Start]]:
    """Make arrivals over one store, as every start of the daemon does; every trial goes well."""
    layout = Layout(tmp_path / "store")
    layout.prepare()
    (tmp_path / "models").mkdir()
    with ThreadPoolExecutor(1) as executor:

        def make(
            runtime: Runtime,
            max_model_bytes: int = 1 << 30,
            trial: Check | None = None,
            policy: Policy = REFUSED,
            runtimes: Mapping[Way, Runtime] | None = None,
        ) -> Start:
            door = Door(Store(layout), never, lambda: policy, max_model_bytes)
            box = Box(2, "cpu", runtimes or {Way.THREAD: runtime})
            return Start(door, Arrivals(door, trial or passes, Instances(executor), box))

        yield make


def test_what_served_comes_back_from_the_store_with_its_options(tmp_path: Path, start: Callable[..., Start]) -> None:
    folder = tmp_path / "models"
    model, options, labels = (folder / f"a{suffix}" for suffix in (".tflite", ".toml", ".labels.txt"))
    model.write_bytes(tiny.add_constant(1))
    options.write_text("max_queue = 3\n")
    before = start(CountingRuntime())
    [source] = scan(folder).sources["a"]
    served = before.bring_up(source, 1)
    assert isinstance(served, Arrived)
    before.store.records.on_serving("a", 1, served.facts.options)
    before.store.write_down()

    model.write_bytes(b"torn")
    options.write_text("max_quue = 3\n")
    labels.write_bytes(b"\xff")
    after = start(CountingRuntime())
    [source] = scan(folder).sources["a"]
    assert isinstance(after.bring_up(source, 2), Refused)
    stored = StoredSource(after.store.records.last_served("a"), source)
    recalled = after.bring_up(stored, 1)
    assert isinstance(recalled, Arrived) and recalled.deployment.version == 1
    assert (recalled.sha256, recalled.facts.options.max_queue) == (served.sha256, 3)
    small = start(CountingRuntime(), max_model_bytes=100).bring_up(stored, 1)
    assert isinstance(small, Refused) and "the limit is 100" in small.error.message, "the configuration holds"
    lost = after.bring_up(replace(stored, version=9), 9)
    assert isinstance(lost, Refused) and "does not know version 9" in lost.error.message


def test_a_saved_model_is_not_taken_from_the_store(tmp_path: Path, start: Callable[..., Start]) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"a graph")
    (tmp_path / "models" / "a.tflite").write_bytes(b"torn")
    layout = Layout(tmp_path / "store")
    [source] = scan(tmp_path / "models").sources["a"]
    Records(Ledger(layout)).put(source, Blobs(layout).ingest(folder).sha256)
    result = start(CountingRuntime()).bring_up(StoredSource(1, source), 1)
    assert isinstance(result, Refused) and "a SavedModel folder served last" in result.error.message


def test_labels_that_do_not_fit_the_classes_serve_and_are_named(
    tmp_path: Path, start: Callable[..., Start], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "models"
    (folder / "a.tflite").write_bytes(tiny.add_constant(1))
    runtime = CountingRuntime({"serve": SignatureSpec("serve", (), (TensorSpec("y", "float32", (-1, 3)),))})
    arrival = start(runtime)
    for count in (0, 2, 3, 4):
        (folder / "a.labels.txt").write_text("a label\n" * count)
        [source] = scan(folder).sources["a"]
        assert isinstance(arrival.bring_up(source, 1), Arrived)
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "a: 2 labels for 3 classes",
        "a: 4 labels for 3 classes",
    ]


def test_labels_that_cannot_be_read_are_refused_before_anything_is_loaded(
    tmp_path: Path, start: Callable[..., Start]
) -> None:
    """A deployment that is never published would stay in memory."""
    folder = tmp_path / "models"
    (folder / "a.tflite").write_bytes(tiny.add_constant(1))
    (folder / "a.labels.txt").write_bytes(b"\xff\xfe")
    runtime = CountingRuntime()
    [source] = scan(folder).sources["a"]
    result = start(runtime).bring_up(source, 1)
    assert isinstance(result, Refused) and "UTF-8" in result.error.message
    assert runtime.loads == 0


def test_the_last_words_of_a_trial_that_died_come_along(tmp_path: Path, start: Callable[..., Start]) -> None:
    def dies(blob: OpenBlob, threads: int) -> TrialResult:
        return TrialResult(False, "MODEL_CRASHED", "killed by SIGSEGV", detail="terminate called: bad tensor")

    (tmp_path / "models" / "a.tflite").write_bytes(tiny.add_constant(1))
    [source] = scan(tmp_path / "models").sources["a"]
    result = start(CountingRuntime(), trial=dies).bring_up(source, 1)
    assert isinstance(result, Refused) and result.detail == "terminate called: bad tensor"
    assert (result.error.code, len(result.sha256)) == ("MODEL_CRASHED", 64)


def test_bytes_that_the_store_lost_are_copied_again(tmp_path: Path, start: Callable[..., Start]) -> None:
    (tmp_path / "models" / "a.tflite").write_bytes(tiny.add_constant(1))
    [source] = scan(tmp_path / "models").sources["a"]
    arrivals = start(CountingRuntime())
    first = arrivals.bring_up(source, 1)
    assert isinstance(first, Arrived)
    (tmp_path / "store/blobs" / first.sha256).unlink()
    again = arrivals.bring_up(source, 1)
    assert isinstance(again, Arrived) and again.sha256 == first.sha256
    assert (tmp_path / "store/blobs" / first.sha256).exists()
    lost = StoredSource(1, source)
    (tmp_path / "store/blobs" / first.sha256).unlink()
    refused = arrivals.bring_up(lost, 1)
    assert isinstance(refused, Refused) and refused.error.code == "STORE_FAILED", "there is nothing to copy from"


def test_a_saved_model_is_loaded_by_tensorflow_without_a_trial(tmp_path: Path, start: Callable[..., Start]) -> None:
    def no_trial(blob: OpenBlob, threads: int) -> TrialResult:
        raise AssertionError("only TFLite models are tried")

    class HasFacts(Loaded):
        facts: ClassVar = {"state": "none", "labels": ["ant", "bee"]}

    class TensorFlow(CountingRuntime):
        name = "tensorflow"

        def load(self, path: str, threads: int, traits: Any) -> Any:
            assert threads == 2, "all cores"
            return HasFacts(self.signatures)

    folder = tmp_path / "models" / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"a graph")
    [source] = scan(tmp_path / "models").sources["saved"]
    policy = Policy("always", False, True, False, False)
    runtimes = {Way.THREAD: CountingRuntime(), Way.TENSORFLOW: TensorFlow()}
    arrivals = start(runtimes[Way.THREAD], trial=no_trial, policy=policy, runtimes=runtimes)
    result = arrivals.bring_up(source, 1)
    assert isinstance(result, Arrived)
    assert (result.facts.runtime, result.facts.labels) == ("tensorflow", ["ant", "bee"])
    assert (result.deployment.cost, result.deployment.max_instances, result.deployment.is_on_demand) == (2, 1, True)
    assert runtimes[Way.THREAD].loads == 0


class Trials:
    """Trials that end as they are told, one after the other; the last one again and again."""

    def __init__(self, *results: TrialResult) -> None:
        self._results = list(results)
        self.count = 0

    def __call__(self, blob: OpenBlob, threads: int) -> TrialResult:
        self.count += 1
        return self._results.pop(0) if len(self._results) > 1 else self._results[0]


CRASH = TrialResult(False, "MODEL_CRASHED", "killed by SIGSEGV")


def test_a_crash_is_believed_when_it_happens_twice(tmp_path: Path, start: Callable[..., Start]) -> None:
    (tmp_path / "models" / "a.tflite").write_bytes(tiny.add_constant(1))
    [source] = scan(tmp_path / "models").sources["a"]
    stray = Trials(CRASH, TrialResult(True))
    assert isinstance(start(CountingRuntime(), trial=stray).bring_up(source, 1), Arrived)
    assert stray.count == 2


def test_a_refusal_outlives_a_restart_and_is_tried_again_when_asked(
    tmp_path: Path, start: Callable[..., Start]
) -> None:
    (tmp_path / "models" / "a.tflite").write_bytes(tiny.add_constant(1))
    [source] = scan(tmp_path / "models").sources["a"]
    assert isinstance(start(CountingRuntime(), trial=Trials(CRASH)).bring_up(source, 1), Refused)
    tensors = (TensorSpec("x", "float32", (-1, 4)),)
    later = Trials(TrialResult(True, signatures=[SignatureSpec("serve", tensors, tensors).as_dict()]))
    restarted = start(CountingRuntime(), trial=later)
    assert isinstance(restarted.bring_up(source, 1), Refused) and later.count == 0, "a restart tries nothing twice"
    assert isinstance(restarted.bring_up(source, 1), Arrived), "as after mmctl load, or a touch"
    assert isinstance(restarted.bring_up(source, 1), Arrived) and later.count == 1, "a good result counts from then on"


def test_bytes_that_no_name_needs_leave_the_store(tmp_path: Path, start: Callable[..., Start]) -> None:
    folder, blobs = tmp_path / "models", tmp_path / "store" / "blobs"
    made = start(CountingRuntime(), trial=Trials(CRASH))
    for value in range(3):
        (folder / "a.tflite").write_bytes(tiny.add_constant(value))
        [source] = scan(folder).sources["a"]
        assert isinstance(made.bring_up(source, value + 1), Refused)
        made.store.write_down()
    assert not list(blobs.iterdir())
    (folder / "b.tflite").write_bytes(tiny.add_constant(9))
    good = start(CountingRuntime(), trial=Trials(TrialResult(True)))
    [source] = scan(folder).sources["b"]
    assert isinstance(good.bring_up(source, 1), Arrived)
    good.store.records.on_serving("b", 1, ModelOptions())
    good.store.write_down()
    assert len(list(blobs.iterdir())) == 1
    good.store.records.on_retired("b")
    good.store.write_down()
    assert not list(blobs.iterdir()) and good.store.records.next_version("b") == 2
