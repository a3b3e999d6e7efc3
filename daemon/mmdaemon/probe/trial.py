"""The child of the helper that tries one model, after it confined itself.

It writes lines to its pipe: ``phase NAME`` before each phase, and at the end one JSON object, ``{"ok": facts}`` or
``{"error": MmError.as_dict()}``. Without that object it died.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from mmdaemon.probe.limit import TrialLimits, close_all_but, confine
from mmwire.errors import InternalError, MmError

# path, threads, announce(phase) -> facts; as mmdaemon.runtime.trial.examine.examine
Examiner = Callable[[str, int, Callable[[str], None]], dict[str, Any]]

PHASE = "phase "


def run_trial(
    examiner: Examiner, model: int, threads: int, limits: TrialLimits, report: int, noise: int, parent: int
) -> NoReturn:
    """Be the child: confine this process, examine the model, report, and end. Never returns.

    Args:
        examiner: Examines the model.
        model: The descriptor of the file.
        threads: Threads of one invocation.
        limits: The limits of the trial.
        report: The descriptor for the report.
        noise: The descriptor that becomes standard output and error.
        parent: The process id of the helper.

    Thread: the only one of a process that was just forked.
    """
    try:
        for number in (signal.SIGTERM, signal.SIGXCPU):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so a write to a file fails with EFBIG
        os.dup2(noise, 1)
        os.dup2(noise, 2)
        close_all_but({0, 1, 2, model, report})
        confine(limits, os.fstat(model).st_size, parent)
        _say(report, json.dumps(_outcome(examiner, model, threads, limits, report)))
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
        os._exit(1)
    os._exit(0)  # without running the destructors of a model's libraries


def _outcome(examiner: Examiner, model: int, threads: int, limits: TrialLimits, report: int) -> dict[str, Any]:
    def announce(phase: str) -> None:
        _say(report, PHASE + phase)

    try:
        return {"ok": examiner(f"/proc/self/fd/{model}", threads, announce)}
    except MmError as error:
        return {"error": error.as_dict()}
    except MemoryError:
        return {"error": limits.too_large().as_dict()}
    except Exception as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        where = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else "?"
        print(f"{type(error).__name__} at {where}: {error}", file=sys.stderr, flush=True)
        return {"error": InternalError("INTERNAL", f"the trial failed: {type(error).__name__}: {error}").as_dict()}


def _say(report: int, line: str) -> None:
    data = line.replace("\n", " ").encode() + b"\n"
    while data:
        data = data[os.write(report, data) :]
