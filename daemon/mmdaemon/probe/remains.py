"""Turns what a trial leaves behind into its result: the bytes in the pipe, the exit status, the reason of a kill."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, field
from typing import Any

from mmdaemon.confinement.memory import is_out_of_memory
from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.trial import PHASE
from mmdaemon.store.trial import TrialResult
from mmwire.errors import CODES, InternalError, MmError, ModelError

DETAIL_BYTES = 2048
REPORT_BYTES = 1024 * 1024  # the signatures of a real model take a few KB

# A model does not cause these. They come when a supervisor stops the daemon with all its processes.
_FROM_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


@dataclass(slots=True)
class Remains:
    """The traces that a trial left behind.

    Attributes:
        limits: The limits of the trial.
        report: The bytes that it wrote to its pipe, up to ``REPORT_BYTES``.
        noise: The end of its standard output and error.
        timed_out: Whether the helper killed it at its wall limit.
    """

    limits: TrialLimits
    report: bytearray = field(default_factory=bytearray)
    noise: bytearray = field(default_factory=bytearray)
    timed_out: bool = False

    def on_report(self, data: bytes) -> None:
        """Take a piece of the report; drop what is too much."""
        self.report += data[: max(0, REPORT_BYTES - len(self.report))]

    def on_noise(self, data: bytes) -> None:
        """Take a piece of the noise; keep the end of all."""
        self.noise += data
        del self.noise[:-DETAIL_BYTES]

    def result(self, status: int) -> TrialResult:
        """Return the result of a trial that has ended.

        1. The helper killed it at its wall limit: it was too slow.
        2. A signal killed it. The kernel did, at its CPU limit: it was too slow. The kernel did, for memory: it was too
           large. Otherwise the model crashed.
        3. It reported: the result is in the report, if that can be read.
        4. It ended without a report: the model crashed.

        Args:
            status: The status from ``os.waitpid``.
        """
        phase, said = self._lines()
        detail = self.noise.decode("utf-8", "replace").strip()
        if self.timed_out:  # 1
            return _refused(_too_slow(f"{self.limits.wall_s:g} s", "probe.wall_s"), phase, detail)
        if os.WIFSIGNALED(status):  # 2
            return _refused(self._killed(signal.Signals(os.WTERMSIG(status)), phase, detail), phase, detail)
        if said is not None:  # 3
            return _reported(said, phase, detail)
        number = os.waitstatus_to_exitcode(status)  # 4
        return _refused(_crashed(f"made its process exit with status {number}", phase), phase, detail)

    def _lines(self) -> tuple[str, str | None]:
        phase, said = "start", None
        for line in self.report.decode("utf-8", "replace").split("\n")[:-1]:
            if line.startswith(PHASE):
                phase = line.removeprefix(PHASE)[:40]
            else:
                said = line
        return phase, said

    def _killed(self, number: signal.Signals, phase: str, detail: str) -> MmError:
        if number == signal.SIGXCPU:
            return _too_slow(f"{self.limits.cpu_s} s of processor time", "probe.cpu_s")
        if number in _FROM_OUTSIDE:
            return InternalError("INTERNAL", f"{number.name} from outside ended the trial", retryable=True)
        is_starved = number == signal.SIGABRT and is_out_of_memory(detail)
        if is_starved or number == signal.SIGKILL:  # only the kernel sends SIGKILL, when the box is short of memory
            return self.limits.too_large()
        return _crashed(f"was killed by {number.name}", phase)


def not_tried(why: str) -> TrialResult:
    """Return the result for a model that was not tried, through no fault of its own."""
    return TrialResult(
        False, "INTERNAL", f"the model was not tried: {why}", "the daemon tries it again later", transient=True
    )


def starved(result: TrialResult, limits: TrialLimits) -> TrialResult:
    """Return the result for a model that was refused only because it got too little memory."""
    return _refused(limits.too_large(), result.phase, result.detail)


def _too_slow(limit: str, key: str) -> ModelError:
    return ModelError(
        "MODEL_TOO_SLOW",
        f"trying the model took more than {limit}",
        f"the daemon tries it again later; raise {key} if the box is this slow",
        retryable=True,
    )


def _crashed(how: str, phase: str) -> ModelError:
    return ModelError(
        "MODEL_CRASHED",
        f"the process that tried the model {how} (phase: {phase})",
        "the file is damaged or uses an operator that this runtime cannot run; convert it again",
    )


def _refused(error: MmError, phase: str, detail: str) -> TrialResult:
    return TrialResult(
        False, error.code, error.message, error.hint, transient=error.retryable, phase=phase, detail=detail
    )


def _reported(line: str, phase: str, detail: str) -> TrialResult:
    try:
        said = json.loads(line)
        fields: dict[str, Any] = {"phase": phase, "detail": detail}
        if "error" in said:
            error = said["error"]
            if error.get("code") not in CODES:
                raise ValueError("no such code")
            fields |= {"ok": False, "code": error["code"], "message": error["message"], "hint": error["hint"]}
            fields["transient"] = error["retryable"] or error["code"] == "INTERNAL"
        else:
            fields = {**said["ok"], **fields, "ok": True}
        return TrialResult.from_dict(fields)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return _refused(_crashed("reported something that is not a trial result", phase), phase, detail)
