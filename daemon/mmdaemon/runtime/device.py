"""Where TensorFlow computes: a device of those that are visible."""

from __future__ import annotations

from collections.abc import Sequence

from mmwire.errors import ModelError


def choose_device(wanted: str, visible: Sequence[tuple[str, str]]) -> str:
    """Return the name of the device to use.

    Args:
        wanted: ``auto`` (the first GPU, else the CPU), ``cpu``, ``gpu``, or one of them with its number: ``gpu:1``.
        visible: Kind and name of every device, as ``tf.config.list_logical_devices`` has them.

    Raises:
        ModelError: ``MODEL_INVALID`` (retryable): there is no such device.
    """
    kind, _, number = wanted.upper().partition(":")
    gpus = [name for found, name in visible if found == "GPU"]
    if kind == "AUTO":
        kind = "GPU" if gpus else "CPU"
    names = [name for found, name in visible if found == kind]
    index = int(number or 0)
    if index < len(names):
        return names[index]
    raise ModelError(
        "MODEL_INVALID",
        f"executor.device is {wanted!r}, and TensorFlow sees {', '.join(name for _, name in visible) or 'no device'}",
        "set executor.device to one of them, or to auto; for a GPU, its driver and CUDA libraries must be installed",
        retryable=True,
    )
