"""The environment of a process that the daemon starts."""

from __future__ import annotations

from collections.abc import Mapping

# systemd means these for the daemon itself: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
_FOR_THE_DAEMON = ("LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_")


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child: the daemon's own, without what systemd told the daemon."""
    return {name: value for name, value in environment.items() if not name.startswith(_FOR_THE_DAEMON)}
