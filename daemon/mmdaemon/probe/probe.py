"""The probe: asks the helper process to try models, and replaces the helper when it died."""

from __future__ import annotations

import json
import os
import threading
import time

from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.packet import TrialRequest, send_request
from mmdaemon.probe.process import HelperProcess, read_all
from mmdaemon.probe.remains import not_tried, starved
from mmdaemon.store.blob import OpenBlob
from mmdaemon.store.trial import TrialResult
from mmwire.errors import InternalError

EXAMINER = "mmdaemon.runtime.trial.examine:examine"
WARM_UP = "mmdaemon.runtime.tflite.selection:select_runtime"
_GRACE_S = 10.0  # for the helper, after the wall limit that it enforces itself


class Probe:
    """Tries models in throw-away processes.

    Args:
        limits: The limits of each trial.
        parallel: How many trials run at the same time; further callers wait. Default: the cores of the box.
        examiner: ``module:function`` that the child runs; see ``trial.Examiner``.
        warm_up: ``module:function`` that the helper calls once, so that every child has the runtime imported.

    Thread: any for every method.
    """

    def __init__(
        self, limits: TrialLimits, parallel: int = 0, examiner: str = EXAMINER, warm_up: str = WARM_UP
    ) -> None:
        self._limits = limits
        self._examiner = examiner
        self._warm_up = warm_up
        self._turns = threading.BoundedSemaphore(parallel or os.cpu_count() or 1)
        self._lock = threading.Lock()  # guards the helper's start and end
        self._helper: HelperProcess | None = None
        self._stopped = False

    def start(self) -> None:
        """Start the helper, so that it is ready when the first check comes. Idempotent; also works after ``stop``.

        Raises:
            InternalError: ``INTERNAL``: the box has no process for it.
        """
        with self._lock:
            self._stopped = False
            if self._helper is None:
                self._helper = HelperProcess.start(self._examiner, self._warm_up)

    def stop(self) -> None:
        """End the helper and all trials. Checks under way return a transient result. Idempotent."""
        with self._lock:
            self._stopped = True
            helper, self._helper = self._helper, None
        if helper is not None:
            helper.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the helper, None while there is no helper."""
        helper = self._helper
        return None if helper is None else helper.process.pid

    def check(self, blob: OpenBlob, threads: int) -> TrialResult:
        """Try a model and return the result. If the helper dies meanwhile, start another one and try once more.

        This blocks for up to the wall limit, and before that until the trial has its turn.
        """
        with self._turns:
            result = self._try(blob, threads, self._limits)
            if result.code == "MODEL_INVALID":
                # LiteRT gives the same error for a bad file and for too little memory. With more memory a bad file
                # stays bad.
                second = self._try(blob, threads, self._limits.with_more_memory())
                if second.ok or second.code == "MODEL_TOO_LARGE":
                    return starved(result, self._limits)
            return result

    def _try(self, blob: OpenBlob, threads: int, limits: TrialLimits) -> TrialResult:
        failure = "the probe's helper process died twice meanwhile"
        for _ in range(2):
            try:
                helper = self._running()
                result = self._ask(helper, blob, threads, limits)
            except InternalError as error:
                failure = error.message
                continue
            if result is not None:
                return result
            self._replace(helper)
        return not_tried(failure)

    def _ask(self, helper: HelperProcess, blob: OpenBlob, threads: int, limits: TrialLimits) -> TrialResult | None:
        """Return the result from the helper, None when the helper died or hangs.

        Raises:
            InternalError: ``INTERNAL``: no descriptor is left.
        """
        try:
            ours, theirs = os.pipe2(os.O_CLOEXEC)
        except OSError as error:
            raise InternalError("INTERNAL", f"no pipe to the probe's helper: {error.strerror}") from None
        try:
            try:
                send_request(helper.control, TrialRequest(threads, limits), blob.fd, theirs)
            finally:
                os.close(theirs)
            data = read_all(ours, time.monotonic() + limits.wall_s + _GRACE_S)
            return TrialResult.from_dict(json.loads(data))
        except (OSError, ValueError):
            return None
        finally:
            os.close(ours)

    def _running(self) -> HelperProcess:
        """Return the helper, ready for a trial; start it if there is none.

        Raises:
            InternalError: ``INTERNAL``: it does not start, or the probe was stopped.
        """
        with self._lock:
            if self._stopped:
                raise InternalError("INTERNAL", "the probe was stopped", retryable=True)
            if self._helper is None:
                self._helper = HelperProcess.start(self._examiner, self._warm_up)
            try:
                self._helper.wait_warm()
            except InternalError:
                self._helper = None
                raise
            return self._helper

    def _replace(self, dead: HelperProcess) -> None:
        """Replace a helper that died or hangs, unless another thread did so."""
        with self._lock:
            if self._helper is not dead:
                return
            self._helper = None
        dead.process.kill()
        dead.stop()
