"""What it looks like when a process got no memory, and what its model is told."""

from __future__ import annotations

from mmwire.errors import ModelError

# Of the C++ runtime, the dynamic loader and Python.
_SIGNS = (
    "std::bad_alloc",
    "std::length_error",
    "Cannot allocate memory",
    "failed to map segment",
    "out of memory",
    "MemoryError",
)
_MIB = 1024 * 1024


def is_out_of_memory(text: str) -> bool:
    """Return whether somebody's last words say that there was no memory."""
    return any(sign in text for sign in _SIGNS)


def too_large(memory_bytes: int) -> ModelError:
    """Return the error of a model that does not fit the memory of a process.

    Args:
        memory_bytes: What it may take; 0 = all there is.
    """
    limit = f"the {memory_bytes // _MIB} MiB that a process may" if memory_bytes else "there is"
    return ModelError(
        "MODEL_TOO_LARGE",
        f"loading the model took more memory than {limit}",
        "it is tried again later; raise executor.memory_mb, or free memory on the box",
        retryable=True,
    )
