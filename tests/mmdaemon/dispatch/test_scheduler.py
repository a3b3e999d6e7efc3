"""The scheduler's rules one by one, then random schedules against its invariants."""

from __future__ import annotations

import math
import random
import weakref
from typing import Any

import pytest

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.lease import Lease
from mmdaemon.dispatch.request import Request
from mmdaemon.dispatch.scheduler import Scheduler
from mmwire.errors import MmError, ModelError, RequestError
from mmwire.tensor import SignatureSpec, TensorSpec

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))
OTHER = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 8)),), (TensorSpec("y", "int8", (-1, 4)),))


NO_MEMORY = ModelError("MODEL_TOO_LARGE", "no memory for it")


class FakeEffects:
    def __init__(self) -> None:
        self.wakes = 0
        self.grown: list[Deployment] = []
        self.rejected: list[tuple[Request, MmError]] = []
        self.closed: list[Any] = []

    def wake(self) -> None:
        self.wakes += 1

    def grow(self, deployment: Deployment) -> None:
        self.grown.append(deployment)

    def reject(self, request: Request, error: MmError) -> None:
        self.rejected.append((request, error))

    def close(self, instance: Any) -> None:
        self.closed.append(instance)


class NoReply:
    def on_answer(self, *_: Any) -> None:
        raise AssertionError("the scheduler replies through its effects")

    on_error = on_answer


def request(model: str = "m", deadline: float = math.inf, version: int = 0, spec: SignatureSpec = SPEC) -> Request:
    return Request(NoReply(), 1, model, spec, b"1234", 0.0, version, deadline=deadline)


def deployment(
    name: str = "m",
    version: int = 1,
    *,
    cost: int = 1,
    instances: int = 1,
    max_instances: int = 2,
    spec: SignatureSpec = SPEC,
) -> Deployment:
    idle: list[Any] = [object() for _ in range(instances)]
    return Deployment(name, version, {spec.name: spec}, cost, max_instances, idle, instances)


def finish(scheduler: Scheduler, lease: Lease, now: float, failed: bool, lost: bool = False) -> Lease | None:
    """Run a lease in no time."""
    lease.started = now
    return scheduler.finish(lease, now, failed, lost)


@pytest.fixture
def effects() -> FakeEffects:
    return FakeEffects()


@pytest.fixture
def scheduler(effects: FakeEffects) -> Scheduler:
    made = Scheduler(2, 4, 1_000, effects)
    made.publish(deployment())
    return made


def test_runs_at_once_when_an_instance_is_idle(scheduler: Scheduler) -> None:
    lease = scheduler.admit(request(), 0.0, True)
    assert lease is not None
    assert (scheduler.busy, scheduler.backlog.requests) == (1, 0)


def test_waits_for_another_thread_when_this_one_may_not_run(scheduler: Scheduler, effects: FakeEffects) -> None:
    assert scheduler.admit(request(), 0.0, False) is None
    assert effects.wakes == 1
    assert scheduler.take(0.0) is not None


@pytest.mark.parametrize(("own", "accepted"), [(0, 2), (3, 3)])
def test_another_queue_limit_applies_to_lanes_without_one_of_their_own(
    effects: FakeEffects, own: int, accepted: int
) -> None:
    scheduler = Scheduler(2, 4, 1_000, effects)
    scheduler.publish(deployment(), max_queue=own)
    scheduler.backlog.max_queue = 2
    for _ in range(accepted):
        scheduler.admit(request(), 0.0, False)
    with pytest.raises(MmError) as caught:
        scheduler.admit(request(), 0.0, False)
    assert caught.value.code == "QUEUE_FULL"


def test_asks_for_one_more_instance_only_when_a_request_waits_and_cores_are_free(
    scheduler: Scheduler, effects: FakeEffects
) -> None:
    serving = scheduler.lanes["m"].deployment
    assert serving is not None
    scheduler.admit(request(), 0.0, True)
    assert not effects.grown
    scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    assert effects.grown == [serving]
    scheduler.on_grown(serving, object(), 0.0)
    assert scheduler.take(0.0) is not None
    assert scheduler.take(0.0) is None, "two cores, two running"
    assert effects.grown == [serving], "no more than max_instances"


