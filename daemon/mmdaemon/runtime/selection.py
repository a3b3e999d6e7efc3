"""Which runtime this box uses, and why."""

from __future__ import annotations

from importlib.util import find_spec

from mmdaemon.runtime.interface import Runtime
from mmwire.errors import ConfigError


def select_runtime() -> tuple[Runtime, str]:
    """Return the best runtime that is installed, and why it is this one.

    Raises:
        ConfigError: ``CONFIG_INVALID``: none is installed.
    """
    if find_spec("ai_edge_litert") is None:
        raise ConfigError("CONFIG_INVALID", "no runtime is installed", "pip install ai-edge-litert")
    from mmdaemon.runtime.litert import LiteRt  # the import costs 100 ms and 30 MB: only where a model runs

    return LiteRt(), "the default, and installed"
