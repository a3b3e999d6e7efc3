"""The log: one line an event, on stderr, readable in a terminal and in the journal.

Under systemd lines carry ``<N>`` priorities, which journald takes off (sd-daemon(3)); in the foreground a time.
"""

from __future__ import annotations

import logging
import os
import sys

LOG = logging.getLogger("mmdaemon")
LEVELS = ("debug", "info", "warning", "error")
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        priority = _PRIORITY.get(record.levelno, 6)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def set_up_log(level: str) -> None:
    """Send the log to stderr at a level of ``LEVELS``; may be called again to change the level."""
    LOG.setLevel(level.upper())
    if LOG.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    LOG.addHandler(handler)
    LOG.propagate = False


def log_bug(doing: str, error: BaseException) -> None:
    """Log a bug of ours with its traceback; the only place where one is printed."""
    LOG.error("bug while %s; please report it", doing, exc_info=error)
