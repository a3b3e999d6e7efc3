"""The scheduler: admits requests, leases instances, keeps the queues. Plain data; every call is one event.

Rules:
 1. Running invocations times their threads never exceed the cores, over all models.
 2. A request runs at once if nobody of its model waits, an instance is idle and the cores are free; else it waits.
 3. Lanes with waiting requests take turns; within a lane it is first come, first served.
 4. A model that needs more cores than are free holds its turn: nobody overtakes it, so it cannot starve.
 5. Another instance is asked for only when a request waits, cores are free and none is idle.
 6. A request whose deadline has passed, or whose caller is gone, is never started.
"""

from __future__ import annotations

import difflib
from typing import Any, Protocol

from mmdaemon.scheduler.backlog import Backlog
from mmdaemon.scheduler.deployment import Deployment
from mmdaemon.scheduler.lane import Lane
from mmdaemon.scheduler.lease import Lease
from mmdaemon.scheduler.request import Request
from mmwire.errors import CapacityError, MmError, RequestError


class Effects(Protocol):
    """What the scheduler asks for. Called under the monitor: implementations only take note."""

    def wake(self) -> None:
        """Let one more thread call ``take``."""

    def grow(self, deployment: Deployment) -> None:
        """Load one more instance, then call ``on_grown``."""

    def reject(self, request: Request, error: MmError) -> None:
        """Reply with an error to a request that had been admitted."""

    def close(self, instance: Any) -> None:
        """Close an instance that nobody will lease again."""


