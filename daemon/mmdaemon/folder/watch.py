"""inotify as a hint to look now instead of at the next rescan. The look decides, never the hint.

When its queue overflows, watchdog 7.1 loses events and does not tell its handler (it delivered 1,403 of 20,000). In
past versions its threads died. So this only shortens the wait, and every rescan calls ``revive``.
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

# A hint has the path that changed, and whether a rename put the file there, so that it is complete at once. A folder
# stands for everything beneath it; None means everywhere.
OnHint = Callable[[Path | None, bool], None]

# Without events for reading: the scan opens files itself, and would wake itself for ever.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    FileClosedEvent,
    FileAttribEvent,  # chmod o+r mends an unreadable file
    FileModifiedEvent,  # only because watchdog then asks the kernel for IN_ATTRIB too; see _Handler
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
_log = logging.getLogger(__name__)
# watchdog watches a folder twice that appears while it lists the one above. It warns of that, but it does no harm.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)


class _Ping(FileSystemEvent):
    """An event of our own in watchdog's queue: the thread that hands it on is alive."""

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
        """Pass an event on as a hint, but not a single write: the file is closed later, or a rescan comes."""
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
    """Calls ``on_hint`` from its own thread whenever something may have changed in the folder.

    Args:
        folder: The folder to watch.
        on_hint: Called when something may have changed.
        patience_s: A thread that takes longer than this to hand on an event hangs.

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
        """Start watching. Where inotify fails (its limits are per user), log that once: the rescan finds everything."""
        with self._lock:
            self._wanted = True
            if self._observer is None:
                self._start()

    def stop(self) -> None:
        """Stop watching. Idempotent. ``on_hint`` must not call this."""
        with self._lock:
            self._wanted = False
            self._stop()

    @property
    def is_alive(self) -> bool:
        """Whether all its threads run and it watches the folder that is there now."""
        observer = self._observer
        if observer is None or self._watched != _inode(self._folder):
            return False
        # A further thread reads the inotify descriptor; watchdog gives no public access to it.
        reader = getattr(observer, "_inotify_fd", observer)
        return all(thread.is_alive() for thread in (observer, reader, *observer.emitters))

    def revive(self) -> bool:
        """Start again if a thread died or hangs, or the folder was replaced; return whether that was needed and worked.

        Changes in between gave no hint, so the caller must look at everything.
        """
        with self._lock:
            if not self._wanted:
                return False
            if self._hangs():
                self._abandon()
            elif self.is_alive:
                self._send_ping()
                return False
            else:
                self._stop()
            return self._start()

    def _send_ping(self) -> None:
        """Put an event of our own into watchdog's queue, one at a time."""
        if self._observer is not None and (self._ping is None or self._ping.is_answered):
            self._ping = _Ping()
            self._observer.event_queue.put((self._ping, self._watch))

    def _hangs(self) -> bool:
        ping = self._ping
        return ping is not None and not ping.is_answered and time.monotonic() - ping.asked > self._patience_s

    def _abandon(self) -> None:
        """Leave an observer behind. Its thread holds the lock that is needed to stop it."""
        observer, self._observer, self._watched, self._ping = self._observer, None, None, None
        _log.warning("the watcher of %s does not answer; the daemon starts another one", self._folder)
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
                _log.warning(
                    "inotify cannot watch %s: %s; the daemon finds changes at the next rescan", self._folder, error
                )
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
