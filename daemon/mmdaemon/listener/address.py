"""The listening socket: the daemon makes it safely, or takes it over from systemd."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import stat
from collections.abc import MutableMapping
from pathlib import Path

from mmwire.address import SOCKET_PATH_MAX_BYTES
from mmwire.errors import ConfigError

BACKLOG = 128
_FIRST_PASSED_FD = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)


def open_socket(path: Path, mode: str, group: str) -> socket.socket:
    """Bind and listen; return the socket, non-blocking.

    The socket gets its mode and its group and begins to listen under another name; a rename then gives it its own. So
    nobody connects with more rights, and nobody finds a socket that does not listen yet. The rename also replaces a
    stale socket. Another daemon could take the place between our look and the rename; the lock of the store refuses one
    of two daemons that start at the same moment.

    Args:
        path: The place of the socket.
        mode: Permissions, in octal.
        group: The group of the socket; empty for the group of the process.

    Raises:
        ConfigError: ``ALREADY_RUNNING``: a daemon answers there. ``CONFIG_INVALID``: the path cannot be used.
    """
    _make_folder(path.parent)
    _require_free(path)
    unfinished = _unfinished(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        unfinished.unlink(missing_ok=True)
        listening.bind(str(unfinished))
        if group:
            _give_to(unfinished, group)
        unfinished.chmod(int(mode, 8))
        listening.listen(BACKLOG)
        unfinished.rename(path)
    except (OSError, ConfigError) as error:
        listening.close()
        with contextlib.suppress(OSError):  # what refused the socket may refuse this too
            unfinished.unlink(missing_ok=True)
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            "CONFIG_INVALID", f"cannot serve on {path}: {error.strerror}", "choose another path with --socket"
        ) from None
    finally:
        os.umask(before)
    return listening


def inherited_sockets(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the listening sockets that systemd passed; none when it passed none.

    This removes the variables, so that no child takes them for its own. Source: sd_listen_fds(3).

    Raises:
        ConfigError: ``CONFIG_INVALID``: more than one socket, or not a listening Unix stream socket.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit() or int(count) == 0:
        return []
    if int(count) != 1:
        raise ConfigError(
            "CONFIG_INVALID", f"expected one socket from systemd, got {count}", "give the socket unit one ListenStream="
        )
    os.set_inheritable(_FIRST_PASSED_FD, False)
    passed = socket.socket(fileno=_FIRST_PASSED_FD)
    listens = passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if passed.family != socket.AF_UNIX or passed.type != socket.SOCK_STREAM or not listens:
        raise ConfigError(
            "CONFIG_INVALID",
            "the socket from systemd is not a listening Unix stream socket",
            "give the socket unit ListenStream=/path",
        )
    passed.setblocking(False)
    return [passed]


def remove_socket(path: Path, identity: os.stat_result) -> None:
    """Remove the socket if it is still the one that this daemon made."""
    with contextlib.suppress(OSError):
        now = path.lstat()
        if (now.st_dev, now.st_ino) == (identity.st_dev, identity.st_ino):
            path.unlink()


def _make_folder(folder: Path) -> None:
    """Make the default folder in /tmp, for this user only. Refuse a folder that another user put there."""
    if folder == Path(f"/tmp/mmdaemon-{os.geteuid()}"):
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise ConfigError(
                "CONFIG_INVALID", f"{folder} belongs to another user", "choose another path with --socket"
            )
    elif not folder.is_dir():
        raise ConfigError("CONFIG_INVALID", f"the socket's folder {folder} is not there", f"make it: mkdir -p {folder}")


def _unfinished(path: Path) -> Path:
    """Return where the socket lies until it is ready: beside its path, under a name that no other socket takes.

    The name is that of the socket and the process. Where the path leaves no room for both, only their end is taken.
    """
    name = os.fsencode(f"{path.name}.{os.getpid()}")
    longest = max(SOCKET_PATH_MAX_BYTES - len(os.fsencode(path.parent / "~")), 0)
    return path.with_name("~" + os.fsdecode(name[max(len(name) - longest, 0) :]))


def _require_free(path: Path) -> None:
    """Check that the path is free, or has a socket on which nobody answers.

    Raises:
        ConfigError: A daemon answers there, or the path has a file that is not a socket.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(
                "CONFIG_INVALID",
                f"{path} exists and is not a socket",
                "remove it, or choose another path with --socket",
            )
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.setblocking(False)
        try:
            knocking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError as error:
            if not isinstance(error, BlockingIOError):  # where the backlog is full, a daemon listens
                raise ConfigError("CONFIG_INVALID", f"cannot serve on {path}: {error.strerror}") from None
    raise ConfigError(
        "ALREADY_RUNNING", f"another daemon answers on {path}", "stop it, or choose another path with --socket"
    )


def _give_to(socket_path: Path, group: str) -> None:
    """Give the socket to a group. Without root, a process may give it only to a group of its own."""
    try:
        os.chown(socket_path, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        raise ConfigError("CONFIG_INVALID", f"socket.group: there is no group {group!r}") from None
    except OSError as error:
        raise ConfigError(
            "CONFIG_INVALID",
            f"socket.group: cannot give the socket to the group {group!r}: {error.strerror}",
            "add the daemon's user to that group, or set another socket.group",
        ) from None
