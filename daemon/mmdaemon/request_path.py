"""The wiring of the request path: from the socket to the dispatcher, and what answers for both paths. No decisions."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmdaemon.config.schema import Config
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.listener.handler import Handler
from mmdaemon.listener.loop import ClientLimits, Loop
from mmdaemon.model_path import MIB, ModelPath
from mmdaemon.service.control import Control
from mmdaemon.service.health import Health
from mmwire.frame import FrameLimits


@dataclass(frozen=True, slots=True)
class RequestPath:
    """The parts of the request path.

    Attributes:
        dispatcher: Runs requests.
        loop: Listens, reads and replies.
        health: Sees what hangs, on both paths.
    """

    dispatcher: Dispatcher
    loop: Loop
    health: Health

    def stop(self, wait: bool) -> None:
        """Stop everything; without ``wait`` requests that still run are left behind."""
        self.loop.stop(wait)
        self.dispatcher.stop()


def build_request_path(
    config: Config,
    listening: socket.socket,
    dispatcher: Dispatcher,
    models: ModelPath,
    identity: Mapping[str, Any],
    check_s: float,
) -> RequestPath:
    """Return the request path, not yet started.

    Args:
        config: What to build.
        listening: The socket, bound and listening.
        dispatcher: Runs requests.
        models: The other path; ``mmctl`` asks it and changes it.
        identity: What ``mmctl status`` says of the daemon besides counts; ``software`` is sent in HELLO too.
        check_s: Seconds between two looks at the daemon's own health.
    """
    given = config.limits
    frame = FrameLimits(max_payload_bytes=given.max_request_mb * MIB)
    limits = ClientLimits(frame, given.max_connections, given.max_output_mb * MIB, given.client_stall_s)
    control = Control(models.reconciler, models.registry, dispatcher, identity)
    handler = Handler(dispatcher, control, frame, identity["software"])
    loop = Loop(listening, dispatcher, handler, limits, given.cores)
    health = Health(loop, dispatcher, models.reconciler, check_s, given.max_run_s)
    control.report_on(health)
    return RequestPath(dispatcher, loop, health)
