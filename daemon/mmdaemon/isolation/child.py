"""The child: loads one model, then runs requests until the daemon closes the connection or is gone.

Started as ``python -m mmdaemon.isolation.child CONTROL ARENA DAEMON``.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import select
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from mmdaemon.confinement.memory import is_out_of_memory, too_large
from mmdaemon.confinement.privilege import give_up, lower
from mmdaemon.isolation.arena import Arena
from mmdaemon.isolation.packet import MEMORY_KEY, Channel, Order, Ran, Run
from mmdaemon.runtime.interface import Instance, Traits
from mmdaemon.store.archive import is_archive, unpack
from mmwire.errors import CapacityError, InferenceError, InternalError, MmError, ModelError
from mmwire.tflite import ModelState

# path, threads, traits, device -> the loaded model and its facts (those of ``TrialResult``, and more).
Opener = Callable[[str, int, Traits, str], tuple[Instance, dict[str, Any]]]

_OOM_SCORE = 500  # the kernel kills this process before the daemon, and a trial before this process
_ALIGN = 64  # as TensorFlow and XNNPACK like their tensors


class Server:
    """Runs requests.

    Thread: the main one of the child.
    """

    def __init__(self, control: Channel, arena: Arena, instance: Instance) -> None:
        self._control = control
        self._arena = arena
        self._instance = instance

    def serve(self) -> None:
        """Serve until the daemon closes the connection."""
        while (fields := self._control.receive()) is not None:
            self._control.send(self._answer(Run(**fields)))

    def _answer(self, run: Run) -> Ran | dict[str, Any]:
        try:
            return self._run(run)
        except MmError as error:
            return {"error": error.as_dict()}
        except MemoryError:
            return {
                "error": InferenceError(
                    "INFERENCE_FAILED", "the process of the model has no memory for this request"
                ).as_dict()
            }
        except Exception as error:
            traceback.print_exc()
            return {"error": InternalError("INTERNAL", f"a bug in the daemon: {type(error).__name__}").as_dict()}

    def _run(self, run: Run) -> Ran:
        arena = self._arena
        payload = arena.reserve(run.size)[: run.size]
        shapes = None if run.shapes is None else [tuple(shape) for shape in run.shapes]
        outputs = self._instance.run(run.signature, payload, run.rows, shapes, self._go_on)
        sizes = [tensor.nbytes for tensor in outputs.tensors]
        begin = math.ceil(run.size / _ALIGN) * _ALIGN  # behind the inputs, because an output may be an input
        memory = arena.reserve(begin + sum(sizes))
        at = begin
        for tensor, size in zip(outputs.tensors, sizes, strict=True):
            if size:
                memory[at : at + size] = memoryview(tensor).cast("B")
            at += size
        return Ran(begin, sizes, None if outputs.shapes is None else [list(shape) for shape in outputs.shapes])

    def _go_on(self) -> None:
        self._arena.invocations += 1
        if self._arena.is_cancelled:
            raise CapacityError("INSTANCE_LOST", "nobody waits for this request any more")


def _open(order: Order, model: int) -> tuple[Instance, dict[str, Any]]:
    path = f"/proc/self/fd/{model}"  # it stays open: a runtime may load from it again
    if is_archive(model):
        unpack(path, Path(order.scratch))
        path = order.scratch
    module, _, name = order.opener.partition(":")
    opener: Opener = getattr(import_module(module), name)
    return opener(path, order.threads, Traits(order.batch, ModelState(order.state)), order.device)


def _confine(memory_bytes: int) -> None:
    """Give up what a model does not need, as far as the box allows it.

    Source: setrlimit(2). ``RLIMIT_DATA`` counts what is written; TensorFlow takes much address space and uses little.
    """
    with contextlib.suppress(ValueError, OSError):
        give_up(_OOM_SCORE)
        if memory_bytes:
            lower(resource.RLIMIT_DATA, memory_bytes)


def _die_with(daemon: int) -> None:
    """End when the daemon ends, even in the middle of a computation.

    PDEATHSIG would not do: the kernel sends it when the thread that started this process ends.
    """
    descriptor = os.pidfd_open(daemon)
    if os.getppid() != daemon:  # the daemon died before, and another process may have its number
        os._exit(1)

    def wait() -> None:
        select.select([descriptor], [], [])
        os._exit(1)

    threading.Thread(target=wait, name="mm-daemon-watch", daemon=True).start()


def main(arguments: list[str]) -> int:
    """Be the child."""
    control = Channel(socket.socket(fileno=int(arguments[0])))
    arena, daemon = Arena(int(arguments[1])), int(arguments[2])
    _die_with(daemon)
    received = control.receive_order()
    if received is None:
        return 0
    order, model = received
    _confine(order.memory_bytes)
    try:
        instance, facts = _open(order, model)
    except MmError as error:
        control.send({"error": error.as_dict()})
        return 1
    except MemoryError:
        control.send({"error": too_large("loading", MEMORY_KEY, order.memory_bytes).as_dict()})
        return 1
    except OSError as error:
        refused = ModelError("STORE_FAILED", f"the model cannot be unpacked: {error.strerror}", retryable=True)
        control.send({"error": refused.as_dict()})
        return 1
    except Exception as error:
        if is_out_of_memory(str(error)):
            control.send({"error": too_large("loading", MEMORY_KEY, order.memory_bytes).as_dict()})
            return 1
        traceback.print_exc()
        text = f"loading failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        control.send({"error": ModelError("MODEL_INVALID", text).as_dict()})
        return 1
    control.send({"facts": facts})
    with contextlib.suppress(ConnectionError):
        Server(control, arena, instance).serve()
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # without running the destructors of a model's libraries
