"""Who is stopped when the processes take too much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.scheduler import Scheduler
from mmdaemon.isolation.budget import Budget, IdleDeployment, choose
from mmwire.tensor import SignatureSpec, TensorSpec

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))


class Sized:
    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes

    def memory_bytes(self) -> int:
        return self._memory_bytes


class Effects:
    def __init__(self) -> None:
        self.closed: list[object] = []

    def close(self, instance: object) -> None:
        self.closed.append(instance)

    def wake(self) -> None: ...

    def grow(self, deployment: Deployment) -> None: ...

    def reject(self, *_: object) -> None: ...


def deployment(name: str, memory_bytes: int = 100, last_used: float = 0.0, on_demand: bool = True) -> Deployment:
    return Deployment(
        name, 1, {SPEC.name: SPEC}, 1, 1, [Sized(memory_bytes)], is_on_demand=on_demand, last_used=last_used
    )


@pytest.mark.parametrize(
    ("taken", "total", "idle_s", "stopped"),
    [
        (300, 300, 0, []),
        (301, 300, 0, ["old"]),
        (400, 300, 0, ["old"]),
        (401, 300, 0, ["old", "middle"]),
        (1000, 0, 0, ["old", "middle", "new"]),
        (0, 300, 20, ["old", "middle"]),
        (0, 300, 31, []),
    ],
)
def test_the_deployments_idle_for_longest_are_stopped_first(
    taken: int, total: int, idle_s: float, stopped: list[str]
) -> None:
    candidates = [
        IdleDeployment(deployment(name), 100, idle) for name, idle in (("new", 1.0), ("old", 30.0), ("middle", 20.0))
    ]
    assert [one.name for one in choose(candidates, taken, total, idle_s)] == stopped


def test_only_idle_deployments_that_may_be_stopped_are_stopped() -> None:
    effects = Effects()
    scheduler = Scheduler(4, 10, 1000, effects)
    for one in (deployment("a"), deployment("b", on_demand=False), deployment("c", last_used=90.0)):
        scheduler.publish(one)

    @contextmanager
    def monitor() -> Iterator[Scheduler]:
        yield scheduler

    Budget(monitor, 10_000, 50.0).tidy(300, 100.0)
    served = {name: lane.deployment.instances for name, lane in scheduler.lanes.items() if lane.deployment}
    assert served == {"a": 0, "b": 1, "c": 1}
    assert len(effects.closed) == 1
