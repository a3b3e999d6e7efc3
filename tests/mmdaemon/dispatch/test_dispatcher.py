"""The dispatcher around the scheduler: running, replying, deadlines, growth. Threads only where they are the point."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.dispatch.request import Request
from mmwire.errors import InferenceError, MmError
from mmwire.tensor import SignatureSpec, TensorSpec

LIMIT_S = 20.0
SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))


class FakeInstance:
    def __init__(self, fails: Exception | None = None, rows_asked: int = 0) -> None:
        self.fails = fails
        self.rows_asked = rows_asked
        self.runs = 0

    def run(self, _: str, payload: bytes, __: int, ___: Any, go_on: Any) -> bytes:
        self.runs += 1
        for _row in range(self.rows_asked):
            go_on()
        if self.fails is not None:
            raise self.fails
        return payload


class Replies:
    def __init__(self, breaks: bool = False) -> None:
        self.answers: list[tuple[int, int]] = []
        self.errors: list[MmError] = []
        self.errored = threading.Event()
        self._breaks = breaks

    def on_answer(self, request: Request, version: int, answer: Any, queue_us: int, run_us: int) -> None:
        self.answers.append((request.request_id, version))
        if self._breaks:
            raise OSError("the connection is in a strange state")

    def on_error(self, request: Request, error: MmError) -> None:
        self.errors.append(error)
        self.errored.set()


class World:
    def __init__(self, instance: FakeInstance, cores: int = 1) -> None:
        self.grown: list[Deployment] = []
        self.disposed: list[Any] = []

        def grow(deployment: Deployment, _: Any) -> None:
            self.grown.append(deployment)

        self.dispatcher = Dispatcher(cores, 10, 1_000, grow, self.disposed.append)
        self.instance = instance
        self.deployment = Deployment("m", 1, {SPEC.name: SPEC}, 1, cores, [instance])
        with self.dispatcher.scheduler() as scheduler:
            scheduler.publish(self.deployment)

    def request(self, replies: Replies, number: int = 1, **more: Any) -> Request:
        return Request(replies, number, "m", SPEC, b"1234", time.monotonic(), **more)

    def submit(self, request: Request, may_run: bool = True) -> Any:
        return self.dispatcher.submit(request, time.monotonic(), may_run)


def test_one_thread_runs_waiting_requests_in_order() -> None:
    world, replies = World(FakeInstance()), Replies()
    lease = world.submit(world.request(replies, 1))
    for number in (2, 3):
        assert world.submit(world.request(replies, number)) is None
    world.dispatcher.work(lease)
    assert replies.answers == [(1, 1), (2, 1), (3, 1)]
    assert world.deployment.usage.requests == 3 and world.deployment.idle == [world.instance]


def test_the_instance_is_idle_again_before_the_reply_goes_out() -> None:
    world = World(FakeInstance())

    class Looks(Replies):
        def on_answer(self, *arguments: Any) -> None:
            super().on_answer(*arguments)
            assert world.deployment.idle == [world.instance]

    replies = Looks()
    world.dispatcher.work(world.submit(world.request(replies)))
    assert replies.answers and not world.grown


@pytest.mark.parametrize(
    ("fails", "code"),
    [(InferenceError("INFERENCE_FAILED", "no"), "INFERENCE_FAILED"), (ZeroDivisionError("a bug"), "INTERNAL")],
)
def test_a_failing_run_is_a_typed_error_and_the_next_one_goes_on(fails: Exception, code: str) -> None:
    world, replies = World(FakeInstance(fails)), Replies()
    lease = world.submit(world.request(replies, 1))
    world.submit(world.request(replies, 2))
    world.dispatcher.work(lease)
    assert [error.code for error in replies.errors] == [code, code]
    assert world.deployment.usage.errors == 2 and world.deployment.idle == [world.instance]


def test_a_reply_that_breaks_loses_no_other_request() -> None:
    world, breaking, replies = World(FakeInstance()), Replies(breaks=True), Replies()
    lease = world.submit(world.request(breaking, 1))
    world.submit(world.request(replies, 2))
    world.dispatcher.work(lease)
    assert replies.answers == [(2, 1)]


def test_nothing_is_run_for_a_caller_that_left_after_the_lease() -> None:
    world, replies = World(FakeInstance()), Replies()
    request = world.request(replies)
    lease = world.submit(request)
    assert not world.dispatcher.withdraw(request), "it was leased already"
    world.dispatcher.work(lease)
    assert world.instance.runs == 0 and [error.code for error in replies.errors] == ["CANCELLED"]


def test_a_deadline_between_rows_ends_the_run() -> None:
    world, replies = World(FakeInstance(rows_asked=3)), Replies()
    lease = world.submit(world.request(replies, deadline=time.monotonic() + 30))
    lease.request.deadline = 0.0
    world.dispatcher.work(lease)
    assert [error.code for error in replies.errors] == ["DEADLINE_EXCEEDED"]


def test_the_timer_refuses_a_waiting_request_at_its_deadline() -> None:
    world, replies, patient = World(FakeInstance()), Replies(), Replies()
    world.dispatcher.start(lambda: None)
    try:
        lease = world.submit(world.request(patient, 1))
        world.submit(world.request(patient, 2, deadline=time.monotonic() + 60))
        before = time.monotonic()
        world.submit(world.request(replies, 3, deadline=before + 0.05))
        assert replies.errored.wait(LIMIT_S)
        assert time.monotonic() >= before + 0.05
        assert replies.errors[0].code == "DEADLINE_EXCEEDED"
        world.dispatcher.work(lease)
        assert patient.answers == [(1, 1), (2, 1)]
    finally:
        world.dispatcher.stop()


def test_growth_wakes_a_thread_for_the_request_that_waits() -> None:
    world, replies = World(FakeInstance(), cores=2), Replies()
    woken: list[int] = []
    world.dispatcher.start(lambda: woken.append(1))
    try:
        world.submit(world.request(replies, 1))
        world.submit(world.request(replies, 2))
        assert world.grown == [world.deployment] and not woken
        world.dispatcher.on_grown(world.deployment, FakeInstance())
        assert woken
        world.dispatcher.work(world.dispatcher.take())
        assert replies.answers == [(2, 1)]
    finally:
        world.dispatcher.stop()


def test_instances_of_a_retired_deployment_are_disposed_once_each() -> None:
    world, replies = World(FakeInstance()), Replies()
    lease = world.submit(world.request(replies))
    with world.dispatcher.scheduler() as scheduler:
        scheduler.publish(Deployment("m", 2, {SPEC.name: SPEC}, 1, 1, [FakeInstance()]))
    assert not world.disposed
    world.dispatcher.work(lease)
    assert world.disposed == [world.instance]


def test_a_refusal_that_breaks_loses_no_other_request() -> None:
    world, replies = World(FakeInstance(), cores=2), Replies()

    class Breaks(Replies):
        def on_error(self, request: Request, error: MmError) -> None:
            raise OSError("the connection is in a strange state")

    lease = world.submit(world.request(replies, 1))
    late = world.request(Breaks(), 2)
    world.submit(late)
    world.submit(world.request(replies, 3))
    late.deadline = 0.0
    world.dispatcher.work(lease)
    assert replies.answers == [(1, 1), (3, 1)]


def test_the_timer_outlives_a_refusal_that_breaks() -> None:
    world, replies = World(FakeInstance()), Replies()

    class Breaks(Replies):
        def on_error(self, request: Request, error: MmError) -> None:
            super().on_error(request, error)
            raise OSError("the connection is in a strange state")

    breaking = Breaks()
    world.dispatcher.start(lambda: None)
    try:
        world.submit(world.request(replies, 1))
        world.submit(world.request(breaking, 2, deadline=time.monotonic() + 0.02))
        assert breaking.errored.wait(LIMIT_S)
        world.submit(world.request(replies, 3, deadline=time.monotonic() + 0.02))
        assert replies.errored.wait(LIMIT_S)
    finally:
        world.dispatcher.stop()


def test_a_thread_with_a_limit_runs_only_short_requests() -> None:
    world, replies = World(FakeInstance()), Replies()
    world.deployment.usage.row_us = 1.0
    lease = world.submit(world.request(replies, 1))
    world.submit(world.request(replies, 2, rows=1_000_000_000))
    world.submit(world.request(replies, 3))
    long = world.dispatcher.work(lease, most_us=1e6)
    assert replies.answers == [(1, 1)]
    assert long is not None and long.request.request_id == 2
    assert world.dispatcher.work(long) is None
    assert replies.answers == [(1, 1), (2, 1), (3, 1)]


def test_it_is_not_quiet_before_the_last_reply_went_out() -> None:
    world = World(FakeInstance())

    class Looks(Replies):
        def on_answer(self, *arguments: Any) -> None:
            super().on_answer(*arguments)
            assert not world.dispatcher.is_quiet

    replies = Looks()
    assert world.dispatcher.is_quiet
    world.dispatcher.work(world.submit(world.request(replies)))
    assert replies.answers and world.dispatcher.is_quiet


def test_a_request_that_was_given_up_has_its_answer_and_its_next_row_is_not_run() -> None:
    world = World(FakeInstance(rows_asked=3))
    replies = Replies()
    lease = world.submit(world.request(replies))
    seen: list[list[Any]] = []

    def give_up(*_: Any) -> None:
        seen.append(world.dispatcher.at_work())
        world.dispatcher.give_up(lease, InferenceError("RUN_TOO_LONG", "too long"))

    run = world.instance.run

    def run_and_be_given_up(*arguments: Any) -> Any:
        give_up()
        return run(*arguments)

    world.instance.run = run_and_be_given_up  # type: ignore[method-assign]
    world.dispatcher.work(lease)
    assert seen == [[lease]]
    assert [error.code for error in replies.errors] == ["RUN_TOO_LONG", "CANCELLED"]
    assert not replies.answers
    assert not world.dispatcher.at_work() and world.dispatcher.is_quiet


def test_every_row_begins_an_invocation_of_its_own() -> None:
    world = World(FakeInstance(rows_asked=1))
    lease = world.submit(world.request(Replies()))
    lease_began: list[float] = []

    def run(_: str, payload: bytes, rows: int, __: Any, go_on: Any) -> bytes:
        for _row in range(2):
            lease.invoked -= 100  # as if the row before had taken that long
            go_on()
            lease_began.append(lease.invoked)
        return payload

    world.instance.run = run  # type: ignore[method-assign]
    began = time.monotonic()
    world.dispatcher.work(lease)
    assert all(invoked >= began for invoked in lease_began) and len(lease_began) == 2
    assert lease.started >= began, "how long the whole took is still known"


def test_giving_up_a_request_survives_a_reply_that_breaks(caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(Replies):
        def on_error(self, request: Request, error: MmError) -> None:
            raise OSError("the connection is in a strange state")

    world = World(FakeInstance())
    lease = world.submit(world.request(Breaks()))
    world.dispatcher.give_up(lease, InferenceError("RUN_TOO_LONG", "it hangs"))
    assert lease.request.is_gone
    assert "giving up a request" in caplog.text


def test_an_instance_that_cannot_be_had_leaves_the_deployment_as_it_is() -> None:
    world = World(FakeInstance(), cores=2)
    replies = Replies()
    lease = world.submit(world.request(replies, 1))
    world.submit(world.request(replies, 2), may_run=False)
    assert world.grown == [world.deployment] and world.deployment.growing == 1
    world.dispatcher.on_grown(world.deployment, InferenceError("INFERENCE_FAILED", "no memory"))
    assert (world.deployment.growing, world.deployment.instances) == (0, 1)
    world.dispatcher.work(lease)
    assert replies.answers == [(1, 1), (2, 1)]


def test_an_idle_instance_that_is_lost_is_not_leased() -> None:
    world, replies = World(FakeInstance()), Replies()
    world.dispatcher.on_lost(world.instance)
    assert (world.deployment.idle, world.deployment.instances) == ([], 0)
    assert world.submit(world.request(replies)) is None
    assert world.grown == [world.deployment], "another one is asked for"
