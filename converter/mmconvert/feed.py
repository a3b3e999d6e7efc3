"""What a model is fed in one run, and how such feeds travel between processes: one ``.npz`` file.

Only processes that compute import this module (it needs numpy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Feed = dict[str, Array]

_NAMES = "names"


def save_feeds(path: Path, feeds: Sequence[Mapping[str, Array]]) -> None:
    """Write feeds, or the outputs of runs; all have the same names, shapes may differ.

    Names are written as data: one from a SavedModel may hold what a member name of a zip file may not.
    """
    names = sorted(feeds[0]) if feeds else []
    arrays = {f"{i}.{j}": feed[name] for i, feed in enumerate(feeds) for j, name in enumerate(names)}
    np.savez(path, allow_pickle=False, **{_NAMES: np.array(names, dtype=np.str_)}, **arrays)


def load_feeds(path: Path) -> list[Feed]:
    """Read what ``save_feeds`` wrote."""
    with np.load(path, allow_pickle=False) as file:
        names = [str(name) for name in file[_NAMES]]
        count = (len(file.files) - 1) // len(names) if names else 0
        return [{name: file[f"{i}.{j}"] for j, name in enumerate(names)} for i in range(count)]


def join_feeds(feeds: Sequence[Mapping[str, Array]]) -> Feed:
    """Return one feed with the rows of all of them."""
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