def test_asks_for_one_more_instance_when_another_model_gives_its_core_back(effects: FakeEffects) -> None:
    scheduler = Scheduler(2, 4, 1_000, effects)
    scheduler.publish(deployment("a"))
    scheduler.publish(deployment("b"))
    first, second = (scheduler.admit(request(name), 0.0, True) for name in "ab")
    assert first is not None and second is not None
    scheduler.admit(request("a"), 0.0, True)
    assert not effects.grown, "both cores are in use"
    assert finish(scheduler, second, 0.0, False) is None
    assert effects.grown == [first.deployment]


def test_no_thread_is_woken_for_a_request_that_may_not_overtake(effects: FakeEffects) -> None:
    scheduler = Scheduler(2, 4, 1_000, effects)
    scheduler.publish(deployment("narrow"))
    scheduler.publish(deployment("wide", cost=2))
    scheduler.publish(deployment("other"))
    scheduler.admit(request("narrow"), 0.0, True)
    scheduler.admit(request("wide"), 0.0, True)
    scheduler.admit(request("other"), 0.0, True)
    assert not effects.wakes


def test_an_instance_that_cannot_be_had_is_not_asked_for_again(scheduler: Scheduler, effects: FakeEffects) -> None:
    serving = scheduler.lanes["m"].deployment
    assert serving is not None
    scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    scheduler.on_not_grown(serving, NO_MEMORY, 0.0)
    scheduler.admit(request(), 0.0, True)
    assert len(effects.grown) == 1


def test_a_lost_instance_is_replaced_at_once_and_waiting_requests_go_on(
    scheduler: Scheduler, effects: FakeEffects
) -> None:
    lease = scheduler.admit(request(), 0.0, True)
    assert lease is not None
    scheduler.admit(request(), 0.0, True)
    effects.grown.clear()
    lease.deployment.growing = 0
    assert finish(scheduler, lease, 1.0, True, lost=True) is None
    assert effects.closed == [lease.instance] and effects.grown == [lease.deployment]
    assert lease.deployment.instances == 0 and scheduler.busy == 0
    scheduler.on_grown(lease.deployment, object(), 2.0)
    assert scheduler.take(2.0) is not None
    assert not effects.rejected


def test_an_idle_instance_that_is_lost_is_replaced(scheduler: Scheduler, effects: FakeEffects) -> None:
    serving = scheduler.lanes["m"].deployment
    assert serving is not None
    [instance] = serving.idle
    scheduler.lose(instance, 0.0)
    assert effects.closed == [instance] and effects.grown == [serving]
    scheduler.lose(instance, 0.0)
    assert len(effects.grown) == 1, "it is known already"


def test_instances_that_are_lost_one_after_the_other_pause_their_model(
    scheduler: Scheduler, effects: FakeEffects
) -> None:
    serving = scheduler.lanes["m"].deployment
    assert serving is not None
    scheduler.lose(serving.idle[0], 0.0)
    scheduler.on_grown(serving, object(), 0.0)
    scheduler.lose(serving.idle[0], 10.0)
    assert len(effects.grown) == 1, "not at once again"
    with pytest.raises(MmError, match="after 2 tries") as caught:
        scheduler.admit(request(), 10.5, True)
    assert caught.value.code == "INSTANCE_LOST" and caught.value.retryable
    assert scheduler.admit(request(), 11.5, True) is None
    assert len(effects.grown) == 2, "a request after the pause asks for the next"
    scheduler.on_not_grown(serving, NO_MEMORY, 12.0)
    assert [error.code for _, error in effects.rejected] == ["INSTANCE_LOST"]
    assert "no memory" in effects.rejected[0][1].message
    assert scheduler.admit(request(), 60.0, True) is None
    scheduler.on_grown(serving, object(), 60.0)
    lease = scheduler.take(60.0)
    assert lease is not None
    finish(scheduler, lease, 60.0, False)
    scheduler.lose(lease.instance, 61.0)
    assert len(effects.grown) == 4, "it has worked in between: at once"


