"""The device that a TensorFlow model runs on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmwire.errors import ConfigError

AUTO = "auto"
_WANTED = re.compile(r"(cpu|gpu)(?::(\d{1,3}))?\Z")


def choose(wanted: str, visible: Sequence[str]) -> str:
    """Return the device to run on, as TensorFlow names it: ``GPU:0``.

    Args:
        wanted: ``auto`` (a GPU when one is visible), ``cpu``, ``gpu``, or one of several: ``gpu:1``.
        visible: What TensorFlow sees: ``CPU:0``, ``GPU:0``, ...

    Raises:
        ConfigError: ``CONFIG_INVALID``: no such device is visible, or the word means no device.
    """
    if wanted == AUTO:
        return "GPU:0" if "GPU:0" in visible else "CPU:0"
    match = _WANTED.match(wanted)
    if match is None:
        raise ConfigError("CONFIG_INVALID", f"device: expected auto, cpu, gpu or gpu:N, got {wanted!r}")
    device = f"{match[1].upper()}:{match[2] or 0}"
    if device not in visible:
        raise ConfigError(
            "CONFIG_INVALID",
            f"there is no device {wanted!r}: TensorFlow sees {', '.join(visible) or 'none'}",
            "set executor.device to one of these, or to auto; a GPU needs its driver and a TensorFlow with GPU support",
        )
    return device
