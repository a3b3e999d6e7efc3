"""The helper, as the daemon sees it: starts it by exec, ends it by closing its socket."""

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
        process: The process.
        control: The socket for requests.

    Thread: any for every method; ``wait_warm`` one at a time. A packet on ``control`` goes as a whole.
    """

    def __init__(self, examiner: str, warm_up: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # numpy's OpenBLAS would start threads when it is imported, and a process with threads must not fork.
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
        """Start a helper, and do not wait for it.

        Raises:
            InternalError: ``INTERNAL``: the box has no process for it.
        """
        try:
            return cls(examiner, warm_up)
        except OSError as error:
            raise InternalError("INTERNAL", f"the helper of the probe cannot be started: {error.strerror}") from None

    def wait_warm(self) -> None:
        """Wait until it has imported everything that a trial needs. Idempotent.

        Raises:
            InternalError: ``INTERNAL``: it did not start, and is gone.
        """
        if self._is_warm:
            return
        readable, _, _ = select.select([self.control], [], [], _START_S)
        with contextlib.suppress(OSError):
            self._is_warm = bool(readable) and self.control.recv(len(READY)) == READY
        if not self._is_warm:
            self.stop()
            status = self.process.returncode
            raise InternalError(
                "INTERNAL", f"the helper of the probe does not start (status {status})", "the log says why"
            )

    def stop(self) -> None:
        """End it by closing its socket; its children die with it."""
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
