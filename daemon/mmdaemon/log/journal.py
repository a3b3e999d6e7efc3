"""The two ways into the journal: entries with fields through its socket, lines with priorities through stderr.

Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, sd-daemon(3), systemd.exec(5) on JOURNAL_STREAM.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path

JOURNAL_SOCKET = Path("/run/systemd/journal/socket")
# Source: syslog(3).
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7
_IDENTIFIER = "mmdaemon"


def leads_to_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Return whether a descriptor still is the stream that systemd connected to the journal."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def priority(level: int) -> int:
    """Return the priority of a logging level; a level between two of them counts as the lower one."""
    return next((number for least, number in _PRIORITIES if level >= least), _DEBUG)


def entry(fields: Mapping[str, object]) -> bytes:
    """Return fields in the journal's format: ``NAME=text``, or with its length where the text has several lines."""
    parts: list[bytes] = []
    for name, value in fields.items():
        text = str(value).encode(errors="backslashreplace")
        if b"\n" in text:
            parts.append(name.encode() + b"\n" + len(text).to_bytes(8, "little") + text + b"\n")
        else:
            parts.append(name.encode() + b"=" + text + b"\n")
    return b"".join(parts)


class PriorityFormatter(logging.Formatter):
    """Puts ``<N>`` in front of every line. The journal reads that as the priority and removes it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        number = priority(record.levelno)
        return "\n".join(f"<{number}>{line}" for line in super().format(record).splitlines())


class JournalHandler(logging.Handler):
    """Sends entries with fields: ``journalctl -u mmdaemon MODEL=kws`` finds what concerns a model.

    Args:
        address: The journal's socket.
        otherwise: Takes the entries that the socket does not take: too large, too many, or no journal.

    Thread: any. Waits for nobody, unless it has to use ``otherwise``.
    """

    def __init__(self, address: Path, otherwise: logging.Handler) -> None:
        super().__init__()
        self._address = str(address)
        self._otherwise = otherwise
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        """Send an entry."""
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": priority(record.levelno),
            "SYSLOG_IDENTIFIER": _IDENTIFIER,
            "THREAD_NAME": record.threadName,
            "CODE_FILE": record.pathname,
            "CODE_LINE": record.lineno,
            "CODE_FUNC": record.funcName,
            **getattr(record, "about", {}),
        }
        try:
            self._sender.sendto(entry(fields), self._address)
        except OSError:
            self._otherwise.handle(record)

    def close(self) -> None:
        """Close the sender. Idempotent."""
        self._sender.close()
        super().close()
