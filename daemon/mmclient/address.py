"""Where the daemon's socket is."""

from __future__ import annotations

import os
from pathlib import Path

from mmwire.errors import ClientError

ENVIRONMENT = "MM_SOCKET"
_PATH_MAX_BYTES = 107  # Source: unix(7), sun_path is 108 bytes with its final NUL


def candidates() -> list[str]:
    """Return the paths that are tried when none is given, in this order."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    first = [f"{runtime}/mmdaemon.sock"] if runtime else []
    return [*first, "/run/mmdaemon.sock", f"/tmp/mmdaemon-{os.getuid()}/mmdaemon.sock"]


def resolve(socket_path: str | os.PathLike[str] | None) -> str:
    """Return the socket's path: the argument, else ``MM_SOCKET``, else the first candidate that exists.

    Raises:
        ClientError: ``DAEMON_UNREACHABLE``: no candidate exists, or the path is longer than a socket's may be.
    """
    given = os.fspath(socket_path) if socket_path else os.environ.get(ENVIRONMENT)
    if given:
        return _checked(given)
    tried = candidates()
    for path in tried:
        if Path(path).exists():
            return _checked(path)
    raise ClientError(
        "DAEMON_UNREACHABLE",
        f"no daemon's socket at {', '.join(tried)}",
        f"start mmdaemon, or name its socket with --socket or {ENVIRONMENT}",
    )


def _checked(path: str) -> str:
    length = len(os.fsencode(path))
    if length > _PATH_MAX_BYTES:
        raise ClientError(
            "DAEMON_UNREACHABLE",
            f"the socket's path has {length} bytes, a Unix socket's has at most {_PATH_MAX_BYTES}: {path}",
            "choose a shorter one",
        )
    return path
