"""The errors of requests that the scheduler refuses."""

from __future__ import annotations

from mmwire.errors import CapacityError

# A run may take this much longer than the rows before. With 1.2, one in six ended late on a busy box.
_MARGIN = 2.0


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


def lateness(deadline: float, expected_s: float, now: float) -> CapacityError | None:
    """Return why a request that waited is not started any more, None when there is time left for its run.

    Args:
        deadline: The request's, in monotonic seconds.
        expected_s: How long its run will take.
        now: Monotonic seconds.
    """
    if now >= deadline:
        return too_late()
    if now + _MARGIN * expected_s < deadline:
        return None
    return CapacityError(
        "DEADLINE_EXCEEDED",
        "the request waited until its run would end after its deadline",
        "allow more time, or send fewer requests at a time",
    )


def too_late() -> CapacityError:
    """Return the error for a request whose deadline has passed."""
    return CapacityError(
        "DEADLINE_EXCEEDED",
        "the deadline passed before the request could run",
        "allow more time, or send fewer requests at a time",
    )