class Scheduler:
    """Decides; see the rules above.

    Args:
        cores: What running invocations share.
        max_queue: Most waiting requests of a model that does not say otherwise.
        max_queued_bytes: Most bytes of waiting inputs, over all models.
        effects: Gets what follows from the decisions.

    Thread: under the pool's monitor only.
    """

    def __init__(self, cores: int, max_queue: int, max_queued_bytes: int, effects: Effects) -> None:
        self.cores = cores
        self.busy = 0
        self.is_draining = False
        self.lanes: dict[str, Lane] = {}
        self.backlog = Backlog()
        self.max_queue = max_queue
        self._max_queued_bytes = max_queued_bytes
        self._effects = effects
        self._held: Lane | None = None  # rule 4

    def lane(self, name: str) -> Lane:
        """Return a model's lane.

        Raises:
            RequestError: ``MODEL_NOT_FOUND``, with the nearest name as the hint.
        """
        lane = self.lanes.get(name)
        if lane is None:
            near = difflib.get_close_matches(name, self.lanes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "mmctl ls lists the models"
            raise RequestError("MODEL_NOT_FOUND", f"no model named {name!r}", hint)
        return lane

    def admit(self, request: Request, now: float, may_run: bool) -> Lease | None:
        """Take up a request: return a lease to run it on now, or None when it waits.

        Args:
            request: A new one.
            now: Monotonic seconds.
            may_run: Whether the calling thread is free to run it.

        Raises:
            MmError: It is refused: ``DRAINING``, ``MODEL_NOT_FOUND`` or why nothing serves, ``SPECS_CHANGED``,
                ``VERSION_NOT_SERVED``, ``DEADLINE_EXCEEDED``, ``QUEUE_FULL``.
        """
        if self.is_draining:
            raise CapacityError("DRAINING", "the daemon is stopping", "try again; a restarted daemon answers")
        lane = self.lanes.get(request.model) or self.lane(request.model)
        deployment = lane.check(request)
        if now >= request.deadline:
            raise _too_late()
        if may_run and not lane.waiting and deployment.idle and self._fits(deployment) and self._held is None:
            return self._lease(request, deployment, now)
        if len(lane.waiting) >= lane.max_queue or self.backlog.bytes + len(request.payload) > self._max_queued_bytes:
            raise CapacityError(
                "QUEUE_FULL",
                f"{len(lane.waiting)} requests wait for {request.model!r}, {self.backlog.bytes} bytes over all models",
                "send fewer at a time, or try again later",
            )
        self.backlog.enter(lane, request)
        self._follow_up()
        return None

    def take(self, now: float) -> Lease | None:
        """Return the next request to run, None when there is none that could run now."""
        lease = self._next(now)
        if self.backlog:
            self._follow_up()
        return lease

    def finish(self, lease: Lease, now: float, failed: bool) -> Lease | None:
        """Take an instance back and return the next request for the thread that ran it."""
        deployment = lease.deployment
        self.busy -= deployment.cost
        deployment.usage.on_run(lease.request.rows, (now - lease.started) * 1e6, failed)
        if deployment.is_retired:
            deployment.instances -= 1
            self._effects.close(lease.instance)
        else:
            deployment.idle.append(lease.instance)
        return self.take(now) if self.backlog else None

    def withdraw(self, request: Request) -> bool:
        """Forget a request whose caller cancelled or is gone; return whether it had not been started."""
        request.is_gone = True
        lane = self.lanes.get(request.model)
        if lane is None or not self.backlog.leave(lane, request):
            return False
        self._on_left(lane)
        return True

    def expire(self, now: float) -> None:
        """Refuse the waiting requests whose deadline has passed."""
        while (request := self.backlog.first_expired(now)) is not None:
            self._reject(self.lanes[request.model], request, _too_late())

    def publish(self, deployment: Deployment, max_queue: int = 0) -> Deployment | None:
        """Let a deployment serve its name from now on; return the one that it replaces, retired.

        Waiting requests go on with the new one, if its tensors are those they were made for.
        """
        lane = self.lanes.get(deployment.name)
        if lane is None:
            lane = self.lanes[deployment.name] = Lane(deployment.name, _unknown(deployment.name), 0)
        lane.max_queue = max_queue or self.max_queue
        old = self._retire(lane)
        lane.deployment = deployment
        self._recheck(lane)
        self._follow_up()
        return old

    def set_absent(self, name: str, absence: MmError) -> Deployment | None:
        """Let nothing serve a name, for a reason; return what served, retired. Waiting requests are refused."""
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane(name, absence, self.max_queue)
        lane.absence = absence
        old = self._retire(lane)
        self._recheck(lane)
        return old

    def forget(self, name: str) -> Deployment | None:
        """Remove a name altogether; return what served, retired."""
        if name not in self.lanes:
            return None
        old = self.set_absent(name, _unknown(name))
        del self.lanes[name]
        return old

    def on_grown(self, deployment: Deployment, instance: Any | None) -> None:
        """Take the instance that ``grow`` asked for; None when it could not be loaded."""
        deployment.growing -= 1
        if instance is None:
            deployment.max_instances = deployment.instances  # do not ask again and again for what cannot be had
        elif deployment.is_retired:
            self._effects.close(instance)
        else:
            deployment.instances += 1
            deployment.idle.append(instance)
            self._follow_up()

    def drain(self) -> None:
        """Refuse new requests from now on; those that were admitted are answered."""
        self.is_draining = True

    @property
    def is_quiet(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.busy and not self.backlog

    def abandon(self, error: MmError) -> None:
        """Refuse everything that waits."""
        for lane in self.lanes.values():
            for request in tuple(lane.waiting):
                self._reject(lane, request, error)

    def _fits(self, deployment: Deployment) -> bool:
        return self.busy + deployment.cost <= self.cores

    def _lease(self, request: Request, deployment: Deployment, now: float) -> Lease:
        self.busy += deployment.cost
        return Lease(request, deployment, deployment.idle.pop(), now)

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
                if now >= request.deadline:
                    self._reject(lane, request, _too_late())
                    continue
                self.backlog.leave(lane, request)
                self.backlog.end_turn(lane)
                return self._lease(request, deployment, now)
        return None

    def _follow_up(self) -> None:
        """Ask for what lets a waiting request run: a thread, or one more instance (rule 5)."""
        for lane in self.backlog.turns():
            deployment = lane.deployment
            if deployment is None:
                continue
            if not self._fits(deployment):
                if deployment.idle:
                    return  # it holds its turn (rule 4)
                continue
            if deployment.idle:
                self._effects.wake()
                return
            if not deployment.growing and deployment.instances < deployment.max_instances:
                deployment.growing += 1
                self._effects.grow(deployment)

    def _retire(self, lane: Lane) -> Deployment | None:
        old, lane.deployment = lane.deployment, None
        if old is not None:
            old.is_retired = True
            old.instances -= len(old.idle)
            for instance in old.idle:
                self._effects.close(instance)
            old.idle.clear()
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
        """Go on to the others when a lane that may have held its turn waits no more."""
        if lane.waiting:
            return
        if lane is self._held:
            self._held = None
        self._follow_up()


def _too_late() -> CapacityError:
    return CapacityError(
        "DEADLINE_EXCEEDED", "the deadline passed before the request could run", "give it more time, or send fewer"
    )


def _unknown(name: str) -> RequestError:
    return RequestError("MODEL_NOT_FOUND", f"no model named {name!r}", "mmctl ls lists the models")
