"""The reconciler: the thread that keeps what serves in step with the folder.

Hints, results of loads and ``mmctl wait`` only make it look sooner; each look takes in everything.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

from mmdaemon.folder.scan import scan
from mmdaemon.folder.settle import Settling
from mmdaemon.folder.snapshot import Snapshot, Source
from mmdaemon.folder.whole import is_whole
from mmdaemon.loader.arrived import Arrivals, Arrived, Refused
from mmdaemon.loader.comparison import Comparison
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.swap import Swap
from mmdaemon.loader.waiting import Answer, Reply, Wait, Waiting
from mmdaemon.log.logger import LOG, log_bug
from mmdaemon.registry.registry import Registry
from mmwire.errors import InternalError


class Reconciler:
    """Looks at the folder, has sources brought up, answers who waits.

    Args:
        folder: The model folder.
        pace: How often and how patiently.
        arrivals: Brings sources up.
        registry: What is known; guarded by ``monitor``.
        swap: Publishes and retires.
        executor: Runs ``bring_up``, several at a time.
        revive_watcher: Called with every look; makes sure that hints come.

    Attributes:
        next_look: When it means to look again without a hint, in monotonic seconds.

    Thread: public methods from any; the rest on the reconciler's own.
    """

    def __init__(
        self,
        folder: Path,
        pace: Pace,
        arrivals: Arrivals,
        registry: Registry,
        swap: Swap,
        executor: Executor,
        revive_watcher: Callable[[], object],
    ) -> None:
        self.monitor = threading.RLock()
        self.trouble = ""
        self._folder = folder
        self._pace = pace
        self._arrivals = arrivals
        self._registry = registry
        self._swap = swap
        self._executor = executor
        self._revive_watcher = revive_watcher
        self._comparison = Comparison(arrivals, registry, swap, self._start_load, pace.retire_grace_s, pace.settle_s)
        self._settling = Settling(pace.settle_s, pace.unfinished_s)
        self._waiting = Waiting()
        self._promised: list[Answer] = []
        self._changed = threading.Condition(self.monitor)
        self._is_nudged = True
        self._is_stopping = False
        self._renamed: set[Path] = set()
        self._results: list[tuple[Source, Arrived | Refused]] = []
        self.next_look = math.inf
        self._looks = 0
        self._is_looking = False
        self._thread = threading.Thread(target=self._run, name="mm-models", daemon=True)

    def start(self) -> None:
        """Start to look."""
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
            self._pace = pace
            self._comparison.retire_grace_s, self._comparison.doubts.settle_s = pace.retire_grace_s, pace.settle_s
            self._settling = Settling(pace.settle_s, pace.unfinished_s)
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
            return self._changed.wait_for(
                lambda: self._looks > 0 and not self._comparison.under_way and not self._results, timeout_s
            )

    def wait_for(self, name: str, version: int, sha256: str, deadline: float, reply: Reply) -> None:
        """Answer once the model serves, or cannot, or at the deadline.

        Args:
            name: The model.
            version: The version waited for, 0 for the newest.
            sha256: The hash waited for, empty for any.
            deadline: In monotonic seconds.
            reply: Gets the model's document or the error, from the reconciler's thread.
        """
        with self._changed:
            # A look under way may have passed the file already: then the one after it counts.
            after_look = self._looks + (2 if self._is_looking else 1)
            self._waiting.add(Wait(name, version, sha256, deadline, after_look, reply))
            self._nudge()

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
            self._comparison.unload(name)
            self._promised.append((reply, self._registry.document(name)))
            self._nudge()

    def _nudge(self) -> None:
        self._is_nudged = True
        self._changed.notify_all()

    def _run(self) -> None:
        self.next_look = time.monotonic()
        while True:
            with self._changed:
                while not self._has_work() and (left := self.next_look - time.monotonic()) > 0:
                    self._changed.wait(left)
                if self._is_stopping:
                    return
            self.next_look = self._step(self.next_look)

    def _step(self, due: float) -> float:
        with self._changed:
            only_results = bool(self._results) and not self._is_nudged
            self._is_looking = not only_results
            self._is_nudged = False
        try:
            return min(due, self._take_results()) if only_results else self._look()
        except Exception as error:
            log_bug("looking at the model folder", error)
            return time.monotonic() + self._pace.rescan_s

    def _has_work(self) -> bool:
        return self._is_nudged or bool(self._results) or self._is_stopping

    def _take_results(self) -> float:
        """Take up what the loader threads brought; return when somebody stops waiting.

        The folder is looked at again only when the last of them is in, or when one was refused: another version of
        that name may be due.
        """
        with self._changed:
            now = time.monotonic()
            look_again = self._on_results(now)
            self._is_nudged = self._is_nudged or look_again or not self._comparison.under_way
            answers = self._answers(now)
            due = self._waiting.next_deadline()
            self._changed.notify_all()
        self._write_down_and_give(answers)
        return due

    def _answers(self, now: float) -> list[Answer]:
        promised, self._promised = self._promised, []
        return promised + self._waiting.due(self._registry, self._looks, self._comparison.undecided, now)

    def _write_down_and_give(self, answers: list[Answer]) -> None:
        """Do what is slow, outside of the monitor; an answer is given when what it says outlives a power cut."""
        try:
            self._arrivals.write_down()
        except Exception as error:
            log_bug("writing down what serves", error)
        for reply, answer in answers:
            reply(answer)

    def _on_results(self, now: float) -> bool:
        """Take the results up; return whether something else may be due for one of their names."""
        results, self._results = self._results, []
        for source, result in results:
            try:
                self._comparison.on_result(source, result, now)
            except Exception as error:
                log_bug(f"taking up {source.name}", error, source.name)  # the other results must not be lost with it
        return any(
            isinstance(result, Refused) or source.name in self._comparison.overtaken for source, result in results
        )

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

        def is_settled(source: Source, now: float) -> float | None:
            was_renamed = source.path in renamed or source.path.parent in renamed
            at = self._settling.observe(
                source.path, source.identity, source.path in whole, was_renamed, now, time.time_ns()
            )
            return None if at is True else at

        with self._changed:
            now = time.monotonic()
            due = min(self._comparison.on_snapshot(snapshot, is_settled, now), now + self._pace.rescan_s)
            self._report_trouble(snapshot)
            self._swap.settle_retired()
            self._looks += 1
            self._is_looking = False
            answers = self._answers(now)
            due = min(due, self._waiting.next_deadline())
            self._changed.notify_all()
        self._write_down_and_give(answers)
        return due

    def _start_load(self, source: Source, number: int) -> None:
        def on_done(future: Future[Arrived | Refused]) -> None:
            if future.cancelled():  # the daemon is on its way out
                return
            try:
                result = future.result()
            except Exception as error:
                log_bug(f"loading {source.name}", error, source.name, number)
                result = Refused(InternalError("INTERNAL", f"a bug in the daemon: {error}"), number)
            with self._changed:
                self._results.append((source, result))
                self._changed.notify_all()

        self._executor.submit(self._arrivals.bring_up, source, number).add_done_callback(on_done)

    def _report_trouble(self, snapshot: Snapshot) -> None:
        trouble = snapshot.reason
        if snapshot.available and snapshot.is_empty and self._registry.names():
            trouble = "it is empty; what serves goes on serving"
        if trouble and trouble != self.trouble:
            LOG.warning("model folder %s: %s", self._folder, trouble)
        elif self.trouble and not trouble:
            LOG.info("model folder %s is back", self._folder)
        self.trouble = trouble
