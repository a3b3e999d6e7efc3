"""The log: one line for each event, in a terminal or in the journal.

Under systemd the entries go to the journal, with fields (``log/journal.py``). Otherwise they go to stderr, with the
time.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from mmdaemon.log.journal import JOURNAL_SOCKET, JournalHandler, PriorityFormatter, leads_to_journal
from mmwire.errors import MmError

LOG = logging.getLogger("mmdaemon")


def set_up_log(level: str) -> None:
    """Set up the log, or only its level where it is set up already.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
    """
    LOG.setLevel(level.upper())
    if not LOG.handlers:
        LOG.addHandler(log_handler(os.environ))
        LOG.propagate = False


def log_handler(environment: Mapping[str, str], journal: Path = JOURNAL_SOCKET) -> logging.Handler:
    """Return what writes the log: fields for the journal, priorities where only stderr leads to it, else the time."""
    stream = logging.StreamHandler(sys.stderr)
    if not leads_to_journal(stream.stream.fileno(), environment):
        stream.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
        return stream
    stream.setFormatter(PriorityFormatter("%(message)s"))
    return JournalHandler(journal, stream) if journal.is_socket() else stream


@dataclass(frozen=True, slots=True)
class ModelAtWork:
    """The model that a thread works on, for code that is not told: a runtime loads a file, whichever model it is."""

    model: str = ""
    version: int = 0

    def __str__(self) -> str:
        return f"{self.model} version {self.version}" if self.model else "a model"


_at_work: ContextVar[ModelAtWork] = ContextVar("model_at_work", default=ModelAtWork())  # noqa: B039 - it is frozen


@contextmanager
def working_on(model: str, version: int) -> Iterator[None]:
    """Have ``model_at_work`` return this model in the block, in this thread."""
    token = _at_work.set(ModelAtWork(model, version))
    try:
        yield
    finally:
        _at_work.reset(token)


def model_at_work() -> ModelAtWork:
    """Return the model that this thread works on."""
    return _at_work.get()


def about(
    model: str = "",
    version: int = 0,
    request: int | None = None,
    error: BaseException | None = None,
    signature: str = "",
) -> dict[str, dict[str, object]]:
    """Return the ``extra`` of a log line: what the line is about, as fields of the journal.

    Args:
        model: The name of the model: MODEL.
        version: Its version: VERSION.
        request: The caller's number of the request: REQUEST.
        error: The error, by its code: ERROR_CODE.
        signature: The signature of the model: SIGNATURE.
    """
    fields: dict[str, object] = {}
    if model:
        fields["MODEL"] = model
    if version:
        fields["VERSION"] = version
    if request is not None:
        fields["REQUEST"] = request
    if signature:
        fields["SIGNATURE"] = signature
    if error is not None:
        fields["ERROR_CODE"] = error.code if isinstance(error, MmError) else "INTERNAL"
    return {"about": fields}


def log_bug(
    doing: str,
    error: BaseException,
    model: str = "",
    version: int = 0,
    request: int | None = None,
    signature: str = "",
) -> None:
    """Log a bug in the daemon with its traceback. Nothing else prints a traceback."""
    extra = about(model, version, request, error, signature)
    LOG.error("bug while %s; please report it", doing, exc_info=error, extra=extra)
