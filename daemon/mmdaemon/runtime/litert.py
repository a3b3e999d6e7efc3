"""LiteRT (``ai-edge-litert``): the default runtime.

``Interpreter`` and not ``CompiledModel``, whose ``from_file`` crashes on a truncated file and whose ``run`` holds the
GIL (docs/decisions/0002-model-loads-and-the-gil.md).
"""

from __future__ import annotations

from typing import Any

import ai_edge_litert
from ai_edge_litert.interpreter import Interpreter

from mmdaemon.runtime.instance import InterpreterInstance
from mmdaemon.runtime.interface import Traits
from mmwire.errors import ModelError


class LiteRt:
    """Loads models with ``ai_edge_litert.interpreter.Interpreter``; see ``Runtime``."""

    name = "ai-edge-litert"
    version: str = ai_edge_litert.__version__

    def load(self, path: str, threads: int, traits: Traits) -> InterpreterInstance:
        """Load a model and allocate its tensors; see ``Runtime.load``."""

        def build() -> Any:
            return Interpreter(model_path=path, num_threads=threads)

        try:
            return InterpreterInstance(build, traits)
        except (RuntimeError, ValueError) as error:
            raise refused(error) from None


def refused(error: Exception) -> ModelError:
    """Return the error for a file that the runtime refuses to load."""
    text = " ".join(str(error).split())
    hint = ""
    if "custom op" in text.lower() or "Flex" in text or "unresolved" in text.lower():
        hint = "the model needs an operator that the runtime does not have; convert it again without it"
    return ModelError("MODEL_INVALID", f"the runtime refuses the model: {text[:300]}", hint)
