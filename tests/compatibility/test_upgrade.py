"""A box that serves changes its release, there and back: the same versions serve, and no client notices."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rig import tiny_tflite as tiny
from rig.release import Release, ReleaseDaemon
from rig.waiting import LIMIT_S, wait_for

CALLER = Path(__file__).with_name("caller.py")
WAYS = [("old", "new"), ("new", "old")]
ROW = np.zeros((1, 4), np.float32)
Start = Callable[[Release, Path], ReleaseDaemon]


def serving(daemon: ReleaseDaemon) -> dict[str, tuple[int, str, float]]:
    """Return version, digest and an answer of every model that serves."""
    with daemon.client() as client:
        ready = [one for one in client.models() if one["state"] == "ready"]
        return {one["name"]: (one["version"], one["sha256"], answer(daemon, one["name"])) for one in ready}


def answer(daemon: ReleaseDaemon, name: str) -> float:
    """Return the first number of an answer."""
    with daemon.client() as client:
        return float(client.predict(name, ROW)["y"][0, 0])


def state(daemon: ReleaseDaemon, name: str) -> str:
    return str(daemon.show(name)["state"])


def copies(daemon: ReleaseDaemon, digests: list[str]) -> list[tuple[int, int]]:
    """Return which file holds each blob, and when it was written."""
    found = [(daemon.store / "blobs" / sha256).stat() for sha256 in digests]
    return [(status.st_ino, status.st_mtime_ns) for status in found]


@pytest.mark.parametrize(("first", "second"), WAYS)
def test_the_store_of_one_release_serves_in_the_other_and_back(
    releases: dict[str, Release], start: Start, tmp_path: Path, first: str, second: str
) -> None:
    daemon = start(releases[first], tmp_path)
    for number in (1, 2, 3):
        daemon.deploy("flat", tiny.add_constant(number), version=number)
    daemon.drop("numbered/7/model.tflite", tiny.add_constant(7))
    daemon.drop("gone.tflite", tiny.add_constant(9))
    daemon.drop("broken.tflite", tiny.custom_op())
    with daemon.client() as client:
        for name in ("numbered", "gone"):
            client.wait(name, timeout=LIMIT_S)
        client.unload("gone")
    wait_for("it is refused", lambda: state(daemon, "broken") == "quarantined")
    before = serving(daemon)
    assert {name: (told[0], told[2]) for name, told in before.items()} == {"flat": (3, 3), "numbered": (7, 7)}
    assert daemon.stop() == 0
    digests = [sha256 for _, sha256, _ in before.values()]
    kept = copies(daemon, digests)

    after = start(releases[second], tmp_path)
    wait_for("the same serve here", lambda: serving(after) == before)
    assert state(after, "gone") == "unloaded"
    wait_for("it is refused here too", lambda: state(after, "broken") == "quarantined")
    assert copies(after, digests) == kept, "nothing was copied again"
    after.deploy("flat", tiny.add_constant(4), version=4)
    newest = after.show("flat")["sha256"]
    assert after.stop() == 0

    again = start(releases[first], tmp_path)
    expected = before | {"flat": (4, newest, 4)}
    wait_for("what served last serves again", lambda: serving(again) == expected)
    assert state(again, "gone") == "unloaded"
    with again.client() as client:
        assert client.load("gone", timeout=LIMIT_S)["version"] == 1
    assert answer(again, "gone") == 9


@pytest.mark.parametrize(("first", "second"), WAYS)
def test_bytes_that_served_last_serve_in_the_other_release_where_the_file_is_bad(
    releases: dict[str, Release], start: Start, tmp_path: Path, first: str, second: str
) -> None:
    daemon = start(releases[first], tmp_path)
    (daemon.models / "m.toml").write_text("max_instances = 1\n")
    daemon.deploy("m", tiny.add_constant(1))
    assert daemon.stop() == 0
    (daemon.models / "m.tflite").write_bytes(b"half a copy")
    after = start(releases[second], tmp_path)
    wait_for("it serves", lambda: state(after, "m") == "ready")
    shown = after.show("m")
    assert (shown["state"], shown["version"], shown["options"]["max_instances"]) == ("ready", 1, 1)
    assert answer(after, "m") == 1


@pytest.mark.parametrize(("first", "second"), WAYS)
def test_clients_of_both_releases_call_on_over_the_change(
    releases: dict[str, Release], start: Start, tmp_path: Path, first: str, second: str
) -> None:
    daemon = start(releases[first], tmp_path)
    daemon.deploy("m", tiny.add_constant(1))
    callers = {}
    for name, release in releases.items():
        stop = tmp_path / f"stop-{name}"
        os.mkfifo(stop)
        callers[name] = release.start(CALLER, daemon.socket, tmp_path / f"calls-{name}", stop)
    try:
        for name in callers:
            wait_for("it calls", lambda name=name: called(tmp_path, name) > 100)
        assert daemon.stop(signal.SIGTERM) == 0
        start(releases[second], tmp_path)
        seen = {name: called(tmp_path, name) for name in callers}
        for name in callers:
            wait_for("it calls on", lambda name=name: called(tmp_path, name) > seen[name] + 100)
        for name, caller in callers.items():
            (tmp_path / f"stop-{name}").write_text("now")
            told, failed = caller.communicate(timeout=LIMIT_S)
            assert caller.returncode == 0, f"{name}: {failed}"
            assert json.loads(told) == {"versions": [1], "failures": []}
    finally:
        for caller in callers.values():
            caller.kill()
            caller.wait()


def called(folder: Path, name: str) -> int:
    """Return how many calls a caller has made so far."""
    calls = folder / f"calls-{name}"
    return calls.stat().st_size if calls.exists() else 0
