"""The scheduler: admits requests, leases instances, keeps the queues. It is plain data; every call is one event.

Rules:
 1. All running invocations together, times their threads, never use more than the cores.
 2. A request runs at once if no request of its model waits, an instance is idle and the cores are free. Else it waits.
 3. Lanes with waiting requests take turns. Within a lane the first to come is the first to run.
 4. A lane that needs more cores than are free keeps its turn: no other lane overtakes it, so it cannot starve.
 5. The scheduler asks for another instance only when a request waits, cores are free and no instance is idle. For a
    model without any instance it asks at once.
 6. A request whose deadline has passed, or whose caller is gone, never starts. Nor does one that waited until its run
    may end after its deadline, while another waits behind it. One that finds an idle instance always runs, and so the
    scheduler learns when a model has become faster.
 7. The scheduler replaces a lost instance at once. If that fails, or if the next one is lost before it ran anything, it
    pauses first, each time twice as long. While a model has no instance, its requests are refused as retryable.
"""

from __future__ import annotations

from typing import Any

from mmdaemon.dispatch.backlog import Backlog
from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.effect import Effects
from mmdaemon.dispatch.lane import Lane
from mmdaemon.dispatch.lease import Lease
from mmdaemon.dispatch.refusal import draining, lateness, too_late
from mmdaemon.dispatch.request import Request
from mmdaemon.dispatch.supply import Supply
from mmwire.errors import MmError
from mmwire.manifest import unknown_model


