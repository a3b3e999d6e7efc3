"""The runtimes of the TFLite family: how a file becomes an instance, and what their refusals mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmdaemon.runtime.interface import Traits
from mmdaemon.runtime.tflite.instance import InterpreterInstance
from mmwire.errors import ModelError


class InterpreterRuntime:
    """Loads models with an ``Interpreter`` class of the TFLite family; see ``Runtime``.

    Args:
        name: The name of the distribution.
        version: The version of the distribution.
        interpreter: The class; it takes ``model_path`` and ``num_threads``.
        caution: A warning for its user; empty for none.
    """

    def __init__(self, name: str, version: str, interpreter: Callable[..., Any], caution: str = "") -> None:
        self.name = name
        self.version = version
        self.caution = caution
        self._interpreter = interpreter

    def load(self, path: str, threads: int, traits: Traits) -> InterpreterInstance:
        """Load a model and allocate its tensors; see ``Runtime.load``."""

        def build() -> Any:
            return self._interpreter(model_path=path, num_threads=threads)

        try:
            return InterpreterInstance(build, traits)
        except (RuntimeError, ValueError) as error:
            raise _refused(error) from None


def _refused(error: Exception) -> ModelError:
    """Return the error for a file that the runtime refuses to load."""
    text = " ".join(str(error).split())
    hint = ""
    if "custom op" in text.lower() or "Flex" in text or "unresolved" in text.lower():
        hint = "the model needs an operator that the runtime does not have; convert the model again without it"
    return ModelError("MODEL_INVALID", f"the runtime refuses the model: {text[:300]}", hint)
