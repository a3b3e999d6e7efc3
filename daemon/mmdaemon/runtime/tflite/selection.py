"""Selects the runtime that this box uses, and says why."""

from __future__ import annotations

import platform
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mmwire.errors import ConfigError
from mmwire.installation import dependency_hint, install_hint

if TYPE_CHECKING:
    from mmdaemon.runtime.tflite.interpreter import InterpreterRuntime

_LITERT_MACHINES = ("x86_64", "aarch64", "arm64")  # it has wheels for these


def select_runtime() -> tuple[InterpreterRuntime, str]:
    """Return the best runtime that is installed, and the reason.

    Raises:
        ConfigError: ``CONFIG_INVALID``: no runtime is installed, or the best one that is cannot be loaded.
    """
    # The imports take 100 ms and 30 MB, so only a process that runs models imports a runtime.
    if find_spec("ai_edge_litert") is not None:
        try:
            from mmdaemon.runtime.tflite.litert import LiteRt
        except (ImportError, OSError) as error:
            raise _broken("ai-edge-litert", error) from None
        return LiteRt(), "the default, and installed"
    if find_spec("tflite_runtime") is not None:
        try:
            from mmdaemon.runtime.tflite.tflite_runtime import TfliteRuntime
        except (ImportError, OSError) as error:
            raise _broken("tflite-runtime", error) from None
        return TfliteRuntime(), f"ai-edge-litert is not installed{_where_litert_runs()}"
    if platform.machine() in _LITERT_MACHINES:
        hint = dependency_hint("ai-edge-litert", sys.prefix)
        raise ConfigError("CONFIG_INVALID", "no runtime is installed; ai-edge-litert runs on this box", hint)
    raise ConfigError(
        "CONFIG_INVALID",
        f"no runtime is installed, and the faster one, ai-edge-litert, has no wheel for {platform.machine()}",
        f"{install_hint('tflite-runtime', sys.prefix)}; docs/runtimes.md says what is slower with it",
    )


def _where_litert_runs() -> str:
    if platform.machine() in _LITERT_MACHINES:
        return f", and would run here: {dependency_hint('ai-edge-litert', sys.prefix)}"
    return f" and has no wheel for {platform.machine()}"


def _broken(name: str, error: Exception) -> ConfigError:
    text = " ".join(str(error).split())
    return ConfigError(
        "CONFIG_INVALID", f"{name} is installed and cannot be loaded: {text[:300]}", dependency_hint(name, sys.prefix)
    )