class Scheduler:
    """Decides, by the rules above.

    Args:
        cores: Cores that running invocations share.
        max_queue: How many requests may wait for a model whose options set no limit.
        max_queued_bytes: How many bytes the inputs of all waiting requests may have.
        effects: Takes what the scheduler asks for.

    Thread: under the dispatcher's monitor only.
    """

    def __init__(self, cores: int, max_queue: int, max_queued_bytes: int, effects: Effects) -> None:
        self.cores = cores
        self.busy = 0
        self.is_draining = False
        self.lanes: dict[str, Lane] = {}
        self.backlog = Backlog(max_queue, max_queued_bytes)
        self._effects = effects
        self._supply = Supply(effects)
        self._held: Lane | None = None  # rule 4

    def lane(self, name: str) -> Lane:
        """Return a model's lane.

        Raises:
            RequestError: ``MODEL_NOT_FOUND``, with the nearest name as the hint.
        """
        if name not in self.lanes:
            raise unknown_model(name, self.lanes)
        return self.lanes[name]

    def admit(self, request: Request, now: float, may_run: bool) -> Lease | None:
        """Admit a request; return a lease when it runs now, None when it waits.

        Args:
            request: A new request.
            now: Monotonic seconds.
            may_run: Whether the calling thread can run it.

        Raises:
            MmError: The request is refused: ``DRAINING``, ``MODEL_NOT_FOUND`` or why nothing serves, ``SPECS_CHANGED``,
                ``VERSION_NOT_SERVED``, ``DEADLINE_EXCEEDED``, ``INSTANCE_LOST``, ``QUEUE_FULL``.
        """
        if self.is_draining:
            raise draining()
        lane = self.lanes.get(request.model) or self.lane(request.model)
        deployment = lane.check(request)
        if now >= request.deadline:
            raise too_late()
        if may_run and not lane.waiting and deployment.idle and self._fits(deployment) and self._held is None:
            return self._lease(request, deployment)
        if (refusal := self._supply.refusal(deployment, now)) is not None:
            raise refusal
        self.backlog.enter(lane, request)
        self._follow_up()
        return None

    def take(self, now: float) -> Lease | None:
        """Return a lease for the next request, None when no request can run now."""
        lease = self._next(now)
        if self.backlog:
            self._follow_up()
        return lease

    def finish(self, lease: Lease, now: float, failed: bool, lost: bool = False) -> Lease | None:
        """Take an instance back, if it was not ``lost``; return the next lease for the thread that ran it."""
        deployment = lease.deployment
        self.busy -= deployment.cost
        deployment.usage.on_run(lease.request.rows, (now - lease.started) * 1e6, failed)
        deployment.last_used = now
        if lost:
            self._on_lost(deployment, lease.instance, now)
        else:
            deployment.setbacks = 0
            self._supply.take_back(deployment, lease.instance)
        return self.take(now) if self.backlog else None

    def lose(self, instance: Any, now: float) -> None:
        """Note that an instance can run nothing any more. A leased one is lost when its run ends."""
        for lane in self.lanes.values():
            deployment = lane.deployment
            if deployment is not None and instance in deployment.idle:
                deployment.idle.remove(instance)
                self._on_lost(deployment, instance, now)
                return

    def evict(self, deployment: Deployment) -> bool:
        """Close the instances of a deployment that is not in use; the next request has one loaded again."""
        lane = self.lanes.get(deployment.name)
        if lane is None or lane.deployment is not deployment or lane.waiting or deployment.growing:
            return False
        if not deployment.idle or len(deployment.idle) < deployment.instances:
            return False
        self._supply.close_idle(deployment)
        return True

    def withdraw(self, request: Request) -> bool:
        """Forget a request whose caller cancelled or is gone; return whether it had not started."""
        request.is_gone = True
        lane = self.lanes.get(request.model)
        if lane is None or not self.backlog.leave(lane, request):
            return False
        self._on_left(lane)
        return True

    def expire(self, now: float) -> None:
        """Refuse the waiting requests whose deadline has passed."""
        while (request := self.backlog.first_expired(now)) is not None:
            self._reject(self.lanes[request.model], request, too_late())

    def publish(self, deployment: Deployment, max_queue: int = 0) -> Deployment | None:
        """Let a deployment serve its name from now on; return the one that it replaces, which retires.

        Waiting requests go on with the new one, if their tensors fit. ``max_queue`` is the model's own; 0 = none.
        """
        lane = self.lanes.get(deployment.name)
        if lane is None:
            lane = self.lanes[deployment.name] = Lane(deployment.name, unknown_model(deployment.name))
        lane.max_queue = max_queue
        old = self._retire(lane)
        lane.deployment = deployment
        self._recheck(lane)
        self._follow_up()
        return old

    def set_absent(self, name: str, absence: MmError) -> Deployment | None:
        """Let nothing serve a name, for a reason; return what served, which retires. Waiting requests are refused."""
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane(name, absence)
        lane.absence = absence
        old = self._retire(lane)
        self._recheck(lane)
        return old

    def forget(self, name: str) -> Deployment | None:
        """Remove a name; return what served, which retires."""
        if name not in self.lanes:
            return None
        old = self.set_absent(name, unknown_model(name))
        del self.lanes[name]
        return old

    def on_grown(self, deployment: Deployment, instance: Any, now: float) -> None:
        """Take the instance that ``grow`` asked for."""
        self._supply.on_grown(deployment, instance, now)
        self._follow_up()

    def on_not_grown(self, deployment: Deployment, error: MmError, now: float) -> None:
        """Note that the instance that ``grow`` asked for could not be loaded."""
        self._supply.on_not_grown(deployment, error.message, now)
        self._refuse_unsupplied(deployment, now)
        self._follow_up()

    def drain(self) -> None:
        """Refuse new requests from now on. Those that were admitted are answered."""
        self.is_draining = True

    @property
    def is_quiet(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.busy and not self.backlog

    def abandon(self, error: MmError) -> None:
        """Refuse every request that waits."""
        for lane in self.lanes.values():
            for request in tuple(lane.waiting):
                self._reject(lane, request, error)

    def _fits(self, deployment: Deployment) -> bool:
        return self.busy + deployment.cost <= self.cores

    def _lease(self, request: Request, deployment: Deployment) -> Lease:
        self.busy += deployment.cost
        return Lease(request, deployment, deployment.idle.pop())

    def _next(self, now: float) -> Lease | None:
        """Lease for the first lane in the round that can run."""
        self._held = None
        for lane in self.backlog.turns():
            deployment = lane.deployment
            if deployment is None or not deployment.idle:
                continue
            if not self._fits(deployment):
                self._held = lane
                return None
            while lane.waiting:
                request = lane.waiting[0]
                expected_s = deployment.usage.expected_s(request.rows) if len(lane.waiting) > 1 else 0.0
                if (late := lateness(request.deadline, expected_s, now)) is not None:
                    self._reject(lane, request, late)
                    continue
                self.backlog.leave(lane, request)
                self.backlog.end_turn(lane)
                return self._lease(request, deployment)
        return None

    def _follow_up(self) -> None:
        """Ask for what a waiting request needs to run: a thread, or one more instance (rule 5)."""
        for lane in self.backlog.turns():
            deployment = lane.deployment
            if deployment is None:
                continue
            if not deployment.instances:
                if not deployment.growing:
                    self._supply.grow(deployment)
                continue
            if not self._fits(deployment):
                if deployment.idle:
                    return  # it keeps its turn (rule 4)
                continue
            if deployment.idle:
                self._effects.wake()
                return
            if not deployment.growing and deployment.instances < deployment.max_instances:
                self._supply.grow(deployment)

    def _on_lost(self, deployment: Deployment, instance: Any, now: float) -> None:
        self._supply.drop(deployment, instance, now)
        self._refuse_unsupplied(deployment, now)

    def _refuse_unsupplied(self, deployment: Deployment, now: float) -> None:
        """Refuse the requests that wait for an instance that will not come soon (rule 7)."""
        refusal = None if deployment.is_retired else self._supply.refusal(deployment, now)
        if refusal is not None:
            lane = self.lanes[deployment.name]
            for request in tuple(lane.waiting):
                self._reject(lane, request, refusal)

    def _retire(self, lane: Lane) -> Deployment | None:
        old, lane.deployment = lane.deployment, None
        if old is not None:
            old.is_retired = True
            self._supply.close_idle(old)
        return old

    def _recheck(self, lane: Lane) -> None:
        """Refuse the waiting requests that no longer fit what serves."""
        for request in tuple(lane.waiting):
            try:
                lane.check(request)
            except MmError as error:
                self._reject(lane, request, error)

    def _reject(self, lane: Lane, request: Request, error: MmError) -> None:
        if self.backlog.leave(lane, request):
            self._effects.reject(request, error)
            self._on_left(lane)

    def _on_left(self, lane: Lane) -> None:
        """Let the other lanes go on when nothing waits any more in a lane that may have kept its turn."""
        if lane.waiting:
            return
        if lane is self._held:
            self._held = None
        self._follow_up()