def test_an_idle_deployment_is_evicted_and_comes_back_with_the_next_request(
    scheduler: Scheduler, effects: FakeEffects
) -> None:
    lease = scheduler.admit(request(), 0.0, True)
    assert lease is not None
    assert not scheduler.evict(lease.deployment), "it runs"
    finish(scheduler, lease, 0.0, False)
    assert scheduler.evict(lease.deployment)
    assert effects.closed == [lease.instance] and lease.deployment.instances == 0
    assert not scheduler.evict(lease.deployment), "there is nothing left"
    assert scheduler.admit(request(), 1.0, True) is None
    assert effects.grown == [lease.deployment]
    assert not scheduler.evict(lease.deployment), "a request waits for it"
    scheduler.on_grown(lease.deployment, object(), 2.0)
    assert scheduler.take(2.0) is not None


def test_a_model_without_instances_gets_one_even_while_the_cores_are_busy(effects: FakeEffects) -> None:
    scheduler = Scheduler(1, 4, 1_000, effects)
    scheduler.publish(deployment("busy"))
    scheduler.publish(deployment("stopped"))
    stopped = scheduler.lanes["stopped"].deployment
    assert stopped is not None and scheduler.evict(stopped)
    scheduler.admit(request("busy"), 0.0, True)
    scheduler.admit(request("stopped"), 0.0, True)
    assert effects.grown == [stopped]


def test_the_queue_is_bounded_by_requests(scheduler: Scheduler) -> None:
    scheduler.admit(request(), 0.0, True)
    for _ in range(4):
        scheduler.admit(request(), 0.0, True)
    with pytest.raises(MmError, match="4 requests wait") as caught:
        scheduler.admit(request(), 0.0, True)
    assert (caught.value.code, caught.value.retryable) == ("QUEUE_FULL", True)


def test_the_queue_is_bounded_by_bytes(effects: FakeEffects) -> None:
    scheduler = Scheduler(1, 1_000, 10, effects)
    scheduler.publish(deployment())
    scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    with pytest.raises(MmError) as caught:
        scheduler.admit(request(), 0.0, True)
    assert caught.value.code == "QUEUE_FULL"


def test_lanes_take_turns_and_a_lane_is_first_come_first_served(effects: FakeEffects) -> None:
    scheduler = Scheduler(1, 10, 1_000, effects)
    scheduler.publish(deployment("a", max_instances=1))
    scheduler.publish(deployment("b", max_instances=1))
    running = scheduler.admit(request("a"), 0.0, True)
    waiting = [request(name) for name in "aaabb"]
    for one in waiting:
        assert scheduler.admit(one, 0.0, True) is None
    order: list[Request] = []
    while running is not None:
        running = finish(scheduler, running, 0.0, False)
        if running is not None:
            order.append(running.request)
    assert order == [waiting[0], waiting[3], waiting[1], waiting[4], waiting[2]]


def test_a_wide_model_is_not_starved_by_narrow_ones(effects: FakeEffects) -> None:
    scheduler = Scheduler(2, 10, 1_000, effects)
    scheduler.publish(deployment("narrow", instances=2))
    scheduler.publish(deployment("wide", cost=2, max_instances=1))
    first = scheduler.admit(request("narrow"), 0.0, True)
    second = scheduler.admit(request("narrow"), 0.0, True)
    wide = request("wide")
    scheduler.admit(wide, 0.0, True)
    assert first is not None and second is not None
    assert finish(scheduler, first, 0.0, False) is None, "the wide one waits for both cores"
    assert scheduler.admit(request("narrow"), 0.0, True) is None, "and nobody overtakes it"
    following = finish(scheduler, second, 0.0, False)
    assert following is not None and following.request is wide


def test_a_passed_deadline_is_never_started(scheduler: Scheduler, effects: FakeEffects) -> None:
    with pytest.raises(MmError) as caught:
        scheduler.admit(request(deadline=1.0), 1.0, True)
    assert caught.value.code == "DEADLINE_EXCEEDED"
    lease = scheduler.admit(request(), 0.0, True)
    late = request(deadline=5.0)
    scheduler.admit(late, 0.0, True)
    assert scheduler.backlog.next_deadline() == 5.0
    assert lease is not None
    assert finish(scheduler, lease, 5.0, False) is None
    assert [(one, error.code) for one, error in effects.rejected] == [(late, "DEADLINE_EXCEEDED")]


