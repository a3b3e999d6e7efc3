"""What counts as hung, when it is said, and when the next look is due. Time is an argument."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.dispatch.request import Request
from mmdaemon.service.health import Health
from mmwire.errors import MmError
from mmwire.tensor import SignatureSpec, TensorSpec

LIMIT_S = 20.0
INTERVAL_S = 15.0
MAX_RUN_S = 60.0
SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))


class FakeListener:
    def __init__(self) -> None:
        self.is_alive = True
        self.answering = ("leader", "worker")
        self.silent: set[str] = set()
        self.pings = 0

    def ping(self, on_pong: Callable[[str], object]) -> None:
        self.pings += 1
        for name in self.answering:
            if name not in self.silent:
                on_pong(name)


class FakeLooker:
    def __init__(self, now: float) -> None:
        self.is_alive = True
        self.next_look = now + 10


class StuckInstance:
    """Computes until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.free = threading.Event()
        self.can_be_interrupted = False
        self.interrupts = 0

    def interrupt(self) -> bool:
        self.interrupts += 1
        return self.can_be_interrupted

    def run(self, _: str, payload: bytes, rows: int, __: Any, go_on: Callable[[], None]) -> bytes:
        for _row in range(rows):
            go_on()
        self.entered.set()
        assert self.free.wait(LIMIT_S)
        return payload


class Replies:
    def __init__(self) -> None:
        self.errors: list[MmError] = []

    def on_answer(self, *_: object) -> None:
        return None

    def on_error(self, _: Request, error: MmError) -> None:
        self.errors.append(error)


class World:
    def __init__(self, max_run_s: float = 0.0) -> None:
        self.now = float(int(time.monotonic()))  # sums and differences of whole seconds are exact
        self.listener = FakeListener()
        self.looker = FakeLooker(self.now)
        self.dispatcher = Dispatcher(2, 10, 1_000, lambda *_: None, lambda _: None)
        self.instance = StuckInstance()
        self.replies = Replies()
        deployment = Deployment("kws", 3, {SPEC.name: SPEC}, 1, 1, [self.instance], max_run_s=max_run_s)
        with self.dispatcher.scheduler() as scheduler:
            scheduler.publish(deployment)
        self.health = Health(self.listener, self.dispatcher, self.looker, INTERVAL_S, MAX_RUN_S)
        self._thread: threading.Thread | None = None

    def start_run(self) -> None:
        """Have a thread compute; its invocation counts from ``now``."""
        request = Request(self.replies, 7, "kws", SPEC, b"1234", self.now)
        lease = self.dispatcher.submit(request, self.now, True)
        self._thread = threading.Thread(target=self.dispatcher.work, args=(lease,))
        self._thread.start()
        assert self.instance.entered.wait(LIMIT_S)
        [lease] = self.dispatcher.at_work()
        lease.invoked = self.now

    def end_run(self) -> None:
        assert self._thread is not None
        self.instance.free.set()
        self._thread.join(LIMIT_S)

    def what(self, after_s: float) -> list[str]:
        return [trouble.what for trouble in self.health.troubles(self.now + after_s)]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("mmdaemon"), "propagate", True)
    caplog.set_level(logging.INFO, "mmdaemon")
    return caplog


def test_an_idle_daemon_is_healthy_and_looked_at_no_more_often_than_needed() -> None:
    world = World()
    for turn in range(4):
        world.looker.next_look = world.now + 10
        assert world.health.check(world.now), turn
        assert world.health.next_check(world.now) == world.now + INTERVAL_S
        world.now += INTERVAL_S
    assert world.listener.pings == 4


def test_a_run_within_its_limit_is_healthy() -> None:
    world = World()
    world.start_run()
    assert world.health.check(world.now + MAX_RUN_S - 0.1)
    assert world.what(MAX_RUN_S - 0.1) == []
    assert not world.replies.errors
    world.end_run()


