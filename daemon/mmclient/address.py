"""Where the daemon's socket is."""

from __future__ import annotations

import os
from pathlib import Path

from mmclient.reach import DaemonAbsentError
from mmwire.address import SOCKET_PATH_MAX_BYTES
from mmwire.errors import ClientError

ENVIRONMENT = "MM_SOCKET"


def candidates() -> list[str]:
    """Return the paths that the client tries, in this order, when none is given."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    first = [f"{runtime}/mmdaemon.sock"] if runtime else []
    return [*first, "/run/mmdaemon.sock", f"/tmp/mmdaemon-{os.getuid()}/mmdaemon.sock"]


def resolve(socket_path: str | os.PathLike[str] | None) -> str:
    """Return the socket's path: the argument, else ``MM_SOCKET``, else the first candidate that exists.

    Raises:
        DaemonAbsentError: ``DAEMON_UNREACHABLE``: no candidate exists.
        ClientError: ``DAEMON_UNREACHABLE``: the path is longer than a socket's may be.
    """
    given = os.fspath(socket_path) if socket_path else os.environ.get(ENVIRONMENT)
    if given:
        return _checked(given)
    tried = candidates()
    for path in tried:
        if Path(path).exists():
            return _checked(path)
    raise DaemonAbsentError(f"there is no socket {', '.join(tried)}")


def _checked(path: str) -> str:
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_MAX_BYTES:
        raise ClientError(
            "DAEMON_UNREACHABLE",
            f"expected a socket path of at most {SOCKET_PATH_MAX_BYTES} bytes, got {size}: {path}",
            "choose a shorter path",
        )
    return path
