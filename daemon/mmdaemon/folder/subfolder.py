"""``NAME/``: a SavedModel, or version folders in TF Serving's layout."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.opening import readable_identity
from mmdaemon.folder.place import is_folder, listing, resolve_inside, status_of
from mmdaemon.folder.refusal import bad_name, bad_place, bad_version
from mmdaemon.folder.snapshot import FolderSource
from mmwire.errors import MmError
from mmwire.manifest import (
    MODEL_FILE,
    MODEL_SUFFIX,
    SAVED_MODEL_FILE,
    is_ignored,
    is_model_name,
    parse_version,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A place in ``NAME/`` that cannot be taken; ``version`` and ``hides_all`` as in ``Problem``."""

    place: Path
    error: MmError
    version: int | None = 0
    hides_all: bool = False


@dataclass(slots=True)
class Findings:
    """The models and problems in one subfolder; none while somebody still copies into it."""

    sources: list[FolderSource] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def scan_subfolder(root: Path, name: str, path: Path) -> Findings:
    """Return the models in ``NAME/``. A folder without a model is ignored, whatever its name."""
    findings = Findings()
    try:
        folder = resolve_inside(root, path)
        _scan(findings, root, name, folder)
    except FileNotFoundError:
        return Findings()  # deleted since the listing
    except MmError as error:
        findings.faults.append(Fault(path, error, hides_all=True))
    if not is_model_name(name):
        return Findings([], [Fault(path, bad_name(name))] if findings.sources else [])
    return findings


def _scan(findings: Findings, root: Path, name: str, folder: Path) -> None:
    entries = [entry for entry in listing(folder) if not is_ignored(entry)]
    if SAVED_MODEL_FILE in entries:
        _on_saved_model(findings, root, FolderSource(name, None, "saved_model", folder, tree_identity(folder)))
    for entry in entries:
        path = folder / entry
        if entry.endswith(MODEL_SUFFIX):
            findings.faults.append(Fault(path, bad_place(path)))
            continue
        version = parse_version(entry)
        try:
            if is_folder(path):
                _on_version(findings, root, name, path, version)
        except FileNotFoundError:
            continue  # deleted since the listing
        except MmError as error:
            if version is not None:
                findings.faults.append(Fault(path, error, version))


def _on_version(findings: Findings, root: Path, name: str, path: Path, version: int | None) -> None:
    folder = resolve_inside(root, path)
    entries = listing(folder)
    if not {MODEL_FILE, SAVED_MODEL_FILE} & set(entries):
        return
    if version is None:
        findings.faults.append(Fault(path, bad_version(path)))
        return
    if MODEL_FILE in entries:
        place = resolve_inside(root, folder / MODEL_FILE)
        findings.sources.append(FolderSource(name, version, "tflite", place, readable_identity(place)))
    if SAVED_MODEL_FILE in entries:
        _on_saved_model(findings, root, FolderSource(name, version, "saved_model", folder, tree_identity(folder)))


def _on_saved_model(findings: Findings, root: Path, source: FolderSource) -> None:
    path = source.path / SAVED_MODEL_FILE
    try:
        readable_identity(resolve_inside(root, path))
        findings.sources.append(source)
    except MmError as error:
        findings.faults.append(Fault(path, error, source.version))


def tree_identity(folder: Path) -> FileIdentity:
    """Return one identity for a folder and everything beneath it. Symlinks are not followed.

    Raises:
        ModelError: ``MODEL_UNREADABLE``.
        FileNotFoundError: A file went away meanwhile.
    """
    members = [("", FileIdentity.of(status_of(folder)))]
    pending = [(folder, "")]
    while pending:
        place, prefix = pending.pop()
        for name in listing(place):
            status = status_of(place / name)
            members.append((prefix + name, FileIdentity.of(status)))
            if stat.S_ISDIR(status.st_mode):
                pending.append((place / name, f"{prefix}{name}/"))
    return FileIdentity.of_tree(members)
