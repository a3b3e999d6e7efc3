"""The findings of one scan of the model folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mmdaemon.folder.identity import FileIdentity
from mmwire.errors import MmError

Kind = Literal["tflite", "saved_model"]
Layout = Literal["flat", "versioned"]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A labels or options file beside a model."""

    path: Path
    identity: FileIdentity


@dataclass(frozen=True, slots=True)
class FolderSource:
    """One model file or SavedModel folder, as it lies in the model folder.

    Attributes:
        name: The model's.
        version: The number of its folder; None where the layout gives none.
        kind: Whether a TFLite file or a SavedModel folder lies there.
        path: The model file or the SavedModel folder, with every symlink resolved.
        identity: The identity of the file, or of the whole folder.
        labels: ``NAME.labels.txt``.
        options: ``NAME.toml``.
    """

    name: str
    version: int | None
    kind: Kind
    path: Path
    identity: FileIdentity
    labels: Sidecar | None = None
    options: Sidecar | None = None

    @property
    def layout(self) -> Layout:
        """Where the version number comes from: the store's counter (flat) or the folder's name (versioned)."""
        return "flat" if self.version is None else "versioned"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the folder that cannot be taken as it is.

    Attributes:
        name: The model that it is about. When that is not a model name: the name of the file, made printable.
        path_text: Where, made printable.
        error: Why, and the way out.
        version: The version whose place it is: N for ``NAME/N``, None for ``NAME.tflite`` or a SavedModel in ``NAME``
            itself, 0 for a place that no version has.
        hides_all: Whether it hides every version of the name: ``NAME`` itself cannot be looked into.
        is_foreign: Whether it is a model file of another format. Such a file claims no name: if the model of that name
            is deleted, it retires all the same.
    """

    name: str
    path_text: str
    error: MmError
    version: int | None = None
    hides_all: bool = False
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The folder at one moment.

    A name with a problem was not deleted, whether or not it has sources, unless the problem is a foreign file. A name
    with a ``MODEL_CONFLICT`` lists the sources of every layout; nothing new is taken from it until one is left.

    Attributes:
        available: Whether the folder could be read; if not, nothing is known and nothing was deleted.
        reason: Why it could not.
        sources: By name; versions ascending.
        problems: In the order of the names.
    """

    available: bool
    reason: str = ""
    sources: dict[str, list[FolderSource]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether no model lies there at all: a mount that went away looks like this."""
        return not self.sources and not self.problems