def test_a_request_that_waited_too_long_gives_way_to_the_next(scheduler: Scheduler, effects: FakeEffects) -> None:
    lease = scheduler.admit(request(), 0.0, True)
    assert lease is not None
    hopeless, hopeful, last = request(deadline=2.9), request(deadline=3.1), request(deadline=2.9)
    for one in (hopeless, hopeful, last):
        scheduler.admit(one, 0.0, True)
    lease.started = 0.0
    following = scheduler.finish(lease, 1.0, False)  # a row takes 1 s, and 2 s to be sure
    assert following is not None and following.request is hopeful
    assert [(one, error.code) for one, error in effects.rejected] == [(hopeless, "DEADLINE_EXCEEDED")]
    following.started = 1.0
    after = scheduler.finish(following, 2.0, False)
    assert after is not None and after.request is last, "nobody waits behind it"


def test_the_first_run_of_a_model_is_expected_to_take_no_time(scheduler: Scheduler, effects: FakeEffects) -> None:
    waiting = request(deadline=0.001)
    scheduler.admit(waiting, 0.0, False)
    assert scheduler.take(0.0) is not None and not effects.rejected


def test_expire_refuses_what_is_due_and_nothing_else(scheduler: Scheduler, effects: FakeEffects) -> None:
    scheduler.admit(request(), 0.0, True)
    early, later = request(deadline=1.0), request(deadline=2.0)
    scheduler.admit(later, 0.0, True)
    scheduler.admit(early, 0.0, True)
    scheduler.expire(1.5)
    assert [one for one, _ in effects.rejected] == [early]
    assert scheduler.backlog.next_deadline() == 2.0


def test_a_request_that_left_before_its_deadline_is_freed(scheduler: Scheduler) -> None:
    """Else the inputs of everything that waited lately stay in memory until their deadlines pass."""
    lease = scheduler.admit(request(), 0.0, True)
    for _ in range(100):
        one = request(deadline=60.0)
        reply_to = weakref.ref(one.reply_to)
        scheduler.admit(one, 0.0, True)
        assert lease is not None
        lease = finish(scheduler, lease, 0.0, False)
        assert lease is not None and lease.request is one
        lease.request = request()
        del one
        assert reply_to() is None
    assert scheduler.backlog.next_deadline() == math.inf


@pytest.mark.parametrize("how", ["withdrawn", "expired", "unloaded"])
def test_a_request_that_held_its_turn_and_leaves_lets_the_next_one_run(effects: FakeEffects, how: str) -> None:
    scheduler = Scheduler(2, 4, 1_000, effects)
    scheduler.publish(deployment("narrow"))
    scheduler.publish(deployment("wide", cost=2))
    scheduler.publish(deployment("other"))
    assert scheduler.admit(request("narrow"), 0.0, True) is not None
    holds, next_one = request("wide", deadline=1.0), request("other")
    scheduler.admit(holds, 0.0, True)
    assert scheduler.take(0.0) is None, "it needs both cores"
    scheduler.admit(next_one, 0.0, True)
    assert scheduler.take(0.0) is None, "nobody overtakes"
    effects.wakes = 0
    if how == "withdrawn":
        scheduler.withdraw(holds)
    elif how == "expired":
        scheduler.expire(1.0)
    else:
        scheduler.set_absent("wide", RequestError("MODEL_UNLOADED", "gone"))
    assert effects.wakes == 1
    lease = scheduler.take(0.0)
    assert lease is not None and lease.request is next_one


def test_a_withdrawn_request_is_never_started(scheduler: Scheduler) -> None:
    lease = scheduler.admit(request(), 0.0, True)
    gone = request()
    scheduler.admit(gone, 0.0, True)
    assert scheduler.withdraw(gone)
    assert not scheduler.withdraw(gone)
    assert lease is not None
    assert finish(scheduler, lease, 0.0, False) is None


