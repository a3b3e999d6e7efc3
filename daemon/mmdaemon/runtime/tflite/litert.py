"""LiteRT (``ai-edge-litert``): the default runtime.

It uses ``Interpreter``. ``CompiledModel.from_file`` crashes on a truncated file, and its ``run`` holds the GIL
(docs/decisions/0002-model-loads-and-the-gil.md).
"""

from __future__ import annotations

import ai_edge_litert
from ai_edge_litert.interpreter import Interpreter

from mmdaemon.runtime.tflite.interpreter import InterpreterRuntime


class LiteRt(InterpreterRuntime):
    """LiteRT's ``Interpreter``."""

    def __init__(self) -> None:
        super().__init__("ai-edge-litert", ai_edge_litert.__version__, Interpreter)
