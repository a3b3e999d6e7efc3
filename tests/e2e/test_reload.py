"""SIGHUP by its effects: a value that changed in the file acts, a mistake changes nothing, the rest waits."""

from __future__ import annotations

import shutil
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mmclient import MmError
from mmwire import message
from rig import tiny_tflite as tiny
from rig.daemon_process import DaemonProcess
from rig.listener import Client
from rig.waiting import wait_for

FOR_EVER = struct.pack("<f", 1e9)  # to the model that counts down


class Reloaded:
    """A daemon whose configuration file changes while it serves."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self._file = folder / "config.toml"
        self._file.write_text(configuration)
        self.daemon = DaemonProcess(folder, ("--config", str(self._file)))
        self.daemon.start()

    def change(self, configuration: str, told: str = "configuration read again") -> None:
        """Write the file, send SIGHUP, and wait until the log tells what became of it."""
        seen = self.daemon.text().count(told)
        self._file.write_text(configuration)
        assert self.daemon.process is not None
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for(f"the log says: {told}", lambda: self.daemon.text().count(told) > seen)


@pytest.fixture
def reloaded(tmp_path: Path) -> Iterator[Callable[[str], Reloaded]]:
    """Starts daemons with a configuration."""
    made: list[Reloaded] = []

    def start(configuration: str) -> Reloaded:
        made.append(Reloaded(tmp_path, configuration))
        return made[0]

    try:
        yield start
    finally:
        for one in made:
            one.daemon.kill()


def is_logged_when_it_fails(daemon: DaemonProcess) -> bool:
    """Have a request fail; return whether the log tells, as it does for debugging."""
    seen = daemon.text().count("lookup version 1, request")
    with daemon.client() as client:
        with pytest.raises(MmError) as caught:
            client.predict("lookup", np.int32([99]))  # the table has three places
        client.status()
    assert caught.value.code == "INFERENCE_FAILED"
    return daemon.text().count("lookup version 1, request") > seen


def test_sighup_changes_what_is_logged(reloaded: Callable[[str], Reloaded]) -> None:
    made = reloaded('[service]\nlog_level = "info"\n')
    made.daemon.deploy("lookup", tiny.lookup())
    assert not is_logged_when_it_fails(made.daemon)
    made.change('[service]\nlog_level = "debug"\n')
    wait_for("a failure is logged", lambda: is_logged_when_it_fails(made.daemon))
    made.change('[service]\nlog_level = "info"\n')
    assert not is_logged_when_it_fails(made.daemon)


def test_sighup_changes_how_long_a_damaged_file_settles(reloaded: Callable[[str], Reloaded]) -> None:
    made = reloaded("[models]\nunfinished_s = 80000\nrescan_s = 0.1\n")
    shutil.copy(__file__, made.daemon.models / "m.tflite")  # a copy, which may still be on its way
    wait_for("it is seen", lambda: made.daemon.names() == ["m"])
    with made.daemon.client() as client, pytest.raises(MmError) as caught:
        client.wait("m", timeout=0.5)
    assert caught.value.code == "DEADLINE_EXCEEDED"
    made.change("[models]\nunfinished_s = 0\nrescan_s = 0.1\n")
    wait_for("it is refused", lambda: made.daemon.show("m")["state"] == "quarantined")


def test_sighup_changes_how_long_a_model_outlives_its_file(reloaded: Callable[[str], Reloaded]) -> None:
    made = reloaded("[models]\nretire_grace_s = 80000\nrescan_s = 0.1\n")
    made.daemon.deploy("gone", tiny.add_constant(1))
    made.daemon.deploy("kept", tiny.add_constant(1))
    (made.daemon.models / "gone.tflite").unlink()
    made.daemon.deploy("later", tiny.add_constant(1))  # the folder was looked at since
    assert made.daemon.show("gone")["state"] == "ready"
    made.change("[models]\nretire_grace_s = 0\nrescan_s = 0.1\n")
    wait_for("it retires", lambda: "gone" not in made.daemon.names())
    assert made.daemon.show("kept")["state"] == "ready"


def test_sighup_changes_how_long_an_invocation_may_take(reloaded: Callable[[str], Reloaded]) -> None:
    made = reloaded("[limits]\nmax_run_s = 80000\n")
    made.daemon.deploy("slow", tiny.countdown())
    with closing(Client(made.daemon.socket)) as caller:
        asked = caller.infer(caller.open("slow"), FOR_EVER)  # for ever
        with made.daemon.client() as client:
            wait_for("it computes", lambda: client.ps()["models"][0]["busy"] == 1)
            made.change("[limits]\nmax_run_s = 0.2\n")
            wait_for("it is named", lambda: client.status()["state"] == "degraded")
        frame = caller.read()
        assert (frame.request_id, message.read_error(frame).code) == (asked, "RUN_TOO_LONG")


def test_sighup_changes_how_long_a_drain_may_take(reloaded: Callable[[str], Reloaded]) -> None:
    made = reloaded("[service]\ndrain_s = 80000\n")
    made.daemon.deploy("slow", tiny.countdown())
    with closing(Client(made.daemon.socket)) as caller:
        caller.infer(caller.open("slow"), FOR_EVER)
        with made.daemon.client() as client:
            wait_for("it computes", lambda: client.ps()["models"][0]["busy"] == 1)
        made.change("[service]\ndrain_s = 0.1\n")
        assert made.daemon.stop() == 1
    assert "drain took too long" in made.daemon.text()


def test_sighup_keeps_what_applied_where_the_new_configuration_has_a_mistake(
    reloaded: Callable[[str], Reloaded],
) -> None:
    made = reloaded('[service]\nlog_level = "debug"\n')
    made.daemon.deploy("lookup", tiny.lookup())
    made.change('[service]\nlog_level = "info"\n[models]\nrescan = 5\n', told="the old one kept")
    assert "did you mean models.rescan_s" in made.daemon.text()
    wait_for("a failure is logged as before", lambda: is_logged_when_it_fails(made.daemon))


def test_sighup_names_what_needs_a_restart_and_leaves_it(reloaded: Callable[[str], Reloaded]) -> None:
    made = reloaded("[limits]\nmax_connections = 7\n")
    made.change("[limits]\nmax_connections = 1\n", told="limits.max_connections changed: this needs a restart")
    with made.daemon.client() as one, made.daemon.client() as other:
        assert one.status() and other.status()


def test_sighup_changes_how_many_requests_may_wait(reloaded: Callable[[str], Reloaded]) -> None:
    made = reloaded("[limits]\ncores = 1\nmax_queue = 100\n")
    made.daemon.deploy("slow", tiny.countdown())

    def queued() -> int:
        with made.daemon.client() as client:
            return int(client.ps()["models"][0]["queued"])

    with closing(Client(made.daemon.socket)) as caller:
        handle = caller.open("slow")
        for _ in range(3):  # the first one computes for ever, the others wait for it
            caller.infer(handle, FOR_EVER)
        wait_for("two of them wait", lambda: queued() == 2)
        made.change("[limits]\ncores = 1\nmax_queue = 2\n")
        refused = caller.infer(handle, FOR_EVER)
        frame = caller.read()
        assert (frame.request_id, message.read_error(frame).code) == (refused, "QUEUE_FULL")
        made.change("[limits]\ncores = 1\nmax_queue = 3\n")
        caller.infer(handle, FOR_EVER)
        wait_for("one more waits", lambda: queued() == 3)
