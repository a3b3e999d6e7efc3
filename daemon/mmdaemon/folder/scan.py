"""One look at the model folder: names, layouts, sidecars, and the problems of other files."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from mmdaemon.folder.foreign import foreign_model
from mmdaemon.folder.opening import readable_identity
from mmdaemon.folder.place import is_folder, resolve_inside, status_of
from mmdaemon.folder.refusal import bad_name, bad_suffix, conflict, not_a_file, shown, unreadable
from mmdaemon.folder.snapshot import FolderSource, Problem, Sidecar, Snapshot
from mmdaemon.folder.subfolder import scan_subfolder
from mmwire.errors import MmError
from mmwire.manifest import LABELS_SUFFIX, MODEL_SUFFIX, OPTIONS_SUFFIX, is_ignored, is_model_name


def scan(folder: Path) -> Snapshot:
    """Return what lies in the folder now. It opens only regular files, and only to check that they can be read.

    Thread: any.
    """
    try:
        root = Path(os.path.realpath(folder, strict=True))
        names = sorted(path.name for path in root.iterdir())
    except OSError as error:
        return Snapshot(False, str(unreadable(folder, error)))
    look = _Look(root)
    for name in names:
        look.on_entry(name)
    return look.snapshot(set(names))


class _Look:
    """One scan under way."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sources: dict[str, list[FolderSource]] = {}
        self._problems: list[Problem] = []
        self._foreign: list[Problem] = []

    def on_entry(self, entry: str) -> None:
        """Take one entry of the top folder. Whatever is wrong with it becomes a problem of that entry alone."""
        if is_ignored(entry):
            return
        path = self._root / entry
        name = entry.removesuffix(MODEL_SUFFIX)
        try:
            self._take(entry, name, path)
        except FileNotFoundError:
            return  # deleted since the listing
        except MmError as error:
            self._on_problem(name, path, error, hides_all=name == entry)
        except OSError as error:  # a step that no layout expects to fail
            self._on_problem(name, path, unreadable(path, error), hides_all=True)

    def _take(self, entry: str, name: str, path: Path) -> None:
        if name != entry:
            self._on_model_file(name, path)
        elif entry.lower().endswith(MODEL_SUFFIX):
            self._on_problem(entry[: -len(MODEL_SUFFIX)], path, bad_suffix(path), version=0)
        elif is_folder(path):
            found = scan_subfolder(self._root, entry, path)
            self._add(entry, found.sources)
            for fault in found.faults:
                self._on_problem(entry, fault.place, fault.error, fault.version, fault.hides_all)
        elif (foreign := foreign_model(path)) is not None:
            self._foreign.append(Problem(shown(foreign[0]), shown(path), foreign[1], is_foreign=True))

    def _on_model_file(self, name: str, path: Path) -> None:
        place = resolve_inside(self._root, path)
        kind = stat.S_IFMT(status_of(place).st_mode)
        if kind != stat.S_IFREG:
            raise not_a_file(path, kind)
        if not is_model_name(name):
            raise bad_name(name)
        self._add(name, [FolderSource(name, None, "tflite", place, readable_identity(place))])

    def _add(self, name: str, sources: list[FolderSource]) -> None:
        if sources:
            self._sources.setdefault(name, []).extend(sources)

    def _on_problem(
        self, name: str, path: Path, error: MmError, version: int | None = None, hides_all: bool = False
    ) -> None:
        self._problems.append(Problem(shown(name), shown(path), error, version, hides_all))

    def snapshot(self, entries: set[str]) -> Snapshot:
        """Return the findings, with the sidecars of each source and with conflicts."""
        sources: dict[str, list[FolderSource]] = {}
        for name, found in self._sources.items():
            versions = [source.version for source in found]
            if len(set(versions)) < len(versions) or (None in versions and len(versions) > 1):
                self._on_problem(name, self._root / name, conflict(source.path for source in found), version=0)
            labels = self._sidecar(name, LABELS_SUFFIX, entries)
            options = self._sidecar(name, OPTIONS_SUFFIX, entries)
            found.sort(key=lambda source: (source.version or 0, source.kind))
            sources[name] = [replace(source, labels=labels, options=options) for source in found]
        taken = {*sources, *(problem.name for problem in self._problems)}
        problems = [*self._problems, *(problem for problem in self._foreign if problem.name not in taken)]
        return Snapshot(True, "", sources, sorted(problems, key=lambda problem: (problem.name, problem.path_text)))

    def _sidecar(self, name: str, suffix: str, entries: set[str]) -> Sidecar | None:
        if name + suffix not in entries:
            return None
        path = self._root / (name + suffix)
        try:
            place = resolve_inside(self._root, path)
            return Sidecar(place, readable_identity(place))
        except FileNotFoundError:
            return None
        except MmError as error:
            self._on_problem(name, path, error, version=0)
            return None
        except OSError as error:
            self._on_problem(name, path, unreadable(path, error), version=0)
            return None
