"""Tells systemd how the daemon is: sd_notify(3), through systemd-python where that is installed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from mmdaemon.log.logger import LOG


class Notifier:
    """Sends states to systemd. Without systemd it does nothing.

    Thread: any.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._send: Callable[[str], object] = lambda _: None
        self._complained = False
        address = environment.get("NOTIFY_SOCKET", "")
        if not address:
            return
        try:
            # A bare ``import systemd`` would succeed with the folder systemd/ of the repository.
            from systemd import daemon
        except ImportError:
            self._address = "\0" + address[1:] if address.startswith("@") else address
            self._send = self._datagram
        else:
            self._send = daemon.notify

    def ready(self, status: str) -> None:
        """Say that the daemon serves; also at the end of a reload."""
        self._tell(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Set the status line, for people."""
        self._tell(f"STATUS={status}")

    def reloading(self) -> None:
        """Say that the daemon reads its configuration again."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the daemon is about to stop."""
        self._tell("STOPPING=1\nSTATUS=draining")

    def watchdog(self) -> None:
        """Say that the daemon is well."""
        self._tell("WATCHDOG=1")

    def trigger_watchdog(self) -> None:
        """Ask for what systemd does when it hears nothing: a restart, if the unit says so."""
        self._tell("WATCHDOG=trigger")

    def _tell(self, state: str) -> None:
        try:
            self._send(state)
        except OSError as error:
            if not self._complained:
                LOG.warning("systemd cannot be told how the daemon is: %s", error)
                self._complained = True

    def _datagram(self, state: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(state.encode(), self._address)


def watchdog_interval_s(environment: Mapping[str, str]) -> float | None:
    """Return how often to say ``watchdog``: half of the time that systemd waits; None when it does not watch.

    Source: sd_watchdog_enabled(3).
    """
    text, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not text.isdigit() or int(text) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(text) / 2e6
