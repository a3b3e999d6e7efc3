"""Feeds: the inputs of one run of a model, and how they travel between processes: as one ``.npz`` file.

Only processes that compute import this module, since it needs numpy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Feed = dict[str, Array]

_NAMES = "names"
_COUNT = "count"


def save_feeds(path: Path, feeds: Sequence[Mapping[str, Array]]) -> None:
    """Write feeds, or the outputs of runs. All have the same names; their shapes may differ.

    Names are written as data: a name in a SavedModel may contain characters that a zip member's name may not.
    """
    names = sorted(feeds[0]) if feeds else []
    arrays: dict[str, Any] = {_NAMES: np.array(names, dtype=np.str_), _COUNT: np.array(len(feeds))}
    for j, name in enumerate(names):
        column = [np.asarray(feed[name]) for feed in feeds]
        if len({(array.shape, array.dtype) for array in column}) == 1:
            arrays[f"{j}"] = np.stack(column)  # one member of the file for all rows
        else:
            arrays |= {f"{i}.{j}": array for i, array in enumerate(column)}
    np.savez(path, allow_pickle=False, **arrays)


def load_feeds(path: Path) -> list[Feed]:
    """Read what ``save_feeds`` wrote."""
    with np.load(path, allow_pickle=False) as file:
        names = [str(name) for name in file[_NAMES]]
        stacked = {j: file[f"{j}"] for j in range(len(names)) if f"{j}" in file.files}
        return [
            {name: stacked[j][i] if j in stacked else file[f"{i}.{j}"] for j, name in enumerate(names)}
            for i in range(int(file[_COUNT]))
        ]


def join_feeds(feeds: Sequence[Mapping[str, Array]]) -> Feed:
    """Return one feed with the rows of all of them."""
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}


def digest_feeds(feeds: Sequence[Mapping[str, Array]]) -> str:
    """Return SHA-256 over names, types, shapes and values."""
    digest = hashlib.sha256()
    for feed in feeds:
        for name in sorted(feed):
            array = np.ascontiguousarray(feed[name])
            digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
