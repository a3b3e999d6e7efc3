"""The intake: where a candidate's bytes, options and labels come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmdaemon.folder.bundle import read_bundle
from mmdaemon.folder.opening import open_regular
from mmdaemon.folder.snapshot import FolderSource, Sidecar
from mmdaemon.loader.candidate import Candidate, StoredSource
from mmdaemon.loader.route import Policy, is_to_be_converted
from mmdaemon.store.archive import is_archive, require_files
from mmdaemon.store.blob import OpenBlob
from mmdaemon.store.record import VersionRecord
from mmdaemon.store.store import Store
from mmwire.errors import MmError, ModelError
from mmwire.manifest import ModelOptions, parse_labels, parse_options, read_options

_SIDECAR_BYTES = 4 * 1024 * 1024  # the labels of ImageNet take 22 KB

# Converts a SavedModel folder for a name; yields the result, and deletes it when the block ends.
Convert = Callable[[Path, str], AbstractContextManager[Path]]


class Intake(Protocol):
    """One candidate on its way to being loaded."""

    def known(self) -> tuple[int, str] | None:
        """Return version and SHA-256 of bytes that the store has; None when they must be copied.

        Raises:
            ModelError: ``STORE_FAILED``: only the store can have them, and it has not.
        """

    def copy(self) -> tuple[int, str]:
        """Copy the bytes into the store; return version and SHA-256.

        Raises:
            ModelError: They cannot be copied, are not what they claim to be, or are too many.
        """

    def check(self, blob: OpenBlob) -> None:
        """Hold the bytes to what the configuration says now.

        Raises:
            ModelError: ``MODEL_INVALID``.
        """

    def options(self) -> ModelOptions:
        """Return the options to serve with.

        Raises:
            ModelError: ``NAME.toml`` cannot be used.
        """

    def labels(self) -> list[str] | None:
        """Return the labels that lie beside the model, None without.

        Raises:
            ModelError: They cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Door:
    """The parts that every intake uses.

    Attributes:
        store: Keeps the bytes.
        convert: Turns a SavedModel folder into what mmconvert makes of it.
        policy: Says what becomes of SavedModels.
        max_bytes: The most bytes that a model may have.
    """

    store: Store
    convert: Convert
    policy: Callable[[], Policy]
    max_bytes: int

    def intake(self, candidate: Candidate) -> Intake:
        """Return the intake of a candidate."""
        if isinstance(candidate, StoredSource):
            return _StoredIntake(candidate, self)
        return _FolderIntake(candidate, self)

    def require_size(self, size: int) -> None:
        """Check that a model is not too large.

        Raises:
            ModelError: ``MODEL_INVALID``.
        """
        if size > self.max_bytes:
            raise ModelError(
                "MODEL_INVALID",
                f"the model has {size} bytes, the limit is {self.max_bytes}",
                "raise models.max_model_mb",
            )


@dataclass(frozen=True, slots=True)
class _FolderIntake:
    """The intake of a file or folder in the model folder."""

    source: FolderSource
    door: Door

    def known(self) -> tuple[int, str] | None:
        """See ``Intake``."""
        self.door.require_size(self.source.identity.size)
        return self.door.store.records.known(self.source)

    def copy(self) -> tuple[int, str]:
        """Copy it as it is, or what mmconvert makes of it."""
        source = self.source
        if source.kind == "tflite":
            return self._keep(source.path, {})
        bundle = read_bundle(source.path)
        if is_to_be_converted(source, bundle, self.door.policy()):
            with self.door.convert(source.path, source.name) as output:
                return self._keep(output, {})
        return self._keep(source.path, bundle.files if bundle else {})

    def check(self, blob: OpenBlob) -> None:
        """Its size was checked before it was copied."""

    def options(self) -> ModelOptions:
        """See ``Intake``."""
        sidecar = self.source.options
        return parse_options(_text(sidecar), sidecar.path.name) if sidecar else ModelOptions()

    def labels(self) -> list[str] | None:
        """See ``Intake``."""
        return parse_labels(_text(self.source.labels)) if self.source.labels else None

    def _keep(self, path: Path, digests: Mapping[str, str]) -> tuple[int, str]:
        """Copy a file or folder, and hold it to the digests of its files."""
        store = self.door.store
        blob = store.blobs.ingest(path)
        try:
            if digests:
                with store.blobs.open(blob.sha256) as stored:
                    require_files(stored.path, digests)
            return store.records.put(self.source, blob.sha256), blob.sha256
        except BaseException:
            store.blobs.release(blob.sha256)
            raise


@dataclass(frozen=True, slots=True)
class _StoredIntake:
    """The intake of bytes that only the store has. They serve with their stored options, within today's limits."""

    source: StoredSource
    door: Door

    def known(self) -> tuple[int, str]:
        """See ``Intake``."""
        return self.source.version, self._record().sha256

    def copy(self) -> tuple[int, str]:
        """Nothing is copied: return the stored version and SHA-256."""
        return self.known()

    def check(self, blob: OpenBlob) -> None:
        """See ``Intake``."""
        self.door.require_size(blob.size)
        if is_archive(blob.fd):  # what becomes of one depends on its folder, which is not here
            raise ModelError(
                "MODEL_INVALID", "a SavedModel folder served last; the daemon does not take it from the store"
            )

    def options(self) -> ModelOptions:
        """See ``Intake``."""
        return read_options(self._record().options)

    def labels(self) -> list[str] | None:
        """Return the labels. A version from the store serves even if its labels cannot be read."""
        try:
            return parse_labels(_text(self.source.labels)) if self.source.labels else None
        except MmError:
            return None

    def _record(self) -> VersionRecord:
        return self.door.store.records.stored(self.source.name, self.source.version)


def _text(sidecar: Sidecar) -> str:
    descriptor, identity = open_regular(sidecar.path)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        if identity.size > _SIDECAR_BYTES:
            raise ModelError("MODEL_INVALID", f"{sidecar.path.name} has {identity.size} bytes: too large")
        try:
            return file.read().decode("utf-8")
        except UnicodeDecodeError:
            raise ModelError("MODEL_INVALID", f"{sidecar.path.name} is not UTF-8 text") from None
