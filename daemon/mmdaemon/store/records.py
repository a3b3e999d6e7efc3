"""The records of all names: memory and disk in step."""

from __future__ import annotations

import threading
from dataclasses import replace

from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.log.logger import LOG, about
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.record import NameRecord, VersionRecord, version_for
from mmwire.errors import ModelError
from mmwire.manifest import ModelOptions

_KEPT_VERSIONS = 16  # of one name, beside those whose bytes are kept: enough to recognise what comes back


class Records:
    """Reads every record once. A change by ``put`` is on disk when it returns, any other one after ``write_down``.

    Thread: any for every method. All but ``put`` and ``write_down`` return at once, whatever the disk does.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()  # the records
        self._disk = threading.Lock()  # one writes at a time, what it wrote is never older; taken before the other
        self._records = ledger.load_all()
        self._unwritten: set[str] = set()

    def next_version(self, name: str) -> int:
        """Return the number that a new flat file gets."""
        with self._lock:
            return self._find(name).next_version

    def is_unloaded(self, name: str) -> bool:
        """Return whether a name is to stay out of memory."""
        with self._lock:
            return self._find(name).unloaded

    def set_unloaded(self, name: str, unloaded: bool) -> None:
        """Note whether a name is to stay out of memory."""
        with self._lock:
            record = self._record(name)
            if record.unloaded != unloaded:
                record.unloaded = unloaded
                self._unwritten.add(name)

    def is_kept(self, name: str, number: int) -> bool:
        """Return whether the bytes of a version stay in the store."""
        with self._lock:
            return number in self._find(name).kept()

    def known(self, source: FolderSource) -> tuple[int, str] | None:
        """Return version and SHA-256 of a source that was copied before and has not changed since.

        A version folder is the version of its name and no other, even when it was renamed or is a link. A flat file is
        known as the newest flat version or as the one that serves: older bytes that come back get a new number.
        """
        with self._lock:
            record = self._find(source.name)
            flat = [number for number, version in record.versions.items() if version.layout == "flat"]
            candidates = {max(flat, default=0), record.serving or 0} if source.version is None else {source.version}
            for number in candidates & record.versions.keys():
                version = record.versions[number]
                if version.identity == source.identity and version.layout == source.layout:
                    return number, version.sha256
            return None

    def is_stored(self, source: FolderSource) -> bool:
        """Return whether a source was copied before and has not changed since."""
        return self.known(source) is not None

    def put(self, source: FolderSource, sha256: str) -> int:
        """Give bytes that were copied their version; return its number.

        Raises:
            ModelError: ``STORE_FAILED`` (retryable).
        """
        with self._disk:
            with self._lock:
                record = self._record(source.name)
                number = version_for(record, source, sha256)
                record.put(number, VersionRecord(sha256, source.layout, source.identity))
                self._trim(record)
            self._save(source.name)
            return number

    def stored(self, name: str, number: int) -> VersionRecord:
        """Return the record of a version whose bytes are in the store.

        Raises:
            ModelError: ``STORE_FAILED``: there is none.
        """
        with self._lock:
            version = self._find(name).versions.get(number)
        if version is None:
            raise ModelError("STORE_FAILED", f"the store does not know version {number} of {name}")
        return version

    def last_served(self, name: str) -> int:
        """Return the version that serves or served last, 0 for none."""
        with self._lock:
            record = self._find(name)
            serving = record.serving or 0
            return serving if serving in record.versions else 0

    def on_serving(self, name: str, number: int, options: ModelOptions) -> None:
        """Note what serves, and with which options; what did before is the previous one."""
        with self._lock:
            record = self._record(name)
            version, fields = record.versions.get(number), options.as_dict()
            if version is not None and version.options != fields:
                record.versions[number] = replace(version, options=fields)
                self._unwritten.add(name)
            if record.serving != number:
                record.previous, record.serving = record.serving, number
                self._unwritten.add(name)

    def names_kept(self) -> list[str]:
        """Return the names of which a version serves or served last, or which their owner unloaded."""
        with self._lock:
            return [name for name, record in self._records.items() if record.serving is not None or record.unloaded]

    def on_retired(self, name: str) -> None:
        """Note that a name is gone: nobody needs its bytes and its unload; its numbers are never given again."""
        with self._lock:
            record = self._find(name)
            if record.serving is not None or record.previous is not None or record.unloaded:
                record.serving, record.previous, record.unloaded = None, None, False
                self._unwritten.add(name)

    def write_down(self) -> bool:
        """Bring the disk up to what was noted; return whether there was anything. Slow."""
        with self._lock:
            names, self._unwritten = self._unwritten, set()
        for name in sorted(names):
            try:
                with self._disk:
                    self._save(name)
            except ModelError as error:
                LOG.warning(
                    "%s: %s; a restart may not know of the last change", name, error, extra=about(name, error=error)
                )
        return bool(names)

    def blobs(self) -> set[str]:
        """Return every blob that some name needs, or may need again without a copy from the folder."""
        with self._lock:
            return set().union(*(record.blobs() for record in self._records.values()))

    def known_blobs(self) -> set[str]:
        """Return every blob that some version of some name was."""
        with self._lock:
            return {version.sha256 for record in self._records.values() for version in record.versions.values()}

    def _find(self, name: str) -> NameRecord:
        """Return a record to read; an empty one, which is not kept, for a name that has none."""
        return self._records.get(name) or NameRecord(name)

    def _record(self, name: str) -> NameRecord:
        """Return a record to change; a name that has none gets one."""
        return self._records.setdefault(name, NameRecord(name))

    def _save(self, name: str) -> None:
        with self._lock:
            record = self._record(name)
            copy = replace(record, versions=dict(record.versions))
        self._ledger.save(copy)

    def _trim(self, record: NameRecord) -> None:
        kept = {*record.kept(), *sorted(record.versions)[-_KEPT_VERSIONS:]}
        record.versions = {number: replace(version) for number, version in record.versions.items() if number in kept}
