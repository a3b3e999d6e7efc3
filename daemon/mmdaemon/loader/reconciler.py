"""The reconciler: the thread that keeps what serves in step with the folder.

Hints, results of loads and ``mmctl wait`` only make it look sooner; each look takes in everything.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mmdaemon.folder.scan import scan
from mmdaemon.folder.settle import Settling
from mmdaemon.folder.snapshot import FolderSource, Snapshot
from mmdaemon.folder.whole import is_whole
from mmdaemon.loader.arrived import Refused
from mmdaemon.loader.comparison import Comparison
from mmdaemon.loader.loads import Loads
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.waiting import Wait, WaitAnswer, Waiting
from mmdaemon.log.logger import LOG, log_bug
from mmwire.message import Reply


class Reconciler:
    """Looks at the folder, takes up the results of loads, answers waits.

    Args:
        folder: The model folder.
        comparison: Decides and applies; guarded by ``monitor``, and with it the registry.
        waiting: The waits; guarded by ``monitor``.
        loads: The loads under way.
        write_down: Brings the disk up to what was noted: slow.

    Attributes:
        monitor: The lock over registry, comparison and waits.
        trouble: What is wrong with the folder as a whole; empty for nothing.
        next_look: When it means to look again without a hint, in monotonic seconds.

    Thread: public methods from any; the rest on the reconciler's own.
    """

    def __init__(
        self,
        folder: Path,
        comparison: Comparison,
        waiting: Waiting,
        loads: Loads,
        write_down: Callable[[], None],
    ) -> None:
        self.monitor = threading.RLock()
        self.trouble = ""
        self.next_look = math.inf
        self._folder = folder
        self._comparison = comparison
        self._waiting = waiting
        self._loads = loads
        self._write_down = write_down
        self._revive_watcher: Callable[[], object] = lambda: None
        self._settling = Settling()
        self._changed = threading.Condition(self.monitor)
        self._is_nudged = True
        self._is_stopping = False
        self._is_looking = False
        self._looks = 0  # those that failed included
        self._seen = 0  # the looks that saw the folder, or that it is not there
        self._renamed: set[Path] = set()
        self._thread = threading.Thread(target=self._run, name="mm-models", daemon=True)
        loads.call_on_end(self._wake)

    def start(self, revive_watcher: Callable[[], object]) -> None:
        """Start to look.

        Args:
            revive_watcher: Called with every look but the first; makes sure that hints come.
        """
        self._revive_watcher = revive_watcher
        self._thread.start()

    def stop(self) -> None:
        """Stop looking. Idempotent."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def set_pace(self, pace: Pace) -> None:
        """Go on at another pace."""
        with self._changed:
            self._comparison.pace = pace
            self._nudge()

    def on_hint(self, path: Path | None = None, renamed: bool = False) -> None:
        """Look soon: something may have changed."""
        with self._changed:
            if renamed and path is not None:
                self._renamed.add(path)
            self._nudge()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._is_stopping

    def wait_look(self, seen: int) -> int:
        """Block until more than ``seen`` looks were taken, or it stops; return how many there were."""
        with self._changed:
            self._changed.wait_for(lambda: self._looks > seen or self._is_stopping)
            return self._looks

    def wait_decided(self, timeout_s: float) -> bool:
        """Block until the first look was taken and nothing is being loaded; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._looks > 0 and not self._comparison.is_loading, timeout_s)

    def wait_for(self, name: str, version: int, sha256: str, deadline: float, reply: Reply) -> None:
        """Answer once the model serves, or cannot, or at the deadline.

        Args:
            name: The model.
            version: The version waited for, 0 for the newest.
            sha256: The hash waited for, or its first digits; empty for any.
            deadline: In monotonic seconds.
            reply: Takes the model's document or the error, on the reconciler's thread; each wait has its own.
        """
        with self._changed:
            # A look under way may have passed the file already: then the one after it counts.
            after_look = self._seen + (2 if self._is_looking else 1)
            self._waiting.add(Wait(name, version, sha256, deadline, after_look, reply))
            self._nudge()

    def withdraw(self, reply: Reply) -> bool:
        """End the wait of a client that wants no answer any more; return whether it still waited."""
        with self.monitor:
            return self._waiting.withdraw(reply)

    def load(self, name: str) -> None:
        """Serve a name that was unloaded, or try a quarantined one again.

        Raises:
            RequestError: ``MODEL_NOT_FOUND``.
        """
        with self._changed:
            self._comparison.load(name)
            self._nudge()

    def unload(self, name: str, reply: Reply) -> None:
        """Take a name out of memory, and answer with the model's document once that was written down.

        Raises:
            RequestError: ``MODEL_NOT_FOUND``.
        """
        with self._changed:
            self._waiting.promise(reply, self._comparison.unload(name))
            self._nudge()

    def _nudge(self) -> None:
        self._is_nudged = True
        self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        self.next_look = time.monotonic()
        while True:
            with self._changed:
                while not self.has_work and (left := self.next_look - time.monotonic()) > 0:
                    self._changed.wait(left)
                if self._is_stopping:
                    return
            self.step()

    @property
    def has_work(self) -> bool:
        """Whether there is something to do before ``next_look``."""
        return self._is_nudged or self._loads.has_ended or self._is_stopping

    def step(self) -> None:
        """Do what is due: take up results or, when something may have changed in the folder, look at it.

        Thread: the reconciler's own, or a test's instead of it.
        """
        with self._changed:
            only_results = self._loads.has_ended and not self._is_nudged
            self._is_looking = not only_results
            self._is_nudged = False
        try:
            self.next_look = min(self.next_look, self._take_results()) if only_results else self._look()
        except Exception as error:
            log_bug("looking at the model folder", error)
            self.next_look = self._on_failed_look(error)

    def _on_failed_look(self, error: Exception) -> float:
        """Go on after a bug: say so in ``status``, and let nobody wait for ever; return when to look again."""
        with self._changed:
            now = time.monotonic()
            self.trouble = f"a look at the model folder failed: {type(error).__name__}, a bug; the log has the details"
            self._looks += 1
            self._is_looking = False
            answers = self._answers(now)
            due = min(now + self._comparison.pace.rescan_s, self._waiting.next_deadline())
            self._changed.notify_all()
        self._write_down_and_give(answers)
        return due

    def _take_results(self) -> float:
        """Take up what the loader threads brought; return when the next wait ends.

        The folder is looked at again only when the last load has ended, or when one was refused: another version of
        that name may be due.
        """
        with self._changed:
            now = time.monotonic()
            look_again = self._on_results(now)
            self._is_nudged = self._is_nudged or look_again or not self._comparison.is_loading
            answers, due = self._answers(now), self._waiting.next_deadline()
            self._changed.notify_all()
        self._write_down_and_give(answers)
        return due

    def _look(self) -> float:
        """Take in the folder and the results; return when to look again without a hint."""
        with self.monitor:
            renamed, self._renamed = self._renamed, set()
            self._on_results(time.monotonic())  # those that come from here on wait for the next time
        self._write_down_and_give([])
        if self._looks:  # before the first look there is nothing to revive
            self._revive_watcher()
        snapshot = scan(self._folder)
        with self.monitor:
            news = self._comparison.news_in(snapshot)
        whole = {source.path for source in news if is_whole(source)}
        self._settling.begin_look(self._comparison.pace.settle_s, self._comparison.pace.unfinished_s)

        def is_settled(source: FolderSource, now: float) -> float | None:
            path = source.path
            was_renamed = path in renamed or path.parent in renamed
            at = self._settling.observe(path, source.identity, path in whole, was_renamed, now, time.time_ns())
            return None if at is True else at

        with self._changed:
            now = time.monotonic()
            due = min(self._comparison.on_snapshot(snapshot, is_settled, now), now + self._comparison.pace.rescan_s)
            self._report_trouble(snapshot)
            self._looks += 1
            self._seen += 1
            self._is_looking = False
            answers, due = self._answers(now), min(due, self._waiting.next_deadline())
            self._changed.notify_all()
        self._settling.end_look()
        self._write_down_and_give(answers)
        return due

    def _on_results(self, now: float) -> bool:
        """Take the results up; return whether something else may be due for one of their names."""
        look_again = False
        for ended in self._loads.take():
            name = ended.candidate.name
            try:
                self._comparison.on_result(ended.candidate, ended.result, now)
            except Exception as error:
                log_bug(f"taking up {name}", error, name)  # the other results must not be lost with it
            look_again |= isinstance(ended.result, Refused) or self._comparison.is_overtaken(name)
        return look_again

    def _answers(self, now: float) -> list[WaitAnswer]:
        return self._waiting.due(self._seen, self._comparison.is_undecided, now)

    def _write_down_and_give(self, answers: list[WaitAnswer]) -> None:
        """Do what is slow, outside of the monitor; an answer is given when what it says outlives a power cut."""
        try:
            self._write_down()
        except Exception as error:
            log_bug("writing down what serves", error)
        for answer in answers:
            try:
                answer.give()
            except Exception as error:
                log_bug("answering a wait", error)  # the other answers must not be lost with it

    def _report_trouble(self, snapshot: Snapshot) -> None:
        trouble = snapshot.reason
        if snapshot.available and snapshot.is_empty and self._comparison.has_models:
            trouble = "it is empty; what serves goes on serving"
        if trouble and trouble != self.trouble:
            LOG.warning("model folder %s: %s", self._folder, trouble)
        elif self.trouble and not trouble:
            LOG.info("model folder %s is back", self._folder)
        self.trouble = trouble
