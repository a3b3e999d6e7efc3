"""The log: one line an event, readable in a terminal and in the journal.

Under systemd it goes to the journal with fields (``telemetry/journal.py``), else to stderr with the time.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mmdaemon.telemetry.journal import JOURNAL_SOCKET, JournalHandler, PriorityFormatter, leads_to_journal
from mmwire.errors import MmError

LOG = logging.getLogger("mmdaemon")
LEVELS = ("debug", "info", "warning", "error")


def set_up_log(level: str) -> None:
    """Send the log where it belongs at a level of ``LEVELS``; may be called again to change the level."""
    LOG.setLevel(level.upper())
    if not LOG.handlers:
        LOG.addHandler(log_handler(os.environ))
        LOG.propagate = False


def log_handler(environment: Mapping[str, str], journal: Path = JOURNAL_SOCKET) -> logging.Handler:
    """Return what writes the log: fields for the journal, priorities where only stderr leads there, else the time."""
    stream = logging.StreamHandler(sys.stderr)
    if not leads_to_journal(stream.stream.fileno(), environment):
        stream.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
        return stream
    stream.setFormatter(PriorityFormatter("%(message)s"))
    return JournalHandler(journal, stream) if journal.is_socket() else stream


def about(
    model: str = "", version: int = 0, request: int | None = None, error: BaseException | None = None
) -> dict[str, dict[str, object]]:
    """Return the ``extra`` of a log line: what it is about, as fields of the journal.

    Args:
        model: Its name: MODEL.
        version: Its version: VERSION.
        request: The caller's number of it: REQUEST.
        error: What went wrong, by its code: ERROR_CODE.
    """
    fields: dict[str, object] = {}
    if model:
        fields["MODEL"] = model
    if version:
        fields["VERSION"] = version
    if request is not None:
        fields["REQUEST"] = request
    if error is not None:
        fields["ERROR_CODE"] = error.code if isinstance(error, MmError) else "INTERNAL"
    return {"about": fields}


def log_bug(doing: str, error: BaseException, model: str = "", request: int | None = None) -> None:
    """Log a bug of ours with its traceback; the only place where one is printed."""
    extra = about(model, request=request, error=error)
    LOG.error("bug while %s; please report it", doing, exc_info=error, extra=extra)
