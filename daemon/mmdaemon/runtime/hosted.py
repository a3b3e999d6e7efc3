"""Loading one model in a process of its own: what the executor's child calls by name."""

from __future__ import annotations

from typing import Any

from mmdaemon.runtime.interface import Instance, Traits
from mmdaemon.runtime.selection import select_runtime


def open_model_file(path: str, threads: int, traits: Traits, device: str) -> tuple[Instance, dict[str, Any]]:
    """Load a ``.tflite`` file with this box's runtime; see ``executor.child.Opener``. The device does not matter.

    Raises:
        MmError: ``MODEL_INVALID``: the runtime refuses the file.
    """
    runtime, _ = select_runtime()
    instance = runtime.load(path, threads, traits)
    return instance, {"signatures": [spec.as_dict() for spec in instance.signatures.values()]}
