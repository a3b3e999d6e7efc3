"""One child, as the daemon sees it: starts it by exec, sends it packets, ends it by closing the connection."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from mmdaemon.confinement.environment import child_environment
from mmdaemon.confinement.memory import is_out_of_memory
from mmdaemon.isolation.arena import Arena, open_arena
from mmdaemon.isolation.packet import Channel, Order, Run
from mmdaemon.log.logger import about, model_at_work
from mmwire.errors import InternalError, MmError

_STOP_S = 5.0
_DETAIL_BYTES = 2048
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ChildProcess:
    """One child.

    Attributes:
        model: The model that it runs, for the log.
        arena: The memory shared with it.
        ended: Set once it has ended and ``how`` is known.
        how: How it ended, as one clause for people.
        is_starved: Whether it ended because it got no memory.

    Thread: any for ``kill``, ``stop`` and the attributes; one at a time for the rest.
    """

    def __init__(self) -> None:
        self.model = model_at_work()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        noise_out, noise_in = os.pipe2(os.O_CLOEXEC)
        shared = open_arena()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "mmdaemon.isolation.child",
                        str(theirs.fileno()),
                        str(shared),
                        str(os.getpid()),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=noise_in,
                    stderr=noise_in,
                    pass_fds=[theirs.fileno(), shared],
                    env=child_environment(os.environ),
                    start_new_session=True,  # Ctrl-C is the daemon's to decide about
                )
            self.pidfd = os.pidfd_open(self._process.pid)
        except BaseException:
            for descriptor in (noise_out, shared):
                os.close(descriptor)
            ours.close()
            raise
        finally:
            os.close(noise_in)
        os.set_blocking(noise_out, False)
        self.noise_out = noise_out
        self.arena = Arena(shared)
        self.ended = threading.Event()
        self.how = ""
        self.is_starved = False
        self._control = Channel(ours)
        self._noise = bytearray()
        self._was_told = False
        self._lock = threading.Lock()  # once the child has ended, its descriptor may belong to something else

    @classmethod
    def start(cls) -> ChildProcess:
        """Start a child, and do not wait for it.

        Raises:
            InternalError: ``INTERNAL``: the box has no process, or no memory, for it.
        """
        try:
            return cls()
        except OSError as error:
            raise InternalError(
                "INTERNAL", f"no process can be started for the model: {error.strerror}", retryable=True
            ) from None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def control(self) -> int:
        """A descriptor that becomes readable when the child answers or ends."""
        return self._control.fileno()

    def about(self, error: MmError | None = None) -> dict[str, dict[str, object]]:
        """Return the ``extra`` of a log line about it."""
        return about(self.model.model, self.model.version, error=error)

    def send(self, message: Order | Run, descriptors: tuple[int, ...] = ()) -> None:
        """Send it a packet.

        Raises:
            OSError: The child is gone.
        """
        self._control.send(message, descriptors)

    def receive(self) -> dict[str, Any] | None:
        """Wait for its answer and return it, None when the child is gone."""
        try:
            return self._control.receive()
        except (OSError, ValueError):
            return None

    def kill(self) -> None:
        """End it at once. Idempotent."""
        self._was_told = True
        with self._lock:
            if not self.ended.is_set():
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def stop(self) -> None:
        """End it by closing the connection; kill it if it does not end by itself. Idempotent."""
        self._was_told = True
        with contextlib.suppress(OSError):
            self._control.shut_down()
        if not self.ended.wait(_STOP_S):
            self.kill()
            self.ended.wait()

    def close(self) -> None:
        """Free what it left behind, once it has ended."""
        self._control.close()
        self.arena.close()

    def memory_bytes(self) -> int:
        """Return its resident memory, without pages that it shares with others; 0 when it is gone.

        Source: proc(5), ``statm``: resident minus shared pages.
        """
        try:
            fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        except OSError:
            return 0
        return max(0, int(fields[1]) - int(fields[2])) * _PAGE_BYTES

    def on_noise(self) -> list[str]:
        """Read what it printed; return the lines, and keep the end of it for ``detail``."""
        lines: list[str] = []
        with contextlib.suppress(BlockingIOError):
            data = os.read(self.noise_out, 65536)
            lines = data.decode("utf-8", "replace").splitlines()
            self._noise += data
            del self._noise[:-_DETAIL_BYTES]
        return lines

    @property
    def detail(self) -> str:
        """The last words that it printed."""
        return self._noise.decode("utf-8", "replace").strip()

    def on_end(self) -> None:
        """Reap it, and note how it ended."""
        self.on_noise()
        status = self._process.wait()
        self.is_starved = is_out_of_memory(self.detail)
        self.how = _how(status, self.is_starved)
        with self._lock:
            self.ended.set()
            os.close(self.pidfd)
        os.close(self.noise_out)

    @property
    def was_told(self) -> bool:
        """Whether the daemon wanted it to end."""
        return self._was_told


def _how(status: int, is_starved: bool) -> str:
    if is_starved:
        return "ran out of memory"
    if status == -signal.SIGKILL:
        return "was killed, as the kernel does when the box is short of memory"
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
