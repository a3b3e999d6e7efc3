"""The errors for things in the model folder that cannot be served, for the person who put them there."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path

from mmwire.errors import ModelError
from mmwire.manifest import MODEL_SUFFIX, NAME_RULE

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFLNK: "a symlink",
}


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as text for any terminal and JSON; bytes that are not UTF-8 are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def not_a_file(path: Path, kind: int) -> ModelError:
    """Return the error for something that has the name of a model but is not a file."""
    what = _KINDS.get(kind, "a special file")
    hint = "put the file itself there"
    if kind == stat.S_IFDIR:
        hint = "a folder is a model when it has NAME/saved_model.pb or NAME/VERSION/model.tflite"
    return ModelError("MODEL_UNREADABLE", f"{shown(path)} is {what}; expected a regular file", hint)


def unreadable(path: Path, error: OSError) -> ModelError:
    """Return the error for a path that the kernel refused to open; where rights are missing, the hint grants them."""
    hint = ""
    retryable = error.errno not in (errno.ELOOP, errno.ENOTDIR)
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = _rights_hint(path)
    elif error.errno == errno.EIO:
        hint = "the disk reports an input/output error: see dmesg"
    return ModelError("MODEL_UNREADABLE", f"cannot read {shown(path)}: {error.strerror}", hint, retryable)


def conflict(paths: Iterable[Path]) -> ModelError:
    """Return the error for a name that has two layouts in the folder."""
    places = ", ".join(sorted(map(shown, paths)))
    return ModelError(
        "MODEL_CONFLICT",
        f"two layouts claim one name: {places}",
        "keep one of them; the version that serves now goes on",
    )


def bad_name(name: str) -> ModelError:
    """Return the error for a model whose file name is not a model name."""
    return ModelError(
        "MODEL_INVALID",
        f"{shown(name)} is not a model name",
        f"rename it: {NAME_RULE}",
    )


def bad_suffix(path: Path) -> ModelError:
    """Return the error for a model whose suffix is not in lower case."""
    return ModelError(
        "MODEL_INVALID",
        f"{shown(path.name)} does not end in {MODEL_SUFFIX}",
        f"rename it to {shown(path.stem)}{MODEL_SUFFIX}",
    )


def bad_version(path: Path) -> ModelError:
    """Return the error for a model in a folder whose name is not a version."""
    return ModelError(
        "MODEL_INVALID",
        f"{shown(path)} is not a version folder: expected a positive integer without leading zeros",
        "rename it: NAME/1, NAME/2, ...",
    )


def bad_place(path: Path) -> ModelError:
    """Return the error for a ``.tflite`` in a place where no layout has one."""
    return ModelError(
        "MODEL_INVALID",
        f"{shown(path)} fits no known layout",
        "put it into the model folder itself as NAME.tflite, or use NAME/VERSION/model.tflite",
    )


def _rights_hint(path: Path) -> str:
    """Return who owns the first folder or file on the way that the daemon may not enter or read, and the remedy."""
    user = _name_of_user(os.geteuid())
    for place in (*reversed(path.parents), path):
        try:
            status = place.lstat()
        except OSError:
            break
        needed = os.X_OK if stat.S_ISDIR(status.st_mode) and place != path else os.R_OK
        if os.access(place, needed, effective_ids=True):
            continue
        owner = f"{_name_of_user(status.st_uid)}:{_name_of_group(status.st_gid)}"
        right = "x" if needed == os.X_OK else "r" + "x" * stat.S_ISDIR(status.st_mode)
        return (
            f"{shown(place)} is {stat.filemode(status.st_mode)} {owner}, the daemon is {user}: "
            f"chmod o+{right} {shown(place)}, or put {user} into group {_name_of_group(status.st_gid)} "
            f"and chmod g+{right}"
        )
    return f"give the user {user} the right to read it"


def _name_of_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _name_of_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
