"""Connecting to the socket, and the errors of a connection that fails."""

from __future__ import annotations

import socket
import struct

from mmwire.errors import ClientError
from mmwire.frame import SEND_BUFFER_BYTES

_TIMEVAL = struct.Struct("ll")


class DaemonAbsentError(ClientError):
    """``DAEMON_UNREACHABLE`` because no daemon is there: one that starts later will answer."""

    def __init__(self, where: str) -> None:
        hint = "start mmdaemon, or name its socket with --socket or MM_SOCKET"
        super().__init__("DAEMON_UNREACHABLE", f"no daemon answers: {where}", hint)


def reach(path: str, patience_s: float) -> socket.socket:
    """Return a blocking socket that is connected to a path.

    Args:
        path: The socket's path.
        patience_s: How long to wait while the daemon's backlog is full.

    Raises:
        ClientError: ``DAEMON_UNREACHABLE``.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Source: unix(7) and the kernel's unix_stream_connect, which waits up to SO_SNDTIMEO while the backlog is full.
        seconds, rest = divmod(max(patience_s, 1e-3), 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(int(seconds), int(rest * 1e6)))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise _unreachable(path, error) from None
    except BaseException:
        sock.close()
        raise
    return sock


def lost(error: OSError | None) -> ClientError:
    """Return the error of a connection that ended before the answer; ``error`` is None if the daemon closed it."""
    how = error.strerror if error is not None and error.strerror else "closed by the daemon"
    return ClientError("CONNECTION_LOST", f"the connection broke before the answer: {how}", "see the daemon's log")


def timed_out() -> ClientError:
    """Return the error of an answer that did not come in time."""
    return ClientError("TIMEOUT", "no answer within the timeout", "mmctl ps shows what the daemon is busy with")


def _unreachable(path: str, error: OSError) -> ClientError:
    if isinstance(error, FileNotFoundError):
        return DaemonAbsentError(f"there is no socket {path}")
    if isinstance(error, ConnectionRefusedError):
        return DaemonAbsentError(f"no process listens on {path}")
    why, hint = error.strerror or str(error), "name the daemon's socket with --socket or MM_SOCKET"
    if isinstance(error, PermissionError):
        why, hint = "permission denied", f"join the socket's group (ls -l {path}), then log in again"
    elif isinstance(error, BlockingIOError):
        why, hint = "its backlog of new connections is full", "the daemon is stuck or overloaded: mmctl status"
    return ClientError("DAEMON_UNREACHABLE", f"no daemon answers on {path}: {why}", hint)
