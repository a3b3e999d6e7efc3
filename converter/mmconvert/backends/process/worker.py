"""The parent's side: starts a child process, asks it for steps, gives up at the deadline, and tells how it died."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from mmconvert.backends.process.death import explain_death
from mmconvert.backends.process.limit import Limits
from mmwire.errors import ConvertError, error_from_dict

_CHATTER_BYTES = 8192
_READ_BYTES = 65536


class Worker:
    """One child process that does native steps.

    It starts at the first call. It has a session of its own: a Ctrl-C reaches only the parent, which then ends it.
    After it died, the next call starts another one.

    Args:
        module: The module to run: ``python -m MODULE``.
        folder: Private folder for the child's stderr and temporary files.
        limits: Memory and CPU time of the child.
        deadline: Monotonic seconds at which a step is given up.
    """

    def __init__(self, module: str, folder: Path, limits: Limits, deadline: float) -> None:
        self._module = module
        self._folder = folder
        self._chatter: Path | None = None
        self._limits = limits
        self._deadline = deadline
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether the child of the last call still lives, and with it what it has loaded."""
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        if self._process is not None:
            return
        cpu_s = int(self._limits.wall_s * (os.cpu_count() or 1)) + 1
        arguments = [str(self._limits.memory_bytes), str(cpu_s), str(os.getpid())]
        descriptor, name = tempfile.mkstemp(suffix=".stderr", dir=self._folder)
        self._chatter = Path(name)
        with os.fdopen(descriptor, "wb") as chatter:
            self._process = subprocess.Popen(
                # -P: a folder called tensorflow in the current one is not TensorFlow.
                [sys.executable, "-P", "-m", self._module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=chatter,
                env=_environment(self._folder),
                start_new_session=True,
            )

    def stop(self) -> None:
        """End the child at once; idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def call(self, step: str, **fields: Any) -> dict[str, Any]:
        """Let the child do one step and return its reply.

        Raises:
            MmError: The step raised it.
            ConvertError: ``CONVERTER_CRASHED``, ``CONVERTER_LIMIT`` or ``CONVERTER_FAILED``: the child ended.
        """
        self._start()
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the child has ended; the missing reply shows it
            self._process.stdin.write(json.dumps({"step": step, **fields}).encode() + b"\n")
            self._process.stdin.flush()
        line = self._read_line(step)
        if not line.endswith(b"\n"):
            raise self._bury(step)
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise error_from_dict(reply["error"])
        result: dict[str, Any] = reply["ok"]
        return result

    def _read_line(self, step: str) -> bytes:
        """Return one line; it has no newline at its end when the child ended."""
        assert self._process is not None and self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        line = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left_s = self._deadline - time.monotonic()
                if left_s <= 0 or not selector.select(left_s):
                    self.stop()
                    raise ConvertError(
                        "CONVERTER_LIMIT",
                        f"the conversion took longer than {self._limits.wall_s:g} s; it was at the step {step!r}",
                        "allow more with --time-limit SECONDS",
                    )
                part = os.read(descriptor, _READ_BYTES)
                if not part:
                    break
                line += part
        return bytes(line)

    def _bury(self, step: str) -> ConvertError:
        assert self._process is not None and self._chatter is not None
        return_code = self._process.wait()
        self.stop()
        chatter = self._chatter.read_bytes()[-_CHATTER_BYTES:].decode("utf-8", "replace")
        return explain_death(step, return_code, chatter)


def _environment(folder: Path) -> dict[str, str]:
    """Return the child's environment: quiet, no GPU, one thread for numpy, temporary files in the workspace."""
    return {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str(folder),
    }
