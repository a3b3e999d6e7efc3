"""The ADMIN verbs, which ``mmctl`` uses. ``VERBS`` is the table."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.loader.reconciler import Reconciler
from mmdaemon.registry.registry import Registry
from mmdaemon.service.health import Health
from mmwire.errors import RequestError
from mmwire.manifest import is_model_name, unknown_model
from mmwire.message import Reply


class Control:
    """Answers the verbs from the registry and the dispatcher. Changes go through the reconciler.

    Args:
        reconciler: Guards the registry; loads and unloads.
        registry: Knows the models.
        dispatcher: Knows what runs.
        identity: What ``status`` says of the daemon besides counts.

    Thread: any. Nothing here blocks: a verb that takes time is answered later.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        registry: Registry,
        dispatcher: Dispatcher,
        identity: Mapping[str, Any],
    ) -> None:
        self._reconciler = reconciler
        self._registry = registry
        self._dispatcher = dispatcher
        self._identity = identity
        self._health: Health | None = None
        self._started = time.monotonic()

    def report_on(self, health: Health) -> None:
        """Have ``status`` say what hangs.

        Not in the constructor: health watches the listener, and the listener asks this object.
        """
        self._health = health

    def start_verb(self, verb: str, arguments: dict[str, Any], deadline: float, reply: Reply) -> None:
        """Begin to answer; see ``listener.handler.AdminVerbs``."""
        answer = VERBS.get(verb)
        if answer is None:
            raise RequestError("BAD_REQUEST", f"unknown verb {verb!r}", f"known: {', '.join(VERBS)}")
        answer(self, arguments, deadline, reply)

    def withdraw(self, reply: Reply) -> bool:
        """End a ``wait`` or ``load`` that nobody waits for; see ``listener.handler.AdminVerbs``."""
        return self._reconciler.withdraw(reply)

    def ls(self, arguments: Mapping[str, Any], deadline: float, reply: Reply) -> None:
        """List every model."""
        with self._reconciler.monitor:
            models = [self._registry.document(name) for name in self._registry.names()]
        reply({"models": models})

    def show(self, arguments: Mapping[str, Any], deadline: float, reply: Reply) -> None:
        """Give one model with its labels, options and traits."""
        with self._reconciler.monitor:
            name = self._known(arguments)
            model = self._registry.model(name)
            document = self._registry.document(name) | {
                "labels": list(model.facts.labels),
                "options": model.facts.options.as_dict(),
                "traits": model.facts.traits,
            }
        reply(document)

    def ps(self, arguments: Mapping[str, Any], deadline: float, reply: Reply) -> None:
        """Give what runs, by model: instances, processes of their own, queues and use."""
        models: list[dict[str, Any]] = []
        at_work = self._dispatcher.at_work()
        with self._dispatcher.scheduler() as scheduler:
            for lane in scheduler.lanes.values():
                deployment = lane.deployment
                if deployment is None:
                    continue
                usage = deployment.usage
                leased = [lease.instance for lease in at_work if lease.deployment is deployment]
                pids = {instance.pid for instance in (*deployment.idle, *leased)} - {os.getpid()}
                models.append(
                    {
                        "name": lane.name,
                        "version": deployment.version,
                        "instances": deployment.instances,
                        "busy": deployment.instances - len(deployment.idle),
                        "queued": len(lane.waiting),
                        "pids": sorted(pids),
                        "requests": usage.requests,
                        "rows": usage.rows,
                        "errors": usage.errors,
                        "run_us_mean": round(usage.run_us_total / usage.requests) if usage.requests else 0,
                    }
                )
            workers = {"cores": scheduler.cores, "busy": scheduler.busy}
        reply({"models": sorted(models, key=lambda model: str(model["name"])), "workers": workers})

    def status(self, arguments: Mapping[str, Any], deadline: float, reply: Reply) -> None:
        """Give the state of the daemon itself."""
        with self._reconciler.monitor:
            counts, reason = self._registry.counts(), self._reconciler.trouble
        now = time.monotonic()
        troubles = self._health.troubles(now) if self._health is not None else []
        reason = "; ".join([*(trouble.what for trouble in troubles), *([reason] if reason else [])])
        with self._dispatcher.scheduler() as scheduler:
            state = "draining" if scheduler.is_draining else "degraded" if reason else "ready"
            queued, busy = scheduler.backlog.requests, scheduler.busy
        document: dict[str, Any] = {
            "state": state,
            "pid": os.getpid(),
            "uptime_s": round(now - self._started, 1),
            "models": counts,
            "queued": queued,
            "busy": busy,
            **self._identity,
        }
        if reason:
            document["reason"] = reason
        if troubles:
            document["troubles"] = [trouble.as_dict(now) for trouble in troubles]
        reply(document)

    def wait(self, arguments: Mapping[str, Any], deadline: float, reply: Reply) -> None:
        """Answer once a model serves, or cannot be served."""
        name = _text(arguments, "model")
        if not is_model_name(name):
            with self._reconciler.monitor:
                self._known(arguments)  # a file that has such a name is known, with the reason why it does not serve
        version = arguments.get("version") or 0
        if not isinstance(version, int) or version < 0:
            raise RequestError("BAD_REQUEST", f"'version': expected a positive whole number, got {version!r}")
        sha256 = arguments.get("sha256") or ""
        if not isinstance(sha256, str):
            raise RequestError("BAD_REQUEST", f"'sha256': expected text, got {sha256!r}")
        self._reconciler.wait_for(name, version, sha256.lower(), deadline, reply)

    def load(self, arguments: Mapping[str, Any], deadline: float, reply: Reply) -> None:
        """Serve a model that was unloaded, or try one again that was refused; then answer like ``wait``."""
        name = _text(arguments, "model")
        self._reconciler.load(name)
        self._reconciler.wait_for(name, 0, "", deadline, reply)

    def unload(self, arguments: Mapping[str, Any], deadline: float, reply: Reply) -> None:
        """Take a model out of memory."""
        with self._reconciler.monitor:
            self._reconciler.unload(self._known(arguments), reply)

    def _known(self, arguments: Mapping[str, Any]) -> str:
        name = _text(arguments, "model")
        if name not in self._registry:
            raise unknown_model(name, self._registry.names())
        return name


VERBS: dict[str, Callable[[Control, Mapping[str, Any], float, Reply], None]] = {
    "ls": Control.ls,
    "show": Control.show,
    "ps": Control.ps,
    "status": Control.status,
    "wait": Control.wait,
    "load": Control.load,
    "unload": Control.unload,
}


def _text(arguments: Mapping[str, Any], key: str) -> str:
    value = arguments.get(key)
    if not isinstance(value, str):
        raise RequestError("BAD_REQUEST", f"{key!r}: expected text, got {value!r}")
    return value
