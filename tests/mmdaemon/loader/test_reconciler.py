"""The reconciler's looks, most of them taken one by one without its thread; loads end when the test says so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

import mmdaemon.loader.reconciler as module
from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.candidate import Candidate
from mmdaemon.loader.comparison import Comparison
from mmdaemon.loader.loads import Loads
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.reconciler import Reconciler
from mmdaemon.loader.swap import Swap
from mmdaemon.loader.waiting import Waiting
from mmdaemon.registry.model import ServingFacts
from mmdaemon.registry.registry import Registry
from mmwire.errors import MmError
from mmwire.manifest import ModelOptions
from mmwire.tensor import SignatureSpec, TensorSpec
from rig import tiny_tflite as tiny

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))
LIMIT_S = 20.0


class Later(Executor):
    """Runs what it was given when the test says so."""

    def __init__(self, asked: threading.Event) -> None:
        self._asked = asked
        self.tasks: list[Callable[[], None]] = []
        self.futures: list[Future[Any]] = []

    def submit(self, task: Callable[..., Any], /, *arguments: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.futures.append(future)
        self.tasks.append(lambda: future.set_result(task(*arguments)))
        self._asked.set()
        return future

    def run(self) -> None:
        while self.tasks:
            self.tasks.pop(0)()


class FakeStore:
    def __init__(self) -> None:
        self.counter: dict[str, int] = {}
        self.written = 0
        self.during_write: Callable[[], None] = lambda: None
        self.breaks_for = ""
        self._unwritten = False

    def next_version(self, name: str) -> int:
        return self.counter.get(name, 1)

    def is_stored(self, _: FolderSource) -> bool:
        return False

    def is_unloaded(self, _: str) -> bool:
        return False

    def is_kept(self, _name: str, _version: int) -> bool:
        return False

    def set_unloaded(self, _name: str, _unloaded: bool) -> None:
        self._unwritten = True

    def last_served(self, _: str) -> int:
        return 0

    def names_kept(self) -> list[str]:
        return []

    def on_retired(self, _: str) -> None:
        self._unwritten = True

    def on_serving(self, name: str, version: int, _: ModelOptions) -> None:
        if name == self.breaks_for:
            raise ZeroDivisionError("a bug")
        self._unwritten = True

    def write_down(self) -> None:
        if self._unwritten:
            self._unwritten = False
            self.during_write()
            self.written += 1


class FakeArrivals:
    def __init__(self, store: FakeStore) -> None:
        self._store = store

    def bring_up(self, candidate: Candidate, number: int) -> Arrived | Refused:
        self._store.counter[candidate.name] = number + 1
        deployment = Deployment(candidate.name, number, {SPEC.name: SPEC}, 1, 1, [object()])
        return Arrived(deployment, f"{number:064x}", ServingFacts((SPEC,)))

    def discard(self, arrived: Arrived) -> None:
        raise AssertionError("nothing here is loaded in vain")


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FakeStore()
        self.registry = Registry("fake")
        self.dispatcher = Dispatcher(2, 10, 1_000, lambda *_: None, lambda _: None)
        self.asked = threading.Event()  # something is to be loaded
        self.revived = threading.Event()
        self.loads = Later(self.asked)
        self.answers: list[dict[str, Any] | MmError] = []
        swap = Swap(self.dispatcher, self.registry, lambda _: None)
        loads = Loads(self.loads, FakeArrivals(self.store))
        comparison = Comparison(self.store, self.registry, swap, loads, Pace(10.0, 0.0, 60.0, 3.0))
        self.reconciler = Reconciler(folder, comparison, Waiting(self.registry), loads, self.store.write_down)

    def put(self, name: str, value: float = 1.0) -> None:
        part = self.folder / ".part"
        part.write_bytes(tiny.add_constant(value))
        part.rename(self.folder / f"{name}.tflite")

    def step(self) -> None:
        """Do what its thread would do next, if there is anything."""
        if self.reconciler.has_work:
            self.reconciler.step()

    def serving(self, name: str) -> int:
        with self.dispatcher.scheduler() as scheduler:
            lane = scheduler.lanes.get(name)
            return lane.deployment.version if lane is not None and lane.deployment is not None else 0

    def wait(self, name: str) -> None:
        self.reconciler.wait_for(name, 0, "", float("inf"), self.answers.append)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_result_that_shows_a_bug_loses_no_other(world: World) -> None:
    world.store.breaks_for = "a"
    world.put("a")
    world.put("b")
    world.step()
    world.loads.run()
    world.step()
    assert world.serving("b") == 1
    assert world.reconciler.wait_decided(0.0)


def test_a_wait_is_not_answered_with_what_was_on_its_way_when_a_newer_file_came(world: World) -> None:
    world.put("a", 1)
    world.step()
    world.put("a", 2)
    world.wait("a")
    world.step()
    world.loads.run()
    world.step()
    assert world.serving("a") == 1 and not world.answers
    world.step()
    world.loads.run()
    world.step()
    [answer] = world.answers
    assert isinstance(answer, dict) and answer["version"] == 2


def test_a_wait_is_answered_when_what_was_on_its_way_is_the_newest(world: World) -> None:
    world.put("a", 1)
    world.put("slow", 1)
    world.step()
    world.wait("a")
    world.step()
    world.loads.tasks.pop(0)()
    world.step()
    [answer] = world.answers
    assert isinstance(answer, dict) and answer["version"] == 1


def test_a_newer_file_is_taken_up_while_other_names_still_load(world: World) -> None:
    world.put("a", 1)
    world.put("slow", 1)
    world.step()
    world.put("a", 2)
    world.reconciler.on_hint()
    world.step()
    world.loads.tasks.pop(0)()
    world.step()
    world.step()
    world.loads.tasks.pop()()
    world.step()
    assert world.serving("a") == 2


def test_a_load_that_ends_during_a_look_delays_no_newer_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks_whole = module.is_whole

    def ends_a_load(source: FolderSource) -> bool:
        world.loads.run()
        return looks_whole(source)

    world.put("a", 1)
    world.step()
    world.put("a", 2)
    world.put("b", 1)
    monkeypatch.setattr(module, "is_whole", ends_a_load)
    world.reconciler.on_hint()
    for _ in range(3):
        world.step()
    world.loads.run()
    world.step()
    assert world.serving("a") == 2


def test_what_serves_is_written_down_outside_of_the_monitor_and_before_the_answer(world: World) -> None:
    def look_from_elsewhere() -> None:
        assert not world.answers
        found: list[bool] = []
        elsewhere = threading.Thread(
            target=lambda: found.append(world.reconciler.monitor.acquire(timeout=LIMIT_S / 20))
        )
        elsewhere.start()
        elsewhere.join(LIMIT_S)
        assert found == [True], "OPEN and status would wait for the disk"

    world.store.during_write = look_from_elsewhere
    world.put("a")
    world.wait("a")
    world.step()
    world.loads.run()
    world.step()
    assert world.store.written == 1 and len(world.answers) == 1


def test_unloading_is_answered_once_it_was_written_down(world: World) -> None:
    world.put("a")
    world.step()
    world.loads.run()
    world.step()
    written = world.store.written
    world.reconciler.unload("a", world.answers.append)
    assert not world.answers and not world.serving("a")
    world.step()
    assert world.store.written == written + 1
    [answer] = world.answers
    assert isinstance(answer, dict) and answer["state"] in ("unloaded", "retiring")


def test_a_load_that_the_end_of_the_daemon_cancels_is_no_bug(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bugs: list[str] = []
    monkeypatch.setattr(module, "log_bug", lambda *told: bugs.append(told[0]))
    world.put("a")
    world.step()
    assert world.loads.futures.pop().cancel()
    assert not bugs


@pytest.fixture
def running(world: World) -> Iterator[World]:
    """A world whose reconciler has its own thread, as the daemon's has."""
    world.reconciler.start(world.revived.set)
    yield world
    world.reconciler.stop()


