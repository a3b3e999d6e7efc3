"""The swap: a loaded version takes over between two requests; what it replaces finishes and is retired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.loader.arrived import Arrived
from mmdaemon.log.logger import LOG, about
from mmdaemon.registry.registry import Registry
from mmdaemon.registry.state import VersionState
from mmwire.errors import MmError


@dataclass(slots=True)
class _Retiring:
    deployment: Deployment
    number: int


class Swap:
    """Keeps dispatcher and registry in step.

    Args:
        dispatcher: Serves the requests.
        registry: What people are shown.
        release: Called for a retired deployment that has finished its last request.

    Thread: under the reconciler's monitor only; takes the dispatcher's monitor inside it, never the other way round.
    """

    def __init__(self, dispatcher: Dispatcher, registry: Registry, release: Callable[[Deployment], None]) -> None:
        self._release = release
        self._dispatcher = dispatcher
        self._registry = registry
        self._retiring: list[_Retiring] = []

    def publish(self, arrived: Arrived, reason: MmError | None = None) -> None:
        """Let a loaded version serve. Requests leased before run on the old one, all later ones on this.

        Args:
            arrived: The version.
            reason: Why its changed file does not serve, where older bytes do.
        """
        deployment = arrived.deployment
        name, number = deployment.name, deployment.version
        model = self._registry.model(name)
        before = model.serving
        model.set_serving(number, arrived.facts, arrived.sha256, reason)
        with self._dispatcher.scheduler() as scheduler:
            old = scheduler.publish(deployment, arrived.facts.options.max_queue)
        self._retire(old, before if before != number else 0)
        what = f", version {before} retires" if old else ""
        LOG.info("%s: version %d serves%s", name, number, what, extra=about(name, number))

    def withdraw(self, name: str, absence: MmError) -> None:
        """Let nothing serve a name, for a reason that requests are told."""
        model = self._registry.model(name)
        before = model.serving
        model.set_idle()
        with self._dispatcher.scheduler() as scheduler:
            old = scheduler.set_absent(name, absence)
        self._retire(old, before)

    def explain_absence(self, name: str, absence: MmError) -> None:
        """Change what requests are told while nothing serves."""
        with self._dispatcher.scheduler() as scheduler:
            lane = scheduler.lanes.get(name)
            if lane is None or lane.deployment is None:
                scheduler.set_absent(name, absence)

    def forget(self, name: str) -> None:
        """Remove a name: nothing serves it, and requests are told that there is no such model."""
        with self._dispatcher.scheduler() as scheduler:
            old = scheduler.forget(name)
        self._registry.drop(name)
        self._retire(old, 0)

    def settle_retired(self) -> None:
        """Note which retired deployments have finished their last request."""
        for retiring in list(self._retiring):
            if retiring.deployment.instances or retiring.deployment.growing:
                continue
            self._retiring.remove(retiring)
            self._release(retiring.deployment)
            name, number = retiring.deployment.name, retiring.number
            if number and name in self._registry:
                model = self._registry.model(name)
                version = model.versions.get(number)
                if version is not None and version.state is VersionState.RETIRING:
                    model.move(number, VersionState.UNLOADED)

    def _retire(self, old: Deployment | None, number: int) -> None:
        if old is not None:
            self._retiring.append(_Retiring(old, number))
            self.settle_retired()