def test_a_swap_lets_waiting_requests_go_on_with_the_new_version(scheduler: Scheduler, effects: FakeEffects) -> None:
    lease = scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    old = scheduler.publish(deployment(version=2))
    assert old is not None and old.is_retired
    following = scheduler.take(0.0)
    assert following is not None and following.deployment.version == 2
    assert lease is not None and not effects.closed
    finish(scheduler, lease, 0.0, False)
    assert effects.closed == [lease.instance] and old.instances == 0


def test_a_swap_with_other_tensors_refuses_waiting_requests_retryably(
    scheduler: Scheduler, effects: FakeEffects
) -> None:
    scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    scheduler.publish(deployment(version=2, spec=OTHER))
    assert [(error.code, error.retryable) for _, error in effects.rejected] == [("SPECS_CHANGED", True)]
    with pytest.raises(MmError, match="open the model again"):
        scheduler.admit(request(), 0.0, True)


def test_a_request_for_a_version_is_refused_when_another_serves(scheduler: Scheduler) -> None:
    assert scheduler.admit(request(version=1), 0.0, True) is not None
    with pytest.raises(MmError) as caught:
        scheduler.admit(request(version=2), 0.0, True)
    assert caught.value.code == "VERSION_NOT_SERVED"


def test_an_absent_model_says_why(scheduler: Scheduler, effects: FakeEffects) -> None:
    scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    scheduler.set_absent("m", RequestError("MODEL_UNLOADED", "it was unloaded"))
    assert [error.code for _, error in effects.rejected] == ["MODEL_UNLOADED"]
    with pytest.raises(MmError, match="it was unloaded"):
        scheduler.admit(request(), 0.0, True)


def test_an_instance_that_comes_after_the_swap_is_closed(scheduler: Scheduler, effects: FakeEffects) -> None:
    scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    [growing] = effects.grown
    scheduler.publish(deployment(version=2))
    late = object()
    scheduler.on_grown(growing, late, 0.0)
    assert effects.closed == [late]


def test_draining_refuses_new_requests_and_answers_old_ones(scheduler: Scheduler) -> None:
    lease = scheduler.admit(request(), 0.0, True)
    scheduler.admit(request(), 0.0, True)
    scheduler.drain()
    with pytest.raises(MmError) as caught:
        scheduler.admit(request(), 0.0, True)
    assert (caught.value.code, caught.value.retryable) == ("DRAINING", True)
    assert lease is not None
    following = finish(scheduler, lease, 0.0, False)
    assert following is not None and not scheduler.is_quiet
    finish(scheduler, following, 0.0, False)
    assert scheduler.is_quiet


def can_start(scheduler: Scheduler) -> bool:
    """Return whether ``take`` would find something."""
    for lane in scheduler.backlog.turns():
        if lane.deployment is not None and lane.deployment.idle:
            return scheduler.busy + lane.deployment.cost <= scheduler.cores
    return False


def can_grow(scheduler: Scheduler) -> bool:
    """Return whether the lane whose turn it is waits for an instance while its cores are free."""
    lane = next(scheduler.backlog.turns(), None)
    if lane is None or lane.deployment is None or lane.deployment.idle or lane.deployment.growing:
        return False
    if not lane.deployment.instances:
        return True
    has_cores = scheduler.busy + lane.deployment.cost <= scheduler.cores
    return has_cores and lane.deployment.instances < lane.deployment.max_instances