def look_again(world: World) -> None:
    """Wait for a look that begins after this."""
    seen = world.reconciler.wait_look(-1)
    world.reconciler.on_hint()
    assert world.reconciler.wait_look(seen) > seen


def test_its_thread_looks_when_it_is_told_to_and_ends_when_it_is_told_to(running: World) -> None:
    reconciler = running.reconciler
    assert reconciler.wait_look(0) > 0
    running.put("a")
    reconciler.on_hint(running.folder / "a.tflite", renamed=True)
    assert running.asked.wait(LIMIT_S), "the file is brought up"
    assert not reconciler.wait_decided(0.0)
    running.loads.run()
    assert reconciler.wait_decided(LIMIT_S) and running.serving("a") == 1
    look_again(running)
    assert running.revived.is_set(), "with every look but the first"
    assert reconciler.is_alive and not reconciler.is_stopping
    reconciler.stop()
    reconciler.stop()
    assert not reconciler.is_alive and reconciler.is_stopping
    assert reconciler.wait_look(1_000_000) > 0, "nobody waits for a look that never comes"


def test_another_pace_is_taken_up_at_once(running: World) -> None:
    (running.folder / "a.tflite").write_bytes(tiny.add_constant(1)[:100])  # not whole: settles for a minute
    look_again(running)
    assert not running.asked.is_set()
    running.reconciler.set_pace(Pace(10.0, 0.0, 0.0, 3.0))
    assert running.asked.wait(LIMIT_S)