def test_a_run_that_takes_too_long_is_named_once_and_its_caller_gets_an_answer(log: pytest.LogCaptureFixture) -> None:
    world = World()
    world.start_run()
    assert not world.health.check(world.now + MAX_RUN_S)
    assert not world.health.check(world.now + MAX_RUN_S + 1)
    [message] = [record.getMessage() for record in log.records]
    assert message.startswith("kws version 3 computes longer than 60 s, since 20")
    [error] = world.replies.errors
    assert (error.code, error.retryable) == ("RUN_TOO_LONG", False)
    [trouble] = world.health.troubles(world.now + MAX_RUN_S + 2)
    document = trouble.as_dict(world.now + MAX_RUN_S + 2)
    assert (document["model"], document["version"]) == ("kws", 3)
    assert document["since"].startswith("20")
    world.end_run()
    assert world.health.check(world.now + MAX_RUN_S + 3), "it ended after all"
    assert log.records[-1].getMessage() == "this is over: kws version 3 computes longer than 60 s"


def test_a_model_in_a_process_of_its_own_is_interrupted_and_the_daemon_goes_on() -> None:
    world = World()
    world.instance.can_be_interrupted = True
    world.start_run()
    assert world.health.check(world.now + MAX_RUN_S)
    assert world.health.check(world.now + MAX_RUN_S + 1)
    assert world.instance.interrupts == 1
    assert [error.code for error in world.replies.errors] == ["RUN_TOO_LONG"]
    world.end_run()


@pytest.mark.parametrize("max_run_s", [0.5, 3600.0])
def test_a_model_may_have_a_limit_of_its_own(max_run_s: float) -> None:
    world = World(max_run_s)
    world.start_run()
    assert world.health.check(world.now + max_run_s - 0.1)
    assert not world.health.check(world.now + max_run_s)
    world.end_run()


def test_every_row_of_a_request_has_the_limit_for_itself() -> None:
    world = World()
    world.start_run()
    [lease] = world.dispatcher.at_work()
    lease.invoked = world.now + MAX_RUN_S - 1  # the next row begins
    assert world.health.check(world.now + MAX_RUN_S + 1)
    assert not world.health.check(world.now + 2 * MAX_RUN_S)
    world.end_run()


def test_the_next_look_is_when_a_run_will_have_taken_too_long() -> None:
    world = World()
    world.start_run()
    assert world.health.next_check(world.now + 50) == world.now + MAX_RUN_S
    world.health.check(world.now + MAX_RUN_S)
    after = world.now + MAX_RUN_S
    assert world.health.next_check(after) == after + INTERVAL_S, "what was named already needs no other look"
    world.end_run()


def test_a_short_limit_makes_the_next_check_come_sooner() -> None:
    world = World(max_run_s=2.0)
    assert world.health.next_check(world.now) == world.now + 2.0
    world.health.max_run_s = 1.0
    assert world.health.next_check(world.now) == world.now + 1.0


def test_a_loop_that_answers_late_is_healthy_again(log: pytest.LogCaptureFixture) -> None:
    world = World()
    world.listener.silent = {"leader"}
    assert world.health.check(world.now)
    assert world.health.check(world.now + INTERVAL_S)
    assert not world.health.check(world.now + 2 * INTERVAL_S)
    assert world.what(2 * INTERVAL_S) == ["leader does not answer"]
    world.listener.silent = set()
    assert world.health.check(world.now + 3 * INTERVAL_S)
    assert [record.levelname for record in log.records] == ["ERROR", "INFO"]


@pytest.mark.parametrize("part", ["listener", "looker"])
def test_a_thread_that_ended_is_fatal(part: str) -> None:
    world = World()
    getattr(world, part).is_alive = False
    assert not world.health.check(world.now)


def test_a_look_that_does_not_end_is_logged_and_causes_no_restart() -> None:
    world = World()
    assert world.health.check(world.now + 10 + 59)
    assert world.what(10 + 59) == []
    assert world.health.check(world.now + 10 + 60)
    assert world.what(10 + 60) == ["the look at the model folder does not end"]
