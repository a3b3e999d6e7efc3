"""The instances of deployments: asking for them, taking them back, losing and closing them. Plain data.

Rule 7 of ``scheduler`` lives here: how long to pause before a lost instance is replaced.
"""

from __future__ import annotations

import math
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.effect import Effects
from mmwire.errors import CapacityError

_PAUSE_S = 1.0
_PAUSE_MOST_S = 60.0


class Supply:
    """Counts the instances of deployments.

    Thread: under the dispatcher's monitor only.
    """

    def __init__(self, effects: Effects) -> None:
        self._effects = effects

    def grow(self, deployment: Deployment) -> None:
        """Ask for one more instance."""
        deployment.growing += 1
        self._effects.grow(deployment)

    def on_grown(self, deployment: Deployment, instance: Any, now: float) -> None:
        """Take an instance that was asked for."""
        deployment.growing -= 1
        deployment.instances += 1
        deployment.last_used = now
        self.take_back(deployment, instance)

    def on_not_grown(self, deployment: Deployment, why: str, now: float) -> None:
        """Note that an instance that was asked for could not be loaded."""
        deployment.growing -= 1
        if deployment.instances:
            deployment.max_instances = deployment.instances  # do not ask again and again
        else:
            _set_back(deployment, why, now)

    def take_back(self, deployment: Deployment, instance: Any) -> None:
        """Let an instance be leased again, or close it when its deployment is retired."""
        deployment.idle.append(instance)
        if deployment.is_retired:
            self.close_idle(deployment)

    def drop(self, deployment: Deployment, instance: Any, now: float) -> None:
        """Go on without an instance that was lost."""
        deployment.instances -= 1
        self._effects.close(instance)
        if deployment.is_retired:
            return
        _set_back(deployment, "its process ends", now)
        if not deployment.growing and now >= deployment.pause_until:
            self.grow(deployment)

    def close_idle(self, deployment: Deployment) -> None:
        """Close every instance that is not leased."""
        deployment.instances -= len(deployment.idle)
        for instance in deployment.idle:
            self._effects.close(instance)
        deployment.idle.clear()

    def refusal(self, deployment: Deployment, now: float) -> CapacityError | None:
        """Return why no instance will come soon; None when there is one, or one will come."""
        if deployment.instances or deployment.growing or now >= deployment.pause_until:
            return None
        return CapacityError(
            "INSTANCE_LOST",
            f"model {deployment.name!r} has no instance after {deployment.setbacks} tries: {deployment.setback}",
            f"the daemon tries again in {deployment.pause_until - now:.0f} s; its log has the details",
        )


def _set_back(deployment: Deployment, why: str, now: float) -> None:
    """Count one more failure in a row, and pause after the second."""
    deployment.setbacks += 1
    deployment.setback = why
    pause_s = min(_PAUSE_S * 2.0 ** min(deployment.setbacks - 2, 10), _PAUSE_MOST_S)
    deployment.pause_until = now + pause_s if deployment.setbacks > 1 else -math.inf
