"""The errors of requests that the scheduler refuses."""

from __future__ import annotations

from mmwire.errors import CapacityError


def draining() -> CapacityError:
    """Return the error while the daemon stops."""
    return CapacityError("DRAINING", "the daemon is stopping", "try again when it has started again")


def queue_full(name: str, waiting: int, total_bytes: int) -> CapacityError:
    """Return the error for a request when too many others wait."""
    return CapacityError(
        "QUEUE_FULL",
        f"{waiting} requests wait for {name!r}, {total_bytes} bytes over all models",
        "send fewer requests at a time, or try again later",
    )


def too_late() -> CapacityError:
    """Return the error for a request whose deadline has passed."""
    return CapacityError(
        "DEADLINE_EXCEEDED",
        "the deadline passed before the request could run",
        "allow more time, or send fewer requests at a time",
    )
