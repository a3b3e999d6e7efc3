"""The memory budget: stops processes that nobody uses until their next request, so that others have the memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.scheduler import Scheduler
from mmdaemon.log.logger import LOG, about

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class IdleDeployment:
    """A deployment whose processes are all idle.

    Attributes:
        memory_bytes: The memory of all of them.
        idle_s: For how long nobody has used it.
    """

    deployment: Deployment
    memory_bytes: int
    idle_s: float


def choose(candidates: Sequence[IdleDeployment], taken_bytes: int, total_bytes: int, idle_s: float) -> list[Deployment]:
    """Return the deployments to stop: those idle for too long, then those idle for longest, until the rest fits.

    Args:
        candidates: The deployments that could be stopped.
        taken_bytes: The memory of all processes, busy ones included.
        total_bytes: The memory that they may take together.
        idle_s: How long a deployment may be idle; 0 = never stop it.
    """
    chosen: list[Deployment] = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.idle_s, reverse=True):
        if taken_bytes > total_bytes or (idle_s and candidate.idle_s >= idle_s):
            chosen.append(candidate.deployment)
            taken_bytes -= candidate.memory_bytes
    return chosen


class Budget:
    """Stops deployments that are over the budget.

    Args:
        scheduler: Gives the scheduler under its monitor.
        total_bytes: The memory that all processes may take together.
        idle_s: How long a deployment may be idle; 0 = never stop it.

    Thread: one at a time.
    """

    def __init__(
        self, scheduler: Callable[[], AbstractContextManager[Scheduler]], total_bytes: int, idle_s: float
    ) -> None:
        self._scheduler = scheduler
        self._total_bytes = total_bytes
        self._idle_s = idle_s

    def tidy(self, taken_bytes: int, now: float) -> None:
        """Stop what is over the budget.

        Args:
            taken_bytes: The memory of all processes.
            now: Monotonic seconds.
        """
        idle: list[tuple[Deployment, list[Any]]] = []
        with self._scheduler() as scheduler:
            for lane in scheduler.lanes.values():
                deployment = lane.deployment
                if deployment is not None and deployment.is_on_demand and deployment.idle:
                    idle.append((deployment, list(deployment.idle)))
        candidates = [
            IdleDeployment(deployment, sum(one.memory_bytes() for one in instances), now - deployment.last_used)
            for deployment, instances in idle
        ]
        for deployment in choose(candidates, taken_bytes, self._total_bytes, self._idle_s):
            with self._scheduler() as scheduler:
                is_stopped = scheduler.evict(deployment)
            if is_stopped:
                taken_mb = taken_bytes // _MIB
                extra = about(deployment.name, deployment.version)
                LOG.info(
                    "%s is stopped until its next request; the processes of models took %d MiB",
                    deployment.name,
                    taken_mb,
                    extra=extra,
                )
