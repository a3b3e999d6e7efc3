"""Openers for tests: they read from the model's file how to behave. Imported by the child, by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdaemon.runtime.interface import Outputs, Traits
from mmwire.errors import InferenceError, ModelError
from mmwire.tensor import Shape, SignatureSpec, TensorSpec

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "float32", (-1, 2)),), (TensorSpec("y", "float32", (-1, 2)),))


class Doubling:
    """Doubles every value; what the file says happens at a row that begins with 13."""

    def __init__(self, how: str) -> None:
        self._how = how
        self.signatures: Mapping[str, SignatureSpec] = {SPEC.name: SPEC}

    def run(
        self,
        signature: str,
        payload: bytes | memoryview,
        rows: int,
        shapes: Sequence[Shape] | None,
        go_on: Callable[[], None],
    ) -> Outputs:
        values = array("f", bytes(payload))
        for row in range(rows):
            go_on()
            if values[2 * row] == 13:
                self._act()
        return Outputs([memoryview(array("f", [2 * value for value in values]))])

    def close(self) -> None:
        return None

    def _act(self) -> None:
        match self._how:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "abort":
                print("terminate called after throwing an instance of 'std::bad_alloc'", file=sys.stderr, flush=True)
                os.abort()
            case "hang":
                time.sleep(3600)
            case "slow":
                time.sleep(0.2)
            case "refuse":
                raise InferenceError("INFERENCE_FAILED", "13 brings bad luck")
            case "bug":
                raise KeyError("13")


def open_model(path: str, threads: int, traits: Traits, device: str) -> tuple[Doubling, dict[str, Any]]:
    how = Path(path).read_text() if Path(path).is_file() else (Path(path) / "how").read_text()
    match how:
        case "die at load":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit at load":
            os._exit(7)
        case "hang at load":
            time.sleep(3600)
        case "refused":
            raise ModelError("MODEL_INVALID", "no such operator", "convert it again")
        case "bug at load":
            raise KeyError("there")
        case "hog":
            bytearray(2 << 30)
        case "noise":
            print("a word of the model's", flush=True)
    facts = {"signatures": [SPEC.as_dict()], "threads": threads, "batch": traits.batch, "device": device}
    return Doubling(how), facts
