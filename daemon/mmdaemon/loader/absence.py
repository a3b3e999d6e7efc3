"""The errors that requests get while nothing serves their model."""

from __future__ import annotations

from mmwire.errors import CapacityError, MmError, RequestError


def loading(name: str, error: MmError | None = None) -> CapacityError:
    """Return the error for a model that is still loading; ``error`` says why it is late."""
    why = f": {error.message}" if error else ""
    return CapacityError("MODEL_LOADING", f"model {name!r} does not serve yet{why}", "try again, or mmctl wait")


def quarantined(name: str, reason: MmError | None, serving: int = 0) -> RequestError:
    """Return the error for a model of which no version can be served, or only ``serving``, an older one."""
    why = (reason.message if reason else "it cannot be served") + (f"; version {serving} serves" if serving else "")
    return RequestError("MODEL_QUARANTINED", f"model {name!r}: {why}", reason.hint if reason else "see mmctl show")


def unloaded(name: str) -> RequestError:
    """Return the error for a model that its owner took out of memory."""
    return RequestError("MODEL_UNLOADED", f"model {name!r} was unloaded", f"mmctl load {name}")
