"""The helper process: it has one thread and an imported runtime, runs no model, and forks a child for each trial.

Started as ``python -m mmdaemon.probe.helper CONTROL DAEMON EXAMINER WARM_UP``. It ends when its control socket closes
or the daemon ends; the socket alone is not enough, because another child of the daemon may hold it open.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from importlib import import_module
from typing import Any

from mmdaemon.probe.packet import READY, TrialRequest, receive_request
from mmdaemon.probe.remains import Remains, not_tried
from mmdaemon.probe.trial import Examiner, run_trial
from mmwire.errors import MmError

_PIPE_BYTES = 64 * 1024


class _Child:
    """One trial under way."""

    def __init__(self, request: TrialRequest, pid: int, answer: int, report: int, noise: int) -> None:
        self.pid = pid
        self.ended = os.pidfd_open(pid)
        self.answer = answer
        self.report = report
        self.noise = noise
        self.remains = Remains(request.limits)
        self.deadline = time.monotonic() + request.limits.wall_s

    def descriptors(self) -> tuple[int, int, int]:
        return self.ended, self.report, self.noise

    def drain(self, descriptor: int) -> bool:
        """Read once, as much as a pipe holds; return whether there may be more later."""
        try:
            data = os.read(descriptor, _PIPE_BYTES)
        except BlockingIOError:
            return True
        if descriptor == self.report:
            self.remains.on_report(data)
        else:
            self.remains.on_noise(data)
        return bool(data)


class Helper:
    """The event loop of the helper process.

    Thread: the only one. After a fork of a process with threads any lock may be held for ever.
    """

    def __init__(self, control: socket.socket, daemon: int, examiner: Examiner) -> None:
        self._control = control
        self._examiner = examiner
        self._poll = select.poll()
        self._children: dict[int, _Child] = {}  # by each of their descriptors
        self._daemon = os.pidfd_open(daemon)  # PDEATHSIG would come when the thread that started this process ends

    def serve(self) -> None:
        """Serve until the daemon is gone."""
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._daemon, select.POLLIN)
        with contextlib.suppress(ConnectionError):  # below it shows whether the daemon has ended
            self._control.send(READY)
        while True:
            ready = [descriptor for descriptor, _ in self._poll.poll(self._wait_ms())]
            for descriptor in ready:
                if descriptor in self._children:
                    self._on_child(self._children[descriptor], descriptor)
            # This comes last: a new child may get the descriptors of one that ended, but must not get its events.
            if self._daemon in ready or (self._control.fileno() in ready and not self._on_control()):
                return
            self._on_time()

    def _wait_ms(self) -> int | None:
        deadlines = [child.deadline for child in self._children.values() if not child.remains.timed_out]
        if not deadlines:
            return None
        return int(1000 * max(0.0, min(deadlines) - time.monotonic())) + 1

    def _on_control(self) -> bool:
        try:
            received = receive_request(self._control)
        except ConnectionError:
            return False
        if received is None:
            return False
        self._start(*received)
        return True

    def _start(self, request: TrialRequest, model: int, answer: int) -> None:
        report_out, report_in = os.pipe2(os.O_CLOEXEC)
        noise_out, noise_in = os.pipe2(os.O_CLOEXEC)
        helper = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            for descriptor in (model, report_out, report_in, noise_out, noise_in):
                os.close(descriptor)
            _answer(answer, not_tried(f"no process for it: {error.strerror}").as_dict())
            return
        if pid == 0:
            run_trial(self._examiner, model, request.threads, request.limits, report_in, noise_in, helper)
        for descriptor in (model, report_in, noise_in):
            os.close(descriptor)
        child = _Child(request, pid, answer, report_out, noise_out)
        for descriptor in child.descriptors():
            os.set_blocking(descriptor, False)
            self._children[descriptor] = child
            self._poll.register(descriptor, select.POLLIN)

    def _on_child(self, child: _Child, descriptor: int) -> None:
        if descriptor == child.ended:
            self._on_end(child)
        elif not child.drain(descriptor):
            self._poll.unregister(descriptor)  # end of file; the process may go on

    def _on_end(self, child: _Child) -> None:
        _, status = os.waitpid(child.pid, 0)
        child.drain(child.report)
        child.drain(child.noise)
        for descriptor in child.descriptors():
            with contextlib.suppress(KeyError):
                self._poll.unregister(descriptor)
            del self._children[descriptor]
            os.close(descriptor)
        _answer(child.answer, child.remains.result(status).as_dict())

    def _on_time(self) -> None:
        now = time.monotonic()
        for child in set(self._children.values()):
            if now >= child.deadline and not child.remains.timed_out:
                child.remains.timed_out = True
                os.kill(child.pid, signal.SIGKILL)


def _answer(descriptor: int, result: dict[str, Any]) -> None:
    with contextlib.suppress(OSError), os.fdopen(descriptor, "wb") as pipe:  # perhaps nobody waits any more
        pipe.write(json.dumps(result).encode())


def _load(text: str) -> Any:
    module, _, name = text.partition(":")
    return getattr(import_module(module), name)


def main(arguments: list[str]) -> None:
    """Be the helper process."""
    control = socket.socket(fileno=int(arguments[0]))
    daemon = int(arguments[1])
    examiner = _load(arguments[2])
    with contextlib.suppress(MmError):  # without a runtime each trial ends with that error
        _load(arguments[3])()
    gc.collect()
    gc.freeze()  # so that pages stay shared with the children
    helper = Helper(control, daemon, examiner)
    if os.getppid() == daemon:  # else the daemon died, and another process may have its number
        helper.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
