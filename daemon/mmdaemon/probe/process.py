"""The helper as a process of the daemon's: started by exec, ended by closing its socket."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time

from mmdaemon.confinement.environment import child_environment
from mmdaemon.probe.packet import READY
from mmwire.errors import InternalError

_START_S = 60.0  # imports from a cold SD card
_STOP_S = 5.0
_CHUNK_BYTES = 64 * 1024


class HelperProcess:
    """One helper process.

    Attributes:
        process: It.
        control: The socket that requests go through.

    Thread: any for every method, ``wait_warm`` one at a time; a packet on ``control`` goes as a whole.
    """

    def __init__(self, examiner: str, warm_up: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # numpy's OpenBLAS would start threads at import, and a fork of a process with threads is a gamble.
            environment = child_environment(os.environ) | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "mmdaemon.probe.helper",
                    str(theirs.fileno()),
                    str(os.getpid()),
                    examiner,
                    warm_up,
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=environment,
                start_new_session=True,  # Ctrl-C is the daemon's to decide about
            )
        self.control = ours
        self._is_warm = False

    @classmethod
    def start(cls, examiner: str, warm_up: str) -> HelperProcess:
        """Start one, and do not wait for it.

        Raises:
            InternalError: ``INTERNAL``: there is no process for it.
        """
        try:
            return cls(examiner, warm_up)
        except OSError as error:
            raise InternalError("INTERNAL", f"the probe's helper cannot be started: {error.strerror}") from None

    def wait_warm(self) -> None:
        """Block until it has imported what a trial needs. Idempotent.

        Raises:
            InternalError: ``INTERNAL``: it did not come up, and is gone.
        """
        if self._is_warm:
            return
        readable, _, _ = select.select([self.control], [], [], _START_S)
        with contextlib.suppress(OSError):
            self._is_warm = bool(readable) and self.control.recv(len(READY)) == READY
        if not self._is_warm:
            self.stop()
            status = self.process.returncode
            raise InternalError("INTERNAL", f"the probe's helper does not come up (status {status})", "see the log")

    def stop(self) -> None:
        """End it: end of file on its socket is the sign; its children die with it."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.control.close()


def read_all(descriptor: int, deadline: float) -> bytes:
    """Read to the end of a pipe.

    Raises:
        TimeoutError: The deadline passed first.
    """
    data = bytearray()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            return bytes(data)
        data += chunk
