"""The signs of a process that got no memory, and the error for its model."""

from __future__ import annotations

from mmwire.errors import ModelError

# Texts of the C++ runtime, the C library, the dynamic loader and Python.
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
    """Return whether the last words of a process say that it got no memory."""
    return any(sign in text for sign in _SIGNS)


def too_large(doing: str, key: str, memory_bytes: int) -> ModelError:
    """Return the error of a model that needs more memory than its process may take.

    Args:
        doing: What the process did with the model: ``trying``, ``loading``.
        key: The key of the configuration that sets the limit.
        memory_bytes: The limit; 0 = all that the box has.
    """
    limit = f"the {memory_bytes // _MIB} MiB of {key}" if memory_bytes else "the box has free"
    return ModelError(
        "MODEL_TOO_LARGE",
        f"{doing} the model took more memory than {limit}",
        f"the daemon tries it again later; raise {key}, or free memory on the box",
        retryable=True,
    )
