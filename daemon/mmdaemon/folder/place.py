"""Finds where a path really leads: symlinks are followed, but never out of the model folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mmdaemon.folder.refusal import shown, unreadable
from mmwire.errors import ModelError


def resolve_inside(root: Path, path: Path) -> Path:
    """Return where ``path`` leads, with every symlink resolved.

    Args:
        root: The model folder, itself resolved.
        path: A path beneath it.

    Raises:
        ModelError: ``MODEL_UNREADABLE``: a symlink leads out of the folder, to nothing, or in a circle.
        FileNotFoundError: The path is gone.
    """
    is_link = stat.S_ISLNK(status_of(path).st_mode)
    try:
        place = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        if not is_link:
            raise FileNotFoundError(path) from None
        raise ModelError(
            "MODEL_UNREADABLE",
            f"the symlink {shown(path)} cannot be followed: {error.strerror}",
            "put the file itself there",
        ) from None
    if not place.is_relative_to(root):
        raise ModelError(
            "MODEL_UNREADABLE",
            f"the symlink {shown(path)} leads out of the model folder, to {shown(place)}",
            "copy the model into the folder, or let the symlink lead to a file in the folder",
        )
    return place


def status_of(path: Path) -> os.stat_result:
    """Return what ``lstat`` says of a path.

    Raises:
        ModelError: ``MODEL_UNREADABLE``: a folder on the way may not be entered.
        FileNotFoundError: The path is gone.
    """
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise unreadable(path, error) from None


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder, or a symlink that leads to one.

    Raises:
        ModelError: ``MODEL_UNREADABLE``: that cannot be found out.
        FileNotFoundError: The path, or what it leads to, is gone.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise unreadable(path, error) from None


def listing(path: Path) -> list[str]:
    """Return the names in a folder, sorted.

    Raises:
        ModelError: ``MODEL_UNREADABLE``.
        FileNotFoundError: The folder is gone.
    """
    try:
        return sorted(entry.name for entry in path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise unreadable(path, error) from None
