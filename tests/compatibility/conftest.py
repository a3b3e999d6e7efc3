from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig.release import Release, ReleaseDaemon, old_release, this_release

Start = Callable[[Release, Path], ReleaseDaemon]


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Release]:
    """Both sides by name: old, new."""
    both = {"old": old_release(tmp_path_factory.mktemp("old")), "new": this_release()}
    for release in both.values():
        release.require()
    return both


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts daemons; what still runs in the end is killed, and no log may hold a traceback."""
    started: list[ReleaseDaemon] = []

    def start(release: Release, folder: Path) -> ReleaseDaemon:
        daemon = ReleaseDaemon(release, folder)
        started.append(daemon)
        daemon.start()
        return daemon

    try:
        yield start
        for daemon in started:
            assert "Traceback" not in daemon.text(), daemon.text()
            assert "bug while" not in daemon.text(), daemon.text()
    finally:
        for daemon in started:
            daemon.kill()
