from __future__ import annotations

import errno
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from watchdog.observers import inotify

from mmdaemon.folder import watch
from mmdaemon.folder.watch import Watcher
from rig.waiting import LIMIT_S, wait_for

# The product ignores it too (watch.py), but as an error it kills watchdog's thread.
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")


class Hints:
    """Collects hints and waits for one."""

    def __init__(self) -> None:
        self._all: list[tuple[Path | None, bool]] = []
        self._news = threading.Condition()

    def __call__(self, path: Path | None, renamed: bool) -> None:
        with self._news:
            self._all.append((path, renamed))
            self._news.notify_all()

    def wait_for(self, path: Path, renamed: bool) -> None:
        with self._news:
            assert self._news.wait_for(lambda: (path, renamed) in self._all, LIMIT_S), self._all

    def has(self, path: Path) -> bool:
        with self._news:
            return any(path == hint for hint, _ in self._all)


@pytest.fixture
def hints() -> Hints:
    return Hints()


@pytest.fixture
def watcher(models: Path, hints: Hints) -> Iterator[Watcher]:
    watcher = Watcher(models, hints)
    watcher.start()
    yield watcher
    watcher.stop()


def test_a_written_file_is_a_hint_but_not_a_rename(models: Path, watcher: Watcher, hints: Hints) -> None:
    assert watcher.is_alive
    (models / "a.tflite").write_bytes(b"abc")
    hints.wait_for(models / "a.tflite", False)


def test_a_rename_into_the_folder_is_a_hint_of_its_own(
    models: Path, watcher: Watcher, hints: Hints, tmp_path: Path
) -> None:
    (tmp_path / "b").write_bytes(b"abc")
    shutil.copy(tmp_path / "b", models / "c.tflite.part")
    (tmp_path / "b").rename(models / "b.tflite")
    hints.wait_for(models / "b.tflite", True)
    (models / "c.tflite.part").rename(models / "c.tflite")
    hints.wait_for(models / "c.tflite", True)
    hints.wait_for(models / "c.tflite.part", False)


def test_folders_are_followed_down(models: Path, watcher: Watcher, hints: Hints, tmp_path: Path) -> None:
    (models / "m/1").mkdir(parents=True)
    (models / "m/1/model.tflite").write_bytes(b"abc")
    hints.wait_for(models / "m/1/model.tflite", False)
    (tmp_path / "2").mkdir()
    (tmp_path / "2/model.tflite").write_bytes(b"abc")
    (tmp_path / "2").rename(models / "m/2")
    hints.wait_for(models / "m/2", True)


def test_deletion_and_chmod_are_hints(models: Path, watcher: Watcher, hints: Hints) -> None:
    path = models / "a.tflite"
    path.write_bytes(b"abc")
    hints.wait_for(path, False)
    seen = Hints()
    second = Watcher(models, seen)
    second.start()
    try:
        path.chmod(0o444)
        seen.wait_for(path, False)
    finally:
        second.stop()
    third = Hints()
    watcher_of_deletion = Watcher(models, third)
    watcher_of_deletion.start()
    try:
        path.unlink()
        third.wait_for(path, False)
    finally:
        watcher_of_deletion.stop()


def test_reading_is_not_a_hint(models: Path, hints: Hints) -> None:
    (models / "a.tflite").write_bytes(b"abc")
    watcher = Watcher(models, hints)
    watcher.start()
    try:
        (models / "a.tflite").read_bytes()
        (models / "b.tflite").write_bytes(b"abc")
        hints.wait_for(models / "b.tflite", False)  # the kernel keeps the order
        assert not hints.has(models / "a.tflite")
    finally:
        watcher.stop()


def test_start_and_stop_are_idempotent(models: Path, hints: Hints) -> None:
    before = threading.active_count()
    watcher = Watcher(models, hints)
    watcher.stop()
    watcher.start()
    watcher.start()
    assert watcher.is_alive
    watcher.stop()
    watcher.stop()
    assert not watcher.is_alive
    assert threading.active_count() == before


def test_a_replaced_folder_is_watched_again(models: Path, watcher: Watcher, hints: Hints) -> None:
    assert not watcher.revive()
    models.rename(models.with_name(models.name + ".old"))
    try:
        assert not watcher.is_alive
        assert not watcher.revive()  # nothing to watch yet
        models.mkdir()
        assert watcher.revive()
        (models / "a.tflite").write_bytes(b"abc")
        hints.wait_for(models / "a.tflite", False)
        assert watcher.is_alive and not watcher.revive()
    finally:
        shutil.rmtree(models.with_name(models.name + ".old"))


def test_a_dead_thread_is_noticed_and_replaced(models: Path, watcher: Watcher, hints: Hints) -> None:
    emitters = [thread for thread in threading.enumerate() if isinstance(thread, inotify.InotifyEmitter)]
    assert emitters
    for emitter in emitters:
        emitter.stop()
    wait_for("the watcher has ended", lambda: not watcher.is_alive)
    assert watcher.revive()
    assert watcher.is_alive
    (models / "a.tflite").write_bytes(b"abc")
    hints.wait_for(models / "a.tflite", False)


def test_a_thread_that_hangs_is_noticed_and_replaced(models: Path, hints: Hints) -> None:
    stuck, entered = threading.Event(), threading.Event()

    def on_hint(path: Path | None, renamed: bool) -> None:
        if not stuck.is_set():
            entered.set()
            stuck.wait(LIMIT_S)
        hints(path, renamed)

    watcher = Watcher(models, on_hint, patience_s=0.05)
    watcher.start()
    try:
        assert not watcher.revive()
        (models / "a.tflite").write_bytes(b"abc")
        assert entered.wait(LIMIT_S)
        wait_for("the watcher is revived", watcher.revive)
        assert watcher.is_alive
    finally:
        stuck.set()
    (models / "b.tflite").write_bytes(b"abc")
    hints.wait_for(models / "b.tflite", False)
    watcher.stop()


def test_a_watcher_that_answers_is_left_alone(models: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    watcher = Watcher(models, hints, patience_s=30)
    watcher.start()
    with monkeypatch.context() as patch:
        patch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: now))
        for number in range(3):
            assert not watcher.revive()  # asks
            (models / f"{number}.tflite").write_bytes(b"abc")
            hints.wait_for(models / f"{number}.tflite", False)  # comes after the answer, from the same thread
            now += 31
        assert not watcher.revive()
    watcher.stop()


def test_without_inotify_it_says_so_once_and_goes_on(
    models: Path, hints: Hints, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    watcher = Watcher(models, hints)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(inotify.InotifyFD, "_create_inotify_fd", staticmethod(refuse))
        watcher.start()
        assert not watcher.revive()
        assert not watcher.is_alive
    assert [record.getMessage().count("next rescan") for record in caplog.records] == [1]
    watcher.revive()
    assert watcher.is_alive
    watcher.stop()
