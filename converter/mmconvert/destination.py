"""Where a result goes, and why it may not go there."""

from __future__ import annotations

import os
from pathlib import Path

from mmconvert.job import Job
from mmwire.bundle import BUNDLE_FILE, parse_bundle
from mmwire.errors import ConvertError
from mmwire.manifest import MODEL_SUFFIX


def find_targets(job: Job) -> list[Path]:
    """Return the files that a job asks for: its output, then its place in the model folder.

    Raises:
        ConvertError: ``PUBLISH_FAILED``: one of them cannot be written.
    """
    targets = [] if job.output is None else [require_writable(job.output)]
    if job.publish is not None:
        targets.append(published_path(job.publish, job.name))
    return targets


def published_path(folder: Path, name: str) -> Path:
    """Return the file in a model folder under which a model of this name is published.

    Raises:
        ConvertError: ``PUBLISH_FAILED``: no such folder, not writable, or another layout of that name is there.
    """
    path = folder / f"{name}{MODEL_SUFFIX}"
    if not folder.is_dir():
        raise ConvertError(
            "PUBLISH_FAILED",
            f"the model folder {folder} does not exist",
            "create it, or give the folder that the daemon's --models names",
        )
    if (folder / name).is_dir() and not is_bundle(folder / name):
        raise ConvertError(
            "PUBLISH_FAILED",
            f"{folder} already has a folder {name}/ for this model, and two layouts of one name conflict",
            "choose another --name, or remove the folder",
        )
    return require_writable(path)


def require_writable(path: Path) -> Path:
    """Return the path if a file can be put there.

    Raises:
        ConvertError: ``PUBLISH_FAILED``.
    """
    if not path.parent.is_dir():
        raise ConvertError("PUBLISH_FAILED", f"the folder {path.parent} does not exist", "create it first")
    if path.is_dir():
        raise ConvertError("PUBLISH_FAILED", f"{path} is a folder", "give a file name")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConvertError("PUBLISH_FAILED", f"the folder {path.parent} is not writable", "choose another folder")
    return path


def bundle_path(path: Path) -> Path:
    """Return the folder that takes the place of a ``.tflite`` file: its name without the suffix.

    Raises:
        ConvertError: ``PUBLISH_FAILED``: something that mmconvert did not make is there.
    """
    folder = folder_beside(path)
    if folder == path:
        folder = path.with_name(f"{path.name}.full_tf")
    if os.path.lexists(folder) and not is_bundle(folder):
        raise ConvertError(
            "PUBLISH_FAILED",
            f"the model needs full TensorFlow, and mmconvert did not make the folder {folder} that is already there",
            "name another place with -o, or choose another --name",
        )
    if path.is_file() and path.suffix == MODEL_SUFFIX:
        raise ConvertError(
            "PUBLISH_FAILED",
            f"the model needs full TensorFlow, and {path} is there: two layouts of one name conflict",
            "remove it, or choose another --name",
        )
    return folder


def folder_beside(path: Path) -> Path:
    """Return the folder of the same name as a ``.tflite`` file; a path with another suffix is returned as it is."""
    return path.with_name(path.name.removesuffix(MODEL_SUFFIX))


def is_bundle(folder: Path) -> bool:
    """Return whether mmconvert made the folder, so that a newer one may replace it."""
    try:
        return parse_bundle((folder / BUNDLE_FILE).read_bytes()) is not None
    except OSError:
        return False
