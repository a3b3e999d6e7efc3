"""The store: the bytes of models, what is remembered of their names, and what their trials found."""

from __future__ import annotations

from mmdaemon.store.blob import Blobs
from mmdaemon.store.layout import Layout
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.records import Records
from mmdaemon.store.trial import TrialResults


class Store:
    """Everything that the daemon keeps.

    Args:
        layout: Its folders, which exist.

    Attributes:
        blobs: Bytes, by their SHA-256.
        records: Names, versions, and what serves.
        trials: Trial results, by model, runtime and CPU.

    Thread: any for every method.
    """

    def __init__(self, layout: Layout) -> None:
        self.blobs = Blobs(layout)
        self.records = Records(Ledger(layout))
        self.trials = TrialResults(layout)

    def write_down(self) -> None:
        """Bring the disk up to what the records say, and remove blobs and trial results that no name needs.

        Slow when there is anything to write, else it returns at once.
        """
        has_changed = self.records.write_down()
        if has_changed or self.blobs.has_garbage:
            self.blobs.collect(self.records.blobs())
            self.trials.collect(self.records.known_blobs())
