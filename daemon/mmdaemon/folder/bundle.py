"""Reads ``mmconvert.json`` in a SavedModel folder."""

from __future__ import annotations

from pathlib import Path

from mmdaemon.folder.opening import open_regular
from mmwire.bundle import BUNDLE_FILE, Bundle, parse_bundle
from mmwire.errors import MmError

_MOST_BYTES = 4 * 1024 * 1024


def read_bundle(folder: Path) -> Bundle | None:
    """Return what mmconvert says of a folder, None for a folder that mmconvert did not make."""
    try:
        descriptor, identity = open_regular(folder / BUNDLE_FILE)
    except (MmError, FileNotFoundError):
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        return parse_bundle(file.read()) if identity.size <= _MOST_BYTES else None


def is_whole_bundle(folder: Path) -> bool:
    """Return whether mmconvert made a folder and all its files are there. Their content is checked later."""
    bundle = read_bundle(folder)
    try:
        return bundle is not None and all((folder / path).is_file() for path in bundle.files)
    except OSError:  # a name that no file system takes
        return False
