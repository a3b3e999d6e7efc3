"""inotify as a hint: look now instead of at the next rescan. Nothing is ever believed because of it.

watchdog 7.1 loses events on an overflow without a word to the handler (1,403 of 20,000 delivered) and its threads have
died in past versions; so this only shortens the wait, and ``revive`` is called with every rescan.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import ObservedWatch
from watchdog.observers.inotify import InotifyObserver

# Hint: the path that changed (a folder stands for all beneath it; None: look everywhere), and whether a rename put
# it there, which makes it complete at once.
OnHint = Callable[[Path | None, bool], None]

# Reading is not among them: the scan itself opens files, and would wake itself for ever.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    FileClosedEvent,
    FileAttribEvent,  # chmod o+r is how an unreadable file is mended
    FileModifiedEvent,  # only because watchdog asks the kernel for IN_ATTRIB with it; see _Handler
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
_log = logging.getLogger(__name__)
# watchdog watches a folder that appears while it lists the one above twice, warns of it, and is right all the same.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)


class _Ping(FileSystemEvent):
    """An event of ours that goes the way of the others: whoever hands it over is alive."""

    def __init__(self) -> None:
        super().__init__("")
        self.asked = time.monotonic()
        self.is_answered = False


class _Handler(FileSystemEventHandler):
    def __init__(self, on_hint: OnHint) -> None:
        self._on_hint = on_hint

    def dispatch(self, event: FileSystemEvent) -> None:
        """Take an event or a ping."""
        if isinstance(event, _Ping):
            event.is_answered = True
        else:
            super().dispatch(event)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass an event on as a hint. A single write is none: the closing of the file, or a rescan, follows."""
        if isinstance(event, FileModifiedEvent):
            return
        if isinstance(event, (FileMovedEvent, DirMovedEvent)):
            # A move out of the folder has no destination, a move into it no source.
            if event.src_path:
                self._on_hint(_path(event.src_path), False)
            if event.dest_path and not event.is_synthetic:
                self._on_hint(_path(event.dest_path), True)
            return
        self._on_hint(_path(event.src_path), False)


def _path(text: bytes | str) -> Path:
    return Path(os.fsdecode(text))


class Watcher:
    """Calls ``on_hint`` from a thread of its own whenever something may have changed in the folder.

    Args:
        folder: What to watch.
        on_hint: Called when something may have changed.
        patience_s: A thread of it that takes longer to hand on an event hangs.

    Thread: any for every method.
    """

    def __init__(self, folder: Path, on_hint: OnHint, patience_s: float = 30.0) -> None:
        self._folder = folder
        self._on_hint = on_hint
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._observer: InotifyObserver | None = None
        self._watch: ObservedWatch | None = None
        self._ping: _Ping | None = None
        self._watched: tuple[int, int] | None = None
        self._wanted = False
        self._complained = False

    def start(self) -> None:
        """Start watching. Without inotify (its limits are per user) say so once and go on: the rescan finds all."""
        with self._lock:
            self._wanted = True
            if self._observer is None:
                self._start()

    def stop(self) -> None:
        """Stop watching. Idempotent; never call it from ``on_hint``."""
        with self._lock:
            self._wanted = False
            self._stop()

    def is_alive(self) -> bool:
        """Return whether every thread of it runs and it watches the folder that is there now."""
        with self._lock:
            return self._is_alive()

    def revive(self) -> bool:
        """Start again what died, hangs or watches a folder that was replaced; return whether it was needed and worked.

        The caller looks at everything anyway: what happened in between was not noticed.
        """
        with self._lock:
            if not self._wanted:
                return False
            if self._hangs():
                self._abandon()
            elif self._is_alive():
                self._send_ping()
                return False
            else:
                self._stop()
            return self._start()

    def _is_alive(self) -> bool:
        observer = self._observer
        if observer is None or self._watched != _inode(self._folder):
            return False
        # The reader of the inotify descriptor is a third kind of thread that watchdog does not show.
        reader = getattr(observer, "_inotify_fd", observer)
        return all(thread.is_alive() for thread in (observer, reader, *observer.emitters))

    def _send_ping(self) -> None:
        """Send an event of our own through the queue of the others, one at a time."""
        if self._observer is not None and (self._ping is None or self._ping.is_answered):
            self._ping = _Ping()
            self._observer.event_queue.put((self._ping, self._watch))

    def _hangs(self) -> bool:
        ping = self._ping
        return ping is not None and not ping.is_answered and time.monotonic() - ping.asked > self._patience_s

    def _abandon(self) -> None:
        """Leave an observer behind whose thread holds the lock that stopping it takes."""
        observer, self._observer, self._watched, self._ping = self._observer, None, None, None
        _log.warning("the watcher of %s does not answer and is replaced", self._folder)
        for emitter in observer.emitters if observer is not None else ():
            emitter.stop()

    def _start(self) -> bool:
        observer = None
        try:
            place = os.path.realpath(self._folder, strict=True)
            inode = _inode(self._folder)
            observer = InotifyObserver(generate_full_events=True)
            watch = observer.schedule(_Handler(self._on_hint), place, recursive=True, event_filter=_EVENTS)
            observer.start()
        except OSError as error:
            if observer is not None:
                observer.stop()
            if not self._complained:
                _log.warning("inotify does not watch %s: %s; changes show with the next rescan", self._folder, error)
                self._complained = True
            return False
        self._observer, self._watch, self._watched, self._complained = observer, watch, inode, False
        return True

    def _stop(self) -> None:
        observer, self._observer, self._watched, self._ping = self._observer, None, None, None
        if observer is not None:
            observer.stop()
            observer.join()


def _inode(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
