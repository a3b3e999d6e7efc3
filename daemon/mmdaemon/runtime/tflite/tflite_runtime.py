"""tflite-runtime, the name of LiteRT until 2.14: for boxes that LiteRT has no wheel for (docs/runtimes.md)."""

from __future__ import annotations

import tflite_runtime
from tflite_runtime.interpreter import Interpreter

from mmdaemon.runtime.tflite.interpreter import InterpreterRuntime

_CAUTION = "int8 models run 15 to 18 times slower than with ai-edge-litert, and it notices damaged files less often"


class TfliteRuntime(InterpreterRuntime):
    """tflite-runtime's ``Interpreter``."""

    def __init__(self) -> None:
        super().__init__("tflite-runtime", tflite_runtime.__version__, Interpreter, _CAUTION)
