"""The errors of requests that the scheduler refuses."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mmwire.errors import CapacityError, RequestError


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


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a name looks like, None when it looks like none."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def unknown(name: str, known: Iterable[str] = ()) -> RequestError:
    """Return the error for a name that no model has; the hint is the known name that it looks like."""
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else "mmctl ls lists the models"
    return RequestError("MODEL_NOT_FOUND", f"no model named {name!r}", hint)
