"""Models in processes of their own: real processes, a model that does what its file says."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmdaemon.isolation.instance import ProcessInstance
from mmdaemon.isolation.runtime import Children, Hosted, ProcessLimits, ProcessRuntime
from mmdaemon.isolation.warden import Warden
from mmdaemon.runtime.interface import Traits
from mmdaemon.store.archive import pack
from mmwire.errors import CapacityError, MmError
from mmwire.tensor import SignatureSpec

WITHIN_S = 30.0
PLENTY = ProcessLimits(0, WITHIN_S)


HOSTED = Hosted("fake", "1", "models:open_model", "cpu")


class World:
    def __init__(self, folder: Path, limits: ProcessLimits) -> None:
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._folder = folder
        self.lost: list[ProcessInstance] = []
        self.was_lost = threading.Event()
        self.warden = Warden(lambda taken, now: None)
        children = Children(self.scratch, self.warden, threading.Semaphore(2), limits)
        self.runtime = ProcessRuntime(HOSTED, children, self._on_lost)
        self._open: list[ProcessInstance] = []

    def _on_lost(self, instance: ProcessInstance) -> None:
        self.lost.append(instance)
        self.was_lost.set()

    def load(self, how: str) -> ProcessInstance:
        path = self._folder / "model"
        path.write_text(how)
        instance = self.runtime.load(str(path), 3, Traits(batch=4))
        self._open.append(instance)
        return instance

    def close(self) -> None:
        for instance in self._open:
            instance.close()
        self.warden.stop()


@contextlib.contextmanager
def a_world(folder: Path, limits: ProcessLimits = PLENTY) -> Iterator[World]:
    world = World(folder, limits)
    try:
        yield world
    finally:
        world.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
    with a_world(tmp_path) as world:
        yield world


def ask(instance: ProcessInstance, values: list[float], go_on: Callable[[], None] = lambda: None) -> list[float]:
    payload = array("f", values).tobytes()
    answer = instance.run("serving_default", payload, len(values) // 2, None, go_on)
    assert answer.shapes is None
    [tensor] = answer.tensors
    return list(array("f", bytes(tensor)))


def test_it_answers_as_in_this_process(world: World) -> None:
    instance = world.load("plain")
    assert list(instance.signatures) == ["serving_default"]
    assert isinstance(instance.signatures["serving_default"], SignatureSpec)
    assert instance.facts["threads"] == 3 and instance.facts["batch"] == 4 and instance.facts["device"] == "cpu"
    assert ask(instance, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert instance.pid != os.getpid() and instance.memory_bytes() > 1 << 20
    assert not list(world.scratch.iterdir()), "what was unpacked is gone"


def test_an_answer_stays_when_the_next_request_comes(world: World) -> None:
    instance = world.load("plain")
    payload = array("f", [1, 2]).tobytes()
    first = instance.run("serving_default", payload, 1, None, lambda: None)
    ask(instance, [9, 9])
    assert list(array("f", bytes(first.tensors[0]))) == [2, 4]


def test_the_memory_grows_with_the_tensors(world: World) -> None:
    instance = world.load("plain")
    for values in (2, 2 << 20, 2):
        assert ask(instance, [1.0] * values) == [2.0] * values


def test_a_folder_is_unpacked_for_it(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "how").write_text("plain")
    archive = tmp_path / "archive"
    with archive.open("wb") as file:
        pack(folder, file.write)
    instance = world.runtime.load(str(archive), 1, Traits())
    try:
        assert ask(instance, [1, 2]) == [2, 4]
        assert not list(world.scratch.iterdir())
    finally:
        instance.close()


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("die at load", "MODEL_CRASHED", "SIGSEGV"),
        ("exit at load", "MODEL_CRASHED", "status 7"),
        ("refused", "MODEL_INVALID", "no such operator"),
        ("bug at load", "MODEL_INVALID", "KeyError"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_refused_with_its_reason(world: World, how: str, code: str, says: str) -> None:
    with pytest.raises(MmError, match=says) as caught:
        world.load(how)
    assert caught.value.code == code
    assert not list(world.scratch.iterdir())
    assert not world.lost, "it never was anybody's"


def test_a_process_that_takes_too_long_to_load_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with a_world(tmp_path, ProcessLimits(0, 1.0)) as world, pytest.raises(MmError, match="within 1 s") as caught:
        world.load("hang at load")
    assert caught.value.code == "MODEL_TOO_SLOW" and caught.value.retryable


def test_a_model_that_takes_too_much_memory_is_refused_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with (
        a_world(tmp_path, ProcessLimits(1 << 30, WITHIN_S)) as world,
        pytest.raises(MmError, match="1024 MiB") as caught,
    ):
        world.load("hog")
    assert caught.value.code == "MODEL_TOO_LARGE" and caught.value.retryable


def test_a_process_that_dies_while_it_computes_loses_only_its_request(world: World) -> None:
    dying, other = world.load("die"), world.load("plain")
    with pytest.raises(MmError, match="was killed") as caught:
        ask(dying, [13, 0])
    assert caught.value.code == "INSTANCE_LOST" and caught.value.retryable
    with pytest.raises(MmError) as again:
        ask(dying, [1, 2])
    assert again.value.code == "INSTANCE_LOST"
    assert world.was_lost.wait(WITHIN_S) and world.lost == [dying]
    assert ask(other, [1, 2]) == [2, 4]


def test_a_process_that_got_no_memory_says_so(world: World) -> None:
    with pytest.raises(MmError, match="ran out of memory"):
        ask(world.load("abort"), [13, 0])


def test_an_idle_process_that_dies_is_noticed(world: World) -> None:
    instance = world.load("plain")
    os.kill(instance.pid, signal.SIGKILL)
    assert world.was_lost.wait(WITHIN_S) and world.lost == [instance]


def test_a_process_that_hangs_can_be_interrupted(world: World) -> None:
    instance = world.load("hang")
    failures: list[MmError] = []
    begun = threading.Event()

    def compute() -> None:
        try:
            ask(instance, [1, 2, 13, 0], begun.set)
        except MmError as error:
            failures.append(error)

    thread = threading.Thread(target=compute)
    thread.start()
    assert begun.wait(WITHIN_S)
    instance.interrupt()
    thread.join(WITHIN_S)
    assert [error.code for error in failures] == ["INSTANCE_LOST"]
    assert not world.lost, "it was told to end: nobody needs to hear of it"


def test_a_request_that_nobody_waits_for_ends_after_its_row(world: World) -> None:
    instance = world.load("slow")

    def gone() -> None:
        raise CapacityError("DEADLINE_EXCEEDED", "too late")

    began = time.monotonic()
    with pytest.raises(MmError, match="too late"):
        ask(instance, [13, 0] * 100, gone)
    assert time.monotonic() - began < 15, "a hundred rows would take 20 s"
    assert ask(instance, [1, 2]) == [2, 4], "the instance is as good as before"


def test_a_refusal_of_the_model_is_not_taken_for_a_bug(world: World) -> None:
    with pytest.raises(MmError, match="bad luck"):
        ask(world.load("refuse"), [13, 0])
    with pytest.raises(MmError) as caught:
        ask(world.load("bug"), [13, 0])
    assert caught.value.code == "INTERNAL"


def test_children_end_with_the_daemon(tmp_path: Path) -> None:
    """Also while they compute: a process that hangs in C code sees no closed connection."""
    (tmp_path / "model").write_text("hang")
    (tmp_path / "scratch").mkdir()
    script = f"""
import sys, threading
from array import array
from pathlib import Path
from mmdaemon.isolation.runtime import Children, Hosted, ProcessLimits, ProcessRuntime
from mmdaemon.isolation.warden import Warden
from mmdaemon.runtime.interface import Traits
children = Children(Path("{tmp_path}/scratch"), Warden(print), threading.Semaphore(2), ProcessLimits(0, {WITHIN_S}))
runtime = ProcessRuntime(Hosted("fake", "1", "models:open_model", "cpu"), children, lambda instance: None)
instance = runtime.load("{tmp_path}/model", 1, Traits())
def told():
    print(instance.pid, flush=True)
instance.run("serving_default", array("f", [1, 2, 13, 0]).tobytes(), 2, None, told)
"""
    environment = os.environ | {"PYTHONPATH": f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"}
    daemon = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    assert daemon.stdout is not None
    with daemon.stdout:
        pid = int(daemon.stdout.readline())
        child = os.pidfd_open(pid)
        daemon.kill()
        daemon.wait()
    readable, _, _ = select.select([child], [], [], WITHIN_S)
    os.close(child)
    assert readable, "the child outlived the daemon"