def test_an_unloaded_name_is_brought_up_again_when_it_is_asked_for(world: World) -> None:
    world.put("a")
    world.step()
    world.loads.run()
    world.step()
    world.reconciler.unload("a", world.answers.append)
    world.step()
    world.step()
    assert not world.loads.tasks and not world.serving("a")
    world.reconciler.load("a")
    world.step()
    world.loads.run()
    world.step()
    assert world.serving("a")


def test_a_look_that_shows_a_bug_is_not_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def has_a_bug(_: Path) -> Any:
        raise ZeroDivisionError("a bug")

    world.put("a")
    with monkeypatch.context() as patch:
        patch.setattr(module, "scan", has_a_bug)
        world.step()
    assert "bug while looking at the model folder" in caplog.text
    world.reconciler.on_hint()
    world.step()
    world.loads.run()
    world.step()
    assert world.serving("a") == 1


def test_a_bug_while_writing_down_keeps_no_answer_back(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def has_a_bug() -> None:
        raise ZeroDivisionError("a bug")

    world.store.during_write = has_a_bug
    world.put("a")
    world.wait("a")
    world.step()
    world.loads.run()
    world.step()
    assert len(world.answers) == 1
    assert "bug while writing down" in caplog.text


def test_trouble_with_the_whole_folder_is_told_once_and_its_end_too(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.put("a")
    world.step()
    world.loads.run()
    world.step()

    def told() -> list[str]:
        found = [record.getMessage() for record in caplog.records if "model folder" in record.getMessage()]
        caplog.clear()
        return found

    kept = (world.folder / "a.tflite").rename(world.folder.parent / "kept.tflite")
    for expected in (["it is empty"], []):
        world.reconciler.on_hint()
        world.step()
        assert [text.partition(": ")[2].partition(";")[0] for text in told()] == expected
    assert world.reconciler.trouble and world.serving("a") == 1
    kept.rename(world.folder / "a.tflite")
    world.reconciler.on_hint()
    world.step()
    assert [text.endswith("is back") for text in told()] == [True]
    assert world.reconciler.trouble == ""


def test_a_look_that_fails_counts_is_told_and_leaves_nobody_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> None:
        raise ZeroDivisionError("a bug")

    world.put("a")
    with monkeypatch.context() as patch:
        patch.setattr(module, "scan", broken)
        world.reconciler.wait_for("a", 0, "", 0.0, world.answers.append)
        world.step()
        assert world.reconciler.wait_look(0) == 1, "a start does not hang on it"
        [answer] = world.answers
        assert isinstance(answer, MmError) and answer.code == "DEADLINE_EXCEEDED"
        assert "ZeroDivisionError" in world.reconciler.trouble
        world.wait("a")
        world.step()
        assert len(world.answers) == 1, "a look that failed answers nobody who can still wait"
    world.reconciler.on_hint()
    world.step()
    world.loads.run()
    world.step()
    assert world.serving("a") == 1 and not world.reconciler.trouble and len(world.answers) == 2


def test_a_wait_that_is_withdrawn_is_not_answered(world: World) -> None:
    world.wait("a")
    assert world.reconciler.withdraw(world.answers.append)
    world.put("a")
    for _ in range(3):
        world.step()
        world.loads.run()
    assert world.serving("a") == 1 and not world.answers