@pytest.mark.parametrize("seed", range(40))
def test_random_schedules_keep_the_invariants(seed: int) -> None:
    """Every admitted request ends exactly once; cores and instances are never oversold; versions never go back."""
    chance = random.Random(seed)
    effects = FakeEffects()
    scheduler = Scheduler(chance.randint(1, 4), chance.randint(1, 6), 10_000, effects)
    names = ["a", "b", "c"]
    newest = dict.fromkeys(names, 0)
    leases: list[Lease] = []
    admitted: dict[int, Request] = {}
    ended: set[int] = set()
    leased: set[int] = set()
    started_version = dict.fromkeys(names, 0)
    now = 0.0

    def begin(lease: Lease | None) -> None:
        if lease is None:
            return
        assert id(lease.instance) not in leased, "an instance was leased twice"
        assert not lease.deployment.is_retired, "a retired deployment was leased"
        assert now < lease.request.deadline and not lease.request.is_gone
        assert lease.deployment.version >= started_version[lease.request.model], "versions went back"
        started_version[lease.request.model] = lease.deployment.version
        leased.add(id(lease.instance))
        leases.append(lease)

    def end(one: Request) -> None:
        assert id(one) not in ended, "a request ended twice"
        ended.add(id(one))

    def publish(name: str) -> None:
        newest[name] += 1
        cost = chance.randint(1, scheduler.cores)
        spec = OTHER if chance.random() < 0.1 else SPEC
        scheduler.publish(deployment(name, newest[name], cost=cost, max_instances=chance.randint(1, 3), spec=spec))

    for name in names:
        publish(name)
    for _ in range(600):
        now += chance.random() * 0.1
        event = chance.random()
        if event < 0.45:
            deadline = now + chance.random() if chance.random() < 0.5 else math.inf
            one = request(chance.choice(names), deadline)
            try:
                lease = scheduler.admit(one, now, chance.random() < 0.7)
            except MmError as error:
                assert error.retryable or error.code == "MODEL_UNLOADED"
                assert not one.is_waiting
            else:
                admitted[id(one)] = one
                begin(lease)
        elif event < 0.75 and leases:
            lease = leases.pop(chance.randrange(len(leases)))
            leased.discard(id(lease.instance))
            end(lease.request)
            begin(finish(scheduler, lease, now, chance.random() < 0.1, lost=chance.random() < 0.1))
        elif event < 0.80:
            effects.wakes = 0
            begin(scheduler.take(now))
        elif event < 0.85:
            scheduler.expire(now)
        elif event < 0.90:
            publish(chance.choice(names))
        elif event < 0.91:
            serving = scheduler.lanes[chance.choice(names)].deployment
            if serving is not None and serving.idle and chance.random() < 0.5:
                scheduler.lose(chance.choice(serving.idle), now)
            elif serving is not None:
                scheduler.evict(serving)
        elif event < 0.92:
            scheduler.set_absent(chance.choice(names), RequestError("MODEL_UNLOADED", "gone"))
        elif event < 0.97 and effects.grown:
            grown = effects.grown.pop(chance.randrange(len(effects.grown)))
            if chance.random() < 0.8:
                scheduler.on_grown(grown, object(), now)
            else:
                scheduler.on_not_grown(grown, NO_MEMORY, now)
        else:
            waiting = [one for one in admitted.values() if one.is_waiting]
            if waiting:
                gone = chance.choice(waiting)
                assert scheduler.withdraw(gone)
                end(gone)
        for one, _ in effects.rejected:
            end(one)
        effects.rejected.clear()
        assert scheduler.busy == sum(lease.deployment.cost for lease in leases) <= scheduler.cores
        assert scheduler.backlog.requests == sum(len(lane.waiting) for lane in scheduler.lanes.values())
        assert scheduler.backlog.bytes == 4 * scheduler.backlog.requests
        if chance.random() < 0.5:  # the thread that was woken comes
            while effects.wakes:
                effects.wakes = 0
                begin(scheduler.take(now))
        assert effects.wakes or not can_start(scheduler), "a request could run and nobody comes for it"
        assert effects.wakes or not can_grow(scheduler), "an instance would help and nobody loads one"
    while leases:
        lease = leases.pop()
        leased.discard(id(lease.instance))
        end(lease.request)
        begin(finish(scheduler, lease, now, False))
    while effects.grown:
        scheduler.on_grown(effects.grown.pop(), object(), now)
        begin(scheduler.take(now))
    while leases:
        lease = leases.pop()
        leased.discard(id(lease.instance))
        end(lease.request)
        begin(finish(scheduler, lease, now, False))
    scheduler.abandon(RequestError("MODEL_UNLOADED", "the end"))
    for one, _ in effects.rejected:
        end(one)
    assert ended == set(admitted)
    assert scheduler.is_quiet
