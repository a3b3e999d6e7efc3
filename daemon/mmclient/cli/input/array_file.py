"""Files that numpy wrote: ``.npy`` and ``.npz``."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np

from mmclient.array import Array
from mmwire.errors import RequestError


def read_npy(path: str) -> Array:
    """Return the array of an ``.npy``, memory-mapped, so that the file may be larger than memory.

    Raises:
        RequestError: ``BAD_INPUT``.
    """
    array = _load(path, "r")
    if not isinstance(array, np.ndarray):
        raise RequestError("BAD_INPUT", f"{path}: expected one array, got an archive", "rename the file to .npz")
    return array


def read_npz(path: str) -> dict[str, Array]:
    """Return the arrays of an ``.npz`` by name.

    Raises:
        RequestError: ``BAD_INPUT``.
    """
    archive = _load(path, None)
    if isinstance(archive, np.ndarray):
        raise RequestError("BAD_INPUT", f"{path}: expected an archive, got one array", "rename the file to .npy")
    try:
        with archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from None


def _load(path: str, mapped: Any) -> Any:
    try:
        return np.load(path, mmap_mode=mapped, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: Exception) -> RequestError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return RequestError("BAD_INPUT", f"{path} cannot be read as numpy arrays: {why}")
